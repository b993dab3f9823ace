"""`manage.py move`: from SQLite to PostgreSQL with nothing changed on the way."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from studio.compute.models import Worker
from studio.metrics.seeding import Seeder
from studio.operations.moving import canonical, hash_of
from studio.runs.actions import describe_run
from studio.runs.models import Run
from tests import make
from tests.database import address_for_others
from tests.live.studio import ROOT
from tests.postgres import address_of, database_of_its_own
from tests.rows import _questions, all_rows
from tests.web.whole_world import make_world

pytestmark = pytest.mark.django_db(transaction=True)

# The same command, after somebody has changed a row on the other side before the comparison.
TAMPERED = """
import sys
import django; django.setup()
from django.core.management import call_command
from studio.operations import moving
whole = moving._set_sequences
def change_one(target, found):
    whole(target, found)
    with target.cursor() as cursor:
        cursor.execute("UPDATE runs_run SET display_name = display_name || '.'")
moving._set_sequences = change_one
call_command("move", to=sys.argv[1])
"""
# Prints what the command says when it refuses, for each address.
REFUSED = """
import sys
import django; django.setup()
from django.core.management import CommandError, call_command
for address in sys.argv[1:]:
    try:
        call_command("move", to=address)
    except CommandError as refused:
        print(refused)
"""


def silent(text: str) -> None:
    """Nobody is told how far it is."""


@pytest.fixture
def empty_database() -> Iterator[str]:
    with database_of_its_own(is_empty=True) as name:
        yield address_of(name)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """SQLite, whatever the tests run on."""
    if connection.vendor != "sqlite":
        pytest.fail("this test is for SQLite: it has no mark `data`")
    return str(tmp_path)


def moved(source: str, *to: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """`manage.py move`, on a copy of what the test's database holds now."""
    env = {**os.environ, "DATABASE_URL": address_for_others(Path(source))}
    command = ["-c", code, *to] if code else ["manage.py", "move", "--to", *to]
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True
    )


def test_every_row_is_the_same_or_nothing_is_moved(
    people: Any, source: str, empty_database: str
) -> None:
    world = make_world(people)
    Seeder(world.run.workspace, people.alice, seed=1).write(300, silent)
    describe_run(world.run, "ünïcode \t\\N \\. \x7f 𝄞", by=make.actor(people.alice))
    numbers = [1e22, 1e-7, 2.50, -0.0, 10**30, 1.7976931348623157e308]
    Run.objects.filter(pk=world.run.pk).update(error={"a": numbers, "b": "\\u0041"})
    refused = moved(source, f"sqlite:///{source}/x.sqlite3", empty_database, code=REFUSED)
    Worker.objects.update(stopped_at=timezone.now())
    before = all_rows()

    tampered = moved(source, empty_database, code=TAMPERED)
    left = sizes(empty_database)
    done = moved(source, empty_database)
    again = moved(source, empty_database, code=REFUSED)

    elsewhere, busy = refused.stdout.splitlines()
    assert "from sqlite to postgresql, not sqlite to sqlite" in elsewhere
    assert tampered.returncode != 0
    assert "runs_run differs" in tampered.stderr
    assert left["runs.run"] == left["accounts.user"] == 0
    assert "Stop the studio first" in busy
    assert done.returncode == 0, done.stderr
    assert "the same number and checksum on both sides" in done.stdout
    assert len([rows for rows in before.values() if rows]) > 30
    assert sizes(empty_database) == {label: len(rows) for label, rows in before.items()}
    assert "The target is not empty" in again.stdout
    with psycopg.connect(empty_database) as there:
        found = "SELECT count(*) FROM runs_runtext WHERE body LIKE '%%vision%%'"
        following = "SELECT nextval(pg_get_serial_sequence('runs_run', 'id'))"
        assert there.execute(found).fetchone()[0] > 0  # type: ignore[index]
        newest = max(row[0] for row in before["runs.run"])
        assert there.execute(following).fetchone() == (newest + 1,)
        kept = there.execute("SELECT text FROM runs_description WHERE run_id = %s", [world.run.pk])
        assert kept.fetchone() == ("ünïcode \t\\N \\. \x7f 𝄞",)


def sizes(address: str) -> dict[str, int]:
    """Label -> how many rows the table has there."""
    with psycopg.connect(address) as there:
        return {
            label: there.execute(f"SELECT count(*) FROM ({question}) AS x").fetchone()[0]  # type: ignore[index]
            for label, question in _questions().items()
        }


def test_the_same_json_in_other_letters_is_the_same() -> None:
    same = canonical(Run._meta.get_field("error"))

    assert same('{"b": 1.0, "a": 1e2}') == same('{"a": 100, "b": 1}')
    assert same('{"a": 0.1}') != same('{"a": 0.10000001}')
    assert same('{"a": null}') != same("null")
    assert hash_of([1, None]) != hash_of([1, ""])
