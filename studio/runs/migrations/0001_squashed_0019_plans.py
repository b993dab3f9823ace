"""Runs, experiments and what belongs to them, as a new database gets them at once (docs/adr/0058).

The indexes of runs stand in an order of their own: of two that serve alike SQLite takes that made
last, which is to be the one of roots (docs/adr/0057).
"""

from typing import Any

import django.db.models.deletion
import django.db.models.functions.comparison
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import studio.runs.models
from studio.migrating import MadeAtOnce

# Trigram search over `RunText.body`: an FTS5 mirror on SQLite, a GIN index on PostgreSQL.
SQLITE = [
    """CREATE VIRTUAL TABLE runs_runtext_fts USING fts5(
         body, content='runs_runtext', content_rowid='run_id', tokenize='trigram')""",
    """CREATE TRIGGER runs_runtext_ai AFTER INSERT ON runs_runtext BEGIN
         INSERT INTO runs_runtext_fts(rowid, body) VALUES (new.run_id, new.body); END""",
    """CREATE TRIGGER runs_runtext_ad AFTER DELETE ON runs_runtext BEGIN
         INSERT INTO runs_runtext_fts(runs_runtext_fts, rowid, body)
         VALUES ('delete', old.run_id, old.body); END""",
    """CREATE TRIGGER runs_runtext_au AFTER UPDATE ON runs_runtext BEGIN
         INSERT INTO runs_runtext_fts(runs_runtext_fts, rowid, body)
         VALUES ('delete', old.run_id, old.body);
         INSERT INTO runs_runtext_fts(rowid, body) VALUES (new.run_id, new.body); END""",
]
SQLITE_BACK = [
    "DROP TRIGGER runs_runtext_au",
    "DROP TRIGGER runs_runtext_ad",
    "DROP TRIGGER runs_runtext_ai",
    "DROP TABLE runs_runtext_fts",
]
POSTGRESQL = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX runs_runtext_trigram ON runs_runtext USING gin (body gin_trgm_ops)",
]
POSTGRESQL_BACK = ["DROP INDEX runs_runtext_trigram"]
# How often a value occurs under its key, which PostgreSQL takes for independent without.
LABELS = {"tag_values": "runs_tag", "parameter_values": "runs_parameter"}


def forwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        run_all(schema_editor, SQLITE)
        return
    run_all(schema_editor, POSTGRESQL)
    for name, table in LABELS.items():
        schema_editor.execute(f"CREATE STATISTICS {name} (mcv) ON key, value FROM {table}")
        schema_editor.execute(f"ALTER STATISTICS {name} SET STATISTICS 500")
        schema_editor.execute(f"ANALYZE {table}")


def backwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        run_all(schema_editor, SQLITE_BACK)
        return
    for name in LABELS:
        schema_editor.execute(f"DROP STATISTICS {name}")
    run_all(schema_editor, POSTGRESQL_BACK)


def run_all(schema_editor: Any, statements: list[str]) -> None:
    for statement in statements:
        schema_editor.execute(statement)


class Migration(MadeAtOnce):
    replaces = [
        ("runs", "0001_initial"),
        ("runs", "0002_search_index"),
        ("runs", "0003_trash_and_histories"),
        ("runs", "0004_sort_indexes"),
        ("runs", "0005_experiment_pages"),
        ("runs", "0006_fewer_indexes"),
        ("runs", "0007_family_indexes"),
        ("runs", "0008_sorted_columns"),
        ("runs", "0009_attachments"),
        ("runs", "0010_children_newest"),
        ("runs", "0011_dependencies"),
        ("runs", "0012_evidence"),
        ("runs", "0013_experiment_tags"),
        ("runs", "0014_status_news"),
        ("runs", "0015_experiment_titles"),
        ("runs", "0016_long_values"),
        ("runs", "0017_clients_without_heartbeat"),
        ("runs", "0018_started_index"),
        ("runs", "0019_plans"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0003_members"),
        ("compute", "0002_managed_targets"),
    ]

    operations = [
        migrations.CreateModel(
            name="Experiment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("latest_run_at", models.DateTimeField(blank=True, null=True)),
                ("last_number", models.IntegerField(default=0)),
                (
                    "created_by",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="experiments",
                        to="accounts.workspace",
                    ),
                ),
                ("description_version", models.IntegerField(default=0)),
                ("tags", models.JSONField(blank=True, default=dict)),
                ("title", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "-latest_run_at"], name="experiment_latest")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "name"), name="experiment_name_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("title", ""), _negated=True),
                        fields=("workspace", "title"),
                        name="experiment_title_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.CharField(default=studio.runs.models.new_uid, max_length=256)),
                ("number", models.IntegerField()),
                ("display_name", models.CharField(max_length=255)),
                ("type", models.CharField(default="interactive", max_length=20)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("NotStarted", "Not started"),
                            ("Queued", "Queued"),
                            ("Starting", "Starting"),
                            ("Preparing", "Preparing"),
                            ("Running", "Running"),
                            ("Finalizing", "Finalizing"),
                            ("CancelRequested", "Cancel requested"),
                            ("NotResponding", "Not responding"),
                            ("Completed", "Completed"),
                            ("Failed", "Failed"),
                            ("Canceled", "Canceled"),
                        ],
                        default="NotStarted",
                        max_length=20,
                    ),
                ),
                ("status_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("status_reason", models.TextField(blank=True, default="")),
                ("status_before_silence", models.CharField(blank=True, default="", max_length=20)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("duration_s", models.FloatField(blank=True, null=True)),
                ("last_beat_at", models.DateTimeField(blank=True, null=True)),
                ("max_duration_s", models.FloatField(blank=True, null=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_requested_by", models.CharField(blank=True, default="", max_length=200)),
                ("cancel_reason", models.TextField(blank=True, default="")),
                ("error", models.JSONField(blank=True, null=True)),
                ("exit_code", models.IntegerField(blank=True, null=True)),
                ("exit_signal", models.IntegerField(blank=True, null=True)),
                ("warnings", models.JSONField(default=list)),
                ("script", models.TextField(blank=True, default="")),
                ("arguments", models.JSONField(default=list)),
                ("snapshot", models.CharField(blank=True, default="", max_length=64)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "job",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="run",
                        to="compute.job",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="children",
                        to="runs.run",
                    ),
                ),
                (
                    "root",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="descendants",
                        to="runs.run",
                    ),
                ),
                (
                    "submitter",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="runs",
                        to="compute.target",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="accounts.workspace",
                    ),
                ),
                (
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="runs.experiment",
                    ),
                ),
                ("deleted_by", models.CharField(blank=True, max_length=200, null=True)),
                ("deleted_with", models.BigIntegerField(blank=True, null=True)),
                ("n_children", models.IntegerField(blank=True, null=True)),
                ("first_tag", models.CharField(blank=True, max_length=80, null=True)),
                ("description_start", models.CharField(blank=True, max_length=80, null=True)),
                ("evidence", models.JSONField(blank=True, null=True)),
                ("has_heartbeat", models.BooleanField(default=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "-created_at", "-id"],
                        name="run_newest",
                    ),
                    models.Index(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "CancelRequested",
                                    "Finalizing",
                                    "NotResponding",
                                    "NotStarted",
                                    "Preparing",
                                    "Queued",
                                    "Running",
                                    "Starting",
                                ],
                            )
                        ),
                        fields=["status", "last_beat_at"],
                        name="run_unfinished",
                    ),
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", False)),
                        fields=["workspace", "-deleted_at", "-id"],
                        name="run_trash",
                    ),
                    models.Index(
                        condition=models.Q(("deleted_with__isnull", False)),
                        fields=["deleted_with"],
                        name="run_deleted_with",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "display_name", "-id"],
                        name="run_by_name",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "started_at", "-id"],
                        name="run_by_start",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "ended_at", "-id"],
                        name="run_by_end",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "duration_s", "-id"],
                        name="run_by_duration",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("archived_at", None), ("deleted_at", None), ("parent", None)
                        ),
                        fields=["experiment", "status", "-created_at", "-id"],
                        name="run_experiment_status",
                    ),
                    models.Index(
                        fields=["experiment", "-created_at", "-id"], name="run_of_experiment"
                    ),
                    models.Index(
                        fields=["submitter", "-created_at", "-id"], name="run_of_submitter"
                    ),
                    models.Index(
                        condition=models.Q(("target__isnull", False)),
                        fields=["target", "-created_at", "-id"],
                        name="run_of_target",
                    ),
                    models.Index(
                        condition=models.Q(("parent__isnull", False)),
                        fields=["parent", "status"],
                        name="run_children_of_status",
                    ),
                    models.Index(
                        condition=models.Q(("root__isnull", False)),
                        fields=["root"],
                        name="run_descendants",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "status", "-created_at", "-id", "parent"],
                        name="run_listed_status",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["experiment", "number", "-id"],
                        name="run_experiment_number",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "type", "-created_at", "-id"],
                        name="run_type_newest",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "number", "-id"],
                        name="run_by_number",
                    ),
                    models.Index(fields=["workspace", "n_children", "-id"], name="run_by_children"),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "first_tag", "-id"],
                        name="run_by_first_tag",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None), ("deleted_at", None)),
                        fields=["workspace", "description_start", "-id"],
                        name="run_by_description",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("archived_at", None), ("deleted_at", None), ("parent__isnull", False)
                        ),
                        fields=["parent", "-created_at", "-id"],
                        name="run_children_newest",
                    ),
                    models.Index(
                        models.F("experiment"),
                        models.OrderBy(
                            django.db.models.functions.comparison.Coalesce(
                                "started_at", "created_at"
                            ),
                            descending=True,
                        ),
                        models.F("uid"),
                        models.F("deleted_at"),
                        name="run_experiment_start",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("archived_at", None), ("deleted_at", None), ("parent", None)
                        ),
                        fields=["workspace", "-created_at", "-id"],
                        name="run_roots_newest",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("archived_at", None), ("deleted_at", None), ("parent", None)
                        ),
                        fields=["experiment", "-created_at", "-id"],
                        name="run_experiment_newest",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "uid"), name="run_uid_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "NotStarted",
                                    "Queued",
                                    "Starting",
                                    "Preparing",
                                    "Running",
                                    "Finalizing",
                                    "CancelRequested",
                                    "NotResponding",
                                    "Completed",
                                    "Failed",
                                    "Canceled",
                                ],
                            )
                        ),
                        name="run_known_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("status__in", ["Canceled", "Completed", "Failed"]), _negated=True
                            ),
                            ("ended_at__isnull", False),
                            _connector="OR",
                        ),
                        name="run_terminal_has_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Description",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="description_row",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                ("text", models.TextField(blank=True, default="")),
                ("html", models.TextField(blank=True, default="")),
                ("renderer_version", models.IntegerField(default=0)),
                ("version", models.IntegerField(default=1)),
                ("edited_by", models.CharField(blank=True, default="", max_length=200)),
                ("edited_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="RunDefinition",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="definition",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="RunText",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="text",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                ("body", models.TextField(default="")),
            ],
        ),
        migrations.CreateModel(
            name="Parameter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("value", models.TextField()),
                ("number", models.FloatField(blank=True, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parameters",
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
                ("rest", models.TextField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["workspace", "key", "value", "-run"], name="parameter_lookup"
                    ),
                    models.Index(
                        fields=["workspace", "key", "number", "-run"], name="parameter_number"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "key"), name="parameter_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Property",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("value", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="properties",
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
                "verbose_name_plural": "properties",
                "indexes": [
                    models.Index(
                        fields=["workspace", "key", "value", "-run"], name="property_lookup"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "key"), name="property_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RunEvent",
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
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("message", models.TextField(blank=True, default="")),
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
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
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
                ("work", models.CharField(blank=True, max_length=32, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "id"], name="event_of_run"),
                    models.Index(fields=["workspace", "-id"], name="event_newest"),
                    models.Index(
                        condition=models.Q(("work__isnull", False)),
                        fields=["work", "id"],
                        name="event_of_work",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "status")),
                        fields=["workspace", "-id"],
                        name="status_event_newest",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Star",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stars",
                        to="runs.run",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stars",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "run"), name="star_once")],
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("value", models.TextField(blank=True, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
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
                ("rest", models.TextField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "key", "value", "-run"], name="tag_lookup")
                ],
                "constraints": [models.UniqueConstraint(fields=("run", "key"), name="tag_once")],
            },
        ),
        migrations.CreateModel(
            name="ExperimentEvent",
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
                    "experiment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="runs.experiment",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.workspace",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["experiment", "id"], name="event_of_experiment")],
            },
        ),
        migrations.CreateModel(
            name="ExperimentDescription",
            fields=[
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
            name="ExperimentStar",
            fields=[
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
                        fields=("user", "experiment"), name="experiment_star_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=40)),
                ("blob_key", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=255)),
                ("content_type", models.CharField(max_length=20)),
                ("n_bytes", models.BigIntegerField()),
                ("uploaded_by", models.CharField(max_length=200)),
                ("uploaded_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "digest"), name="attachment_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="AttachmentUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "attachment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="runs.attachment",
                    ),
                ),
                (
                    "experiment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="runs.experiment",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("attachment", "run"), name="attachment_of_run"),
                    models.UniqueConstraint(
                        fields=("attachment", "experiment"), name="attachment_of_experiment"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Dependency",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependencies",
                        to="runs.run",
                    ),
                ),
                (
                    "needs",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependents",
                        to="runs.run",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "dependencies",
                "constraints": [
                    models.UniqueConstraint(fields=("run", "needs"), name="dependency_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="StatusNews",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="news",
                        serialize=False,
                        to="runs.runevent",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "status news",
            },
        ),
        migrations.RunPython(forwards, backwards),
    ]
