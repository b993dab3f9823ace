"""Rules and what they told, as a new database gets them at once (docs/adr/0058)."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import studio.alerts.models
import studio.custom_views.models
from studio.migrating import MadeAtOnce


class Migration(MadeAtOnce):
    replaces = [("alerts", "0001_rules")]

    initial = True

    dependencies = [
        ("accounts", "0003_members"),
        ("custom_views", "0001_custom_views"),
        ("runs", "0014_status_news"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "uid",
                    models.CharField(
                        default=studio.custom_views.models.new_uid, max_length=16, unique=True
                    ),
                ),
                ("is_shared", models.BooleanField(default=False)),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("status", "A run changes its status"),
                            ("metric", "A metric crosses a value"),
                            ("silence", "No metric for a while"),
                            ("duration", "A run takes too long"),
                            ("view", "Runs enter or leave a view"),
                        ],
                        default="status",
                        max_length=10,
                    ),
                ),
                ("query", models.TextField(blank=True, default="")),
                ("statuses", models.JSONField(default=list)),
                ("metric", models.CharField(blank=True, default="", max_length=255)),
                ("operator", models.CharField(blank=True, default="", max_length=2)),
                ("threshold", models.FloatField(blank=True, null=True)),
                ("seconds", models.FloatField(blank=True, null=True)),
                (
                    "edge",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("enter", "Runs enter"),
                            ("leave", "Runs leave"),
                            ("both", "Runs enter or leave"),
                            ("above", "The number of runs reaches"),
                            ("below", "The number of runs falls below"),
                        ],
                        default="",
                        max_length=6,
                    ),
                ),
                ("once", models.BooleanField(default=False)),
                (
                    "digest",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "At once"),
                            ("hourly", "Once an hour"),
                            ("daily", "Once a day"),
                        ],
                        default="",
                        max_length=6,
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True)),
                ("muted_until", models.DateTimeField(blank=True, null=True)),
                ("trouble", models.TextField(blank=True, default="")),
                ("state", models.JSONField(default=dict)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("changed_by", models.CharField(max_length=200)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_rules",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_rules",
                        to="runs.run",
                    ),
                ),
                (
                    "view",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_rules",
                        to="custom_views.customview",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_rules",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "kind"], name="rule_of_workspace"),
                    models.Index(fields=["checked_at"], name="rule_to_check"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Destination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("webhook", "Webhook"),
                            ("slack", "Slack-compatible webhook"),
                        ],
                        max_length=10,
                    ),
                ),
                ("url", models.CharField(blank=True, default="", max_length=2000)),
                (
                    "secret",
                    models.CharField(
                        blank=True, default=studio.alerts.models.new_secret, max_length=64
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="destinations",
                        to="alerts.alertrule",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rule", "channel", "user", "url"), name="destination_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Firing",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=100)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("facts", models.JSONField(default=dict)),
                ("is_test", models.BooleanField(default=False)),
                (
                    "event",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="runs.runevent",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="firings",
                        to="alerts.alertrule",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="firing_by_time")],
                "constraints": [
                    models.UniqueConstraint(fields=("rule", "key"), name="firing_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Given up"),
                            ("dropped", "Not sent"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("n_tries", models.IntegerField(default=0)),
                ("message", models.CharField(blank=True, default="", max_length=40)),
                ("lease", models.CharField(blank=True, default="", max_length=32)),
                ("leased_until", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("trouble", models.TextField(blank=True, default="")),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="alerts.destination",
                    ),
                ),
                (
                    "firing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="alerts.firing",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "sending"])),
                        fields=["due_at", "id"],
                        name="delivery_due",
                    ),
                    models.Index(fields=["destination", "-sent_at"], name="delivery_lately"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("firing", "destination"), name="delivery_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule_uid", models.CharField(max_length=16)),
                ("rule_name", models.CharField(max_length=100)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("kind", models.CharField(max_length=30)),
                ("actor", models.CharField(max_length=200)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "rule_uid", "-id"], name="event_of_rule")
                ],
            },
        ),
    ]
