"""What lists sort by gets columns and indexes: children, first tag, start of the description."""

from typing import Any

from django.db import migrations, models

LISTED = models.Q(deleted_at=None, archived_at=None)
# One UPDATE for all three: each writes every index of a run anew. Of tags as
# `searchtext.first_tag_of`, sorted by code points; of descriptions as `searchtext.start_of`.
_FILL = """
UPDATE runs_run
SET n_children = found.n, first_tag = found.tag, description_start = found.start
FROM (
  SELECT run.id, counted.n, nullif({start}, '') AS start, substr(
    CASE WHEN coalesce(tag.value, '') = '' THEN tag.key ELSE tag.key || ': ' || tag.value END, 1, 80
  ) AS tag
  FROM runs_run AS run
  LEFT JOIN (
    SELECT parent_id, count(*) AS n FROM runs_run
    WHERE parent_id IS NOT NULL AND deleted_at IS NULL GROUP BY parent_id
  ) AS counted ON counted.parent_id = run.id
  LEFT JOIN (
    SELECT run_id, min(key{collate}) AS key FROM runs_tag GROUP BY run_id
  ) AS first ON first.run_id = run.id
  LEFT JOIN runs_tag AS tag ON tag.run_id = first.run_id AND tag.key = first.key
  LEFT JOIN runs_description AS described ON described.run_id = run.id
) AS found
WHERE found.id = runs_run.id
  AND (found.n IS NOT NULL OR found.tag IS NOT NULL OR found.start IS NOT NULL)
"""
_POSTGRESQL_START = (
    r"rtrim(left(btrim(regexp_replace(left(described.text, 1600), '\s+', ' ', 'g')), 80))"
)


def fill(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    on_sqlite = connection.vendor == "sqlite"
    start, collate = "studio_start(described.text)", ""
    if on_sqlite:
        connection.ensure_connection()
        connection.connection.create_function("studio_start", 1, _start, deterministic=True)
    else:
        start, collate = _POSTGRESQL_START, ' COLLATE "C"'
    sql = _FILL.format(start=start, collate=collate)
    with connection.cursor() as cursor:
        cursor.execute(sql)
        if not on_sqlite:
            # Indexes can't be made while checks of foreign keys wait for the end.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _start(text: str | None) -> str | None:
    return None if text is None else " ".join(text[:1_600].split())[:80].rstrip()


def index(column: str, name: str, *more: str) -> migrations.AddIndex:
    fields = ["workspace", column, *more, "-id"]
    return migrations.AddIndex("run", models.Index(fields=fields, name=name, condition=LISTED))


class Migration(migrations.Migration):
    dependencies = [("runs", "0007_family_indexes")]
    operations = [
        migrations.AddField("run", "n_children", models.IntegerField(blank=True, null=True)),
        migrations.AddField(
            "run", "first_tag", models.CharField(blank=True, max_length=80, null=True)
        ),
        migrations.AddField(
            "run", "description_start", models.CharField(blank=True, max_length=80, null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveIndex("run", "run_status_newest"),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["workspace", "status", "-created_at", "-id", "parent"],
                name="run_listed_status",
                condition=LISTED,
            ),
        ),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["experiment", "number", "-id"],
                name="run_experiment_number",
                condition=LISTED,
            ),
        ),
        index("type", "run_type_newest", "-created_at"),
        index("number", "run_by_number"),
        migrations.AddIndex(
            "run",
            models.Index(fields=["workspace", "n_children", "-id"], name="run_by_children"),
        ),
        index("first_tag", "run_by_first_tag"),
        index("description_start", "run_by_description"),
    ]
