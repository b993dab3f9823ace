"""Trigram search over `RunText.body`: an FTS5 mirror on SQLite, a GIN index on PostgreSQL."""

from typing import Any

from django.db import migrations

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


def run_all(schema_editor: Any, sqlite: list[str], postgresql: list[str]) -> None:
    on_sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in sqlite if on_sqlite else postgresql:
        schema_editor.execute(statement)


def forwards(apps: Any, schema_editor: Any) -> None:
    run_all(schema_editor, SQLITE, POSTGRESQL)


def backwards(apps: Any, schema_editor: Any) -> None:
    run_all(schema_editor, SQLITE_BACK, POSTGRESQL_BACK)


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
