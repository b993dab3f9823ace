"""Targets, jobs and workers, as a new database gets them at once (docs/adr/0058)."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import studio.compute.models
from studio.migrating import MadeAtOnce


class Migration(MadeAtOnce):
    replaces = [("compute", "0001_initial"), ("compute", "0002_managed_targets")]

    initial = True

    dependencies = [
        ("accounts", "0003_members"),
    ]

    operations = [
        migrations.CreateModel(
            name="Target",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=63)),
                ("description", models.TextField(blank=True)),
                ("grace_s", models.FloatField(blank=True, null=True)),
                ("is_enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "workspace",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="targets",
                        to="accounts.workspace",
                    ),
                ),
                ("lost_after_s", models.FloatField(blank=True, null=True)),
                ("max_attempts", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("max_runs", models.PositiveIntegerField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("workspace", None)),
                        fields=("name",),
                        name="target_shared_name_once",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "name"), name="target_own_name_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("argv", models.JSONField(default=list)),
                ("environment", models.JSONField(default=dict)),
                ("snapshot", models.CharField(blank=True, max_length=64)),
                ("grace_s", models.FloatField()),
                ("max_duration_s", models.FloatField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lease", models.CharField(blank=True, default="", max_length=32)),
                ("n_attempts", models.IntegerField(default=0)),
                ("node", models.CharField(blank=True, max_length=200)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("beat_at", models.DateTimeField(blank=True, null=True)),
                ("pid", models.IntegerField(blank=True, null=True)),
                ("folder", models.TextField(blank=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("kill_requested_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_step", models.CharField(blank=True, default="", max_length=20)),
                ("cancel_step_at", models.DateTimeField(blank=True, null=True)),
                ("exit_code", models.IntegerField(blank=True, null=True)),
                ("exit_signal", models.IntegerField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="jobs",
                        to="compute.target",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("claimed_at", None), ("closed_at", None)),
                        fields=["target", "id"],
                        name="job_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("closed_at", None)),
                        fields=["lease"],
                        name="job_open_by_lease",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "lease",
                    models.CharField(
                        default=studio.compute.models.new_lease, max_length=32, unique=True
                    ),
                ),
                ("node", models.CharField(max_length=200)),
                ("host", models.CharField(max_length=200)),
                ("pid", models.IntegerField()),
                ("n_slots", models.IntegerField()),
                ("n_active", models.IntegerField(default=0)),
                ("version", models.CharField(blank=True, max_length=50)),
                ("facts", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workers",
                        to="compute.target",
                    ),
                ),
                ("drain_asked_at", models.DateTimeField(blank=True, null=True)),
                ("drain_asked_by", models.CharField(blank=True, default="", max_length=200)),
                ("machine", models.CharField(blank=True, default="", max_length=100)),
                ("was_lost", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [models.Index(fields=["target", "last_seen_at"], name="worker_live")],
            },
        ),
        migrations.CreateModel(
            name="TargetEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("kind", models.CharField(max_length=30)),
                ("actor", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=63)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                (
                    "actor_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="target_events",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "-id"], name="target_event_newest")],
            },
        ),
    ]
