"""Stars of experiments, their descriptions as HTML, and how their runs stand from an index."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("runs", "0004_sort_indexes"),
    ]
    operations = [
        migrations.AddField("experiment", "description_version", models.IntegerField(default=0)),
        migrations.CreateModel(
            "ExperimentDescription",
            [
                (
                    "experiment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="description_row",
                        serialize=False,
                        to="runs.experiment",
                    ),
                ),
                ("html", models.TextField(blank=True, default="")),
                ("renderer_version", models.IntegerField(default=0)),
                ("edited_by", models.CharField(blank=True, default="", max_length=200)),
                ("edited_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            "ExperimentStar",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "experiment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stars",
                        to="runs.experiment",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="experiment_stars",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["user", "experiment"], name="experiment_star_once"
                    )
                ]
            },
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["experiment", "status", "-created_at", "-id"],
                name="run_experiment_status",
                condition=models.Q(parent=None, deleted_at=None, archived_at=None),
            ),
        ),
    ]
