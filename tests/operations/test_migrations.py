"""Squashed migrations make the same database as those they replace (docs/adr/0058)."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.postgres import address_of, database_of_its_own
from tests.prepared import ROOT, clean_environment, migrated

pytestmark = pytest.mark.data

# Where a database of an earlier version may stand: some apps at their ends, some on their way.
MIDDLE = [
    "accounts.0007_closed_workspaces",
    "alerts.0001_rules",
    "artifacts.0002_removals",
    "compute.0002_managed_targets",
    "custom_views.0001_custom_views",
    "lineage.0001_lineage",
    "metrics.0003_fewer_indexes",
    "runs.0014_status_news",
]
# Goes there by single migrations as an earlier version did, then does what an update does. Prints
# what was applied in the middle and at the end, and what is left to do for a database of an earlier
# version that has all single ones.
UPDATE = """
import json, sys
import django; django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

def applied():
    return sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations())

def forget_squashed():
    for key, migration in MigrationLoader(None).disk_migrations.items():
        if migration.replaces:
            MigrationRecorder(connection).record_unapplied(*key)

single = MigrationExecutor(connection)
single.loader = MigrationLoader(connection, replace_migrations=False)
single.migrate([tuple(name.split(".")) for name in sys.argv[1:]])
forget_squashed()
told = {"middle": applied()}
call_command("migrate", verbosity=0)
told["end"] = applied()
forget_squashed()
after = MigrationExecutor(connection)
plan = after.migration_plan(after.loader.graph.leaf_nodes())
print(json.dumps({**told, "left": [str(migration) for migration, _ in plan]}))
"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, of the kind that the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'single.sqlite3'}"
        return
    with database_of_its_own(is_empty=True) as name:
        yield address_of(name)


@pytest.fixture
def new() -> Iterator[str]:
    """The address of a database as a first start makes it."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{migrated()}"
        return
    with database_of_its_own() as name:
        yield address_of(name)


def update(address: str, home: Path) -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-c", UPDATE, *MIDDLE],
        cwd=ROOT,
        env={
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "studio.settings",
            "STUDIO_HOME": str(home),
            "DATABASE_URL": address,
        },
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return dict(json.loads(found.stdout))


def schema_of(address: str) -> list[str]:
    """Every table, index, constraint, trigger, virtual table and statistics object as SQL."""
    if address.startswith("sqlite"):
        return schema_of_file(Path(urlsplit(address).path))
    command = ["pg_dump", "--schema-only", "--no-owner", address]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    # A word of chance that guards psql.
    return [line for line in dump.splitlines() if not re.match(r"\\(un)?restrict ", line)]


def schema_of_file(path: Path) -> list[str]:
    """Columns are sorted: SQLite's copy of a table puts keys to itself last, which changes nothing
    as every statement names its columns. The indexes of runs come in the order in which they were
    made: of two that serve alike SQLite takes the later."""
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        indexes = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs_run' "
            "ORDER BY rowid"
        ).fetchall()
    database.close()
    made = [
        f"{kind} {name}: {'; '.join(sorted(columns_of(sql)) if kind == 'table' else [str(sql)])}"
        for kind, name, sql in rows
    ]
    return [*sorted(made), *(f"index of runs: {name}" for (name,) in indexes)]


def columns_of(sql: str) -> list[str]:
    """The columns and constraints of a CREATE TABLE; keys of several columns fall in two, and still
    tell their order, by the bracket."""
    return re.split(r', (?=["C])', sql.partition("(")[2].removesuffix(")"))


def test_an_update_from_the_middle_ends_where_a_new_database_begins(
    empty: str, new: str, tmp_path: Path
) -> None:
    told = update(empty, tmp_path)

    assert "runs.0014_status_news" in told["middle"]
    assert "runs.0015_experiment_titles" not in told["middle"]
    assert [name for name in told["middle"] if "_squashed_" in name] == []
    assert "runs.0019_plans" in told["end"]
    assert "runs.0001_squashed_0019_plans" in told["end"]
    assert told["left"] == []
    assert schema_of(empty) == schema_of(new)
