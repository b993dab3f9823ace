"""Indexes of parents and roots leave out runs that have none, which are most."""

import django.db.models.deletion
from django.db import migrations, models

ROOT = "runs_run_root_id_7bba9043"


class Migration(migrations.Migration):
    dependencies = [("runs", "0006_fewer_indexes")]
    operations = [
        migrations.RemoveIndex("run", "run_children_status"),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["parent", "status"],
                name="run_children_of_status",
                condition=models.Q(parent__isnull=False),
            ),
        ),
        migrations.SeparateDatabaseAndState(
            # By its name: changing the field would make SQLite copy the whole table.
            [
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{ROOT}"',
                    f'CREATE INDEX "{ROOT}" ON "runs_run" ("root_id")',
                )
            ],
            [
                migrations.AlterField(
                    "run",
                    "root",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="descendants",
                        to="runs.run",
                    ),
                )
            ],
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["root"],
                name="run_descendants",
                condition=models.Q(root__isnull=False),
            ),
        ),
    ]
