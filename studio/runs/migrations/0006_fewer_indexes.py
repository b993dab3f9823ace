"""Foreign keys lose the index of their own where another begins with it, and the lists of one
experiment, person or target get one in their order.

An index is dropped by its name: changing the field would make SQLite copy the whole table.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REDUNDANT = [
    ("runs_experimentevent_experiment_id_506a0a77", "runs_experimentevent", "experiment_id"),
    ("runs_parameter_run_id_ec8c0785", "runs_parameter", "run_id"),
    ("runs_parameter_workspace_id_11cfa195", "runs_parameter", "workspace_id"),
    ("runs_property_run_id_30ebf146", "runs_property", "run_id"),
    ("runs_property_workspace_id_4116c1c6", "runs_property", "workspace_id"),
    ("runs_run_experiment_id_017d27a6", "runs_run", "experiment_id"),
    ("runs_run_parent_id_8594b290", "runs_run", "parent_id"),
    ("runs_run_submitter_id_35dadf5c", "runs_run", "submitter_id"),
    ("runs_run_target_id_d3f3dc2e", "runs_run", "target_id"),
    ("runs_run_workspace_id_c1222b68", "runs_run", "workspace_id"),
    ("runs_runevent_run_id_8bd13aa7", "runs_runevent", "run_id"),
    ("runs_runevent_workspace_id_c63d91c4", "runs_runevent", "workspace_id"),
    ("runs_star_user_id_f2928fe7", "runs_star", "user_id"),
    ("runs_tag_run_id_58ced571", "runs_tag", "run_id"),
    ("runs_tag_workspace_id_73dccbbb", "runs_tag", "workspace_id"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("compute", "0001_initial"),
        ("runs", "0005_experiment_pages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{name}"',
                    f'CREATE INDEX "{name}" ON "{table}" ("{column}")',
                )
                for name, table, column in REDUNDANT
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="experimentevent",
                    name="experiment",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="runs.experiment",
                    ),
                ),
                migrations.AlterField(
                    model_name="parameter",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parameters",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="parameter",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                migrations.AlterField(
                    model_name="property",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="properties",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="property",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                migrations.AlterField(
                    model_name="run",
                    name="experiment",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="runs.experiment",
                    ),
                ),
                migrations.AlterField(
                    model_name="run",
                    name="parent",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="children",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="run",
                    name="submitter",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="run",
                    name="target",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to="compute.target",
                    ),
                ),
                migrations.AlterField(
                    model_name="run",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="accounts.workspace",
                    ),
                ),
                migrations.AlterField(
                    model_name="runevent",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="runevent",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                migrations.AlterField(
                    model_name="star",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stars",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="tag",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="tag",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["experiment", "-created_at", "-id"], name="run_of_experiment"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["submitter", "-created_at", "-id"], name="run_of_submitter"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("target__isnull", False)),
                fields=["target", "-created_at", "-id"],
                name="run_of_target",
            ),
        ),
    ]
