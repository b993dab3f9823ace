"""Datasets and models, as a new database gets them at once (docs/adr/0058)."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import studio.lineage.models
from studio.migrating import MadeAtOnce


class Migration(MadeAtOnce):
    replaces = [("lineage", "0001_lineage")]

    initial = True

    dependencies = [
        ("accounts", "0003_members"),
        ("runs", "0014_status_news"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dataset",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=500)),
                ("digest", models.CharField(max_length=255)),
                ("source_type", models.CharField(blank=True, default="", max_length=255)),
                ("source", models.TextField(blank=True, default="")),
                ("schema_text", models.TextField(blank=True, default="")),
                ("profile", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="datasets",
                        to="runs.experiment",
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
                "indexes": [models.Index(fields=["workspace", "-id"], name="dataset_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("experiment", "name", "digest"), name="dataset_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LoggedModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uid",
                    models.CharField(default=studio.lineage.models.new_model_uid, max_length=34),
                ),
                ("name", models.CharField(max_length=255)),
                ("model_type", models.CharField(blank=True, default="", max_length=255)),
                ("is_carried", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Being uploaded"),
                            ("ready", "Ready"),
                            ("failed", "Upload failed"),
                        ],
                        default="pending",
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="logged_models",
                        to="runs.experiment",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="models_kept",
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
                        fields=["experiment", "-created_at", "-id"], name="logged_model_newest"
                    ),
                    models.Index(
                        fields=["experiment", "name", "-created_at", "-id"],
                        name="logged_model_named",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "uid"), name="logged_model_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelInput",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="used_by",
                        to="lineage.loggedmodel",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="models_used",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "model"), name="model_input_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelLabel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("param", "Parameter"), ("tag", "Tag")], max_length=5
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("value", models.TextField(blank=True, default="")),
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="labels",
                        to="lineage.loggedmodel",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("model", "kind", "key"), name="model_label_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelMetric",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("value", models.FloatField(null=True)),
                ("step", models.BigIntegerField(default=0)),
                ("at_ms", models.BigIntegerField(default=0)),
                ("dataset_name", models.CharField(blank=True, default="", max_length=500)),
                ("dataset_digest", models.CharField(blank=True, default="", max_length=255)),
                (
                    "model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metrics",
                        to="lineage.loggedmodel",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="runs.run"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "model",
                            "name",
                            "run",
                            "step",
                            "at_ms",
                            "dataset_name",
                            "dataset_digest",
                        ),
                        name="model_metric_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RunInput",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("context", models.CharField(blank=True, default="", max_length=255)),
                ("labels", models.JSONField(default=dict)),
                (
                    "dataset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="lineage.dataset",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inputs",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "dataset", "context"), name="run_input_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RunOutput",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("step", models.BigIntegerField(default=0)),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="outputs",
                        to="lineage.loggedmodel",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="models_made",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "model"), name="run_output_once")
                ],
            },
        ),
    ]
