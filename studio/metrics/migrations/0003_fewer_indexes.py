"""Foreign keys lose the index of their own where another begins with it.

An index is dropped by its name: changing the field would make SQLite copy the whole table.
"""

import django.db.models.deletion
from django.db import migrations, models

REDUNDANT = [
    ("metrics_batch_run_id_d4fb5682", "metrics_batch", "run_id"),
    ("metrics_metric_run_id_c2301665", "metrics_metric", "run_id"),
    ("metrics_metric_workspace_id_e01c9053", "metrics_metric", "workspace_id"),
    ("metrics_metricchunk_metric_id_214e1b2a", "metrics_metricchunk", "metric_id"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("metrics", "0002_chunk_steps"),
        ("runs", "0005_experiment_pages"),
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
                    model_name="batch",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="metric",
                    name="run",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metrics",
                        to="runs.run",
                    ),
                ),
                migrations.AlterField(
                    model_name="metric",
                    name="workspace",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
                migrations.AlterField(
                    model_name="metricchunk",
                    name="metric",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="metrics.metric",
                    ),
                ),
            ],
        ),
    ]
