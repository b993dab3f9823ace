"""Metrics and their points, as a new database gets them at once (docs/adr/0058)."""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from studio.migrating import MadeAtOnce


def forwards(apps: Any, schema_editor: Any) -> None:
    # PostgreSQL reads every row whose last value is NaN without it: see 0006_infinite_lasts.
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX metric_infinite ON metrics_metric (workspace_id, name, last_text, run_id)"
            " WHERE last IS NULL AND last_text IN ('Infinity', '-Infinity')"
        )


def backwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX metric_infinite")


class Migration(MadeAtOnce):
    replaces = [
        ("metrics", "0001_initial"),
        ("metrics", "0002_chunk_steps"),
        ("metrics", "0003_fewer_indexes"),
        ("metrics", "0004_outlines"),
        ("metrics", "0005_outline_counts"),
        ("metrics", "0006_infinite_lasts"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("runs", "0005_experiment_pages"),
    ]

    operations = [
        migrations.CreateModel(
            name="Metric",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("scalar", "Scalar"),
                            ("list", "List"),
                            ("text", "Text"),
                            ("table", "Table"),
                            ("image", "Image"),
                            ("confusion_matrix", "Confusion matrix"),
                            ("accuracy_table", "Accuracy table"),
                            ("residuals", "Residuals"),
                            ("predictions", "Predictions"),
                        ],
                        default="scalar",
                        max_length=20,
                    ),
                ),
                ("n_points", models.BigIntegerField(default=0)),
                ("n_open_chunks", models.IntegerField(default=0)),
                ("next_step", models.BigIntegerField(default=0)),
                ("last", models.FloatField(blank=True, null=True)),
                ("last_text", models.TextField(blank=True, default="")),
                ("last_step", models.BigIntegerField(blank=True, null=True)),
                ("last_at", models.FloatField(blank=True, null=True)),
                ("min", models.FloatField(blank=True, null=True)),
                ("min_step", models.BigIntegerField(blank=True, null=True)),
                ("max", models.FloatField(blank=True, null=True)),
                ("max_step", models.BigIntegerField(blank=True, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metrics",
                        to="runs.run",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["workspace", "name", "last", "-run"], name="metric_by_last"
                    ),
                    models.Index(fields=["workspace", "name", "min", "-run"], name="metric_by_min"),
                    models.Index(fields=["workspace", "name", "max", "-run"], name="metric_by_max"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "name"), name="metric_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="MetricChunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("n_points", models.IntegerField()),
                ("is_open", models.BooleanField(default=True)),
                ("data", models.BinaryField()),
                (
                    "metric",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="metrics.metric",
                    ),
                ),
                ("first_step", models.BigIntegerField(default=0)),
                ("last_step", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [models.Index(fields=["metric", "id"], name="chunk_of_metric")],
            },
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("batch_id", models.CharField(max_length=64)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "batch_id"), name="batch_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Outline",
            fields=[
                (
                    "chunk",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="outline",
                        serialize=False,
                        to="metrics.metricchunk",
                    ),
                ),
                ("data", models.BinaryField()),
                ("n_gaps", models.IntegerField(default=0)),
                ("n_low", models.IntegerField(default=0)),
            ],
        ),
        migrations.RunPython(forwards, backwards),
    ]
