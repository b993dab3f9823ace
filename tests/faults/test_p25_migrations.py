"""P25: the database's tables change while others write; programs wait, or send again, and lose
nothing."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Promise
from tests.faults.trainings import LONG, Client
from tests.live.conftest import show_log
from tests.live.studio import ROOT, Studio
from tests.postgres import address_of, database_of_its_own
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

N_POINTS = 20_000 if LONG else 500
DATABASES = ["sqlite", "postgresql"] if LONG else ["sqlite"]
# What a migration does: a new column, a new index, both in one transaction; and back.
CHANGE = """
import django; django.setup()
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

state = MigrationLoader(connection).project_state()
index = models.Index(fields=["status_at"], name="tried_at")
steps = [
    [migrations.AddField("run", "tried", models.TextField(null=True)),
     migrations.AddIndex("run", index)],
    [migrations.RemoveIndex("run", "tried_at"), migrations.RemoveField("run", "tried")],
]
for operations in steps:
    change = migrations.Migration("tried", "runs")
    change.operations = operations
    with connection.schema_editor(atomic=True) as editor:
        state = change.apply(state, editor)
"""


@pytest.fixture(params=DATABASES)
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    with contextlib.ExitStack() as stack:
        environment = {}
        if request.param == "postgresql":
            environment["DATABASE_URL"] = address_of(stack.enter_context(database_of_its_own()))
        made = Studio(tmp_path / "studio", **environment).start()
        yield made
        made.stop()
        show_log(made)


def test_tables_change_beside_writers_and_nothing_is_lost(studio: Studio, promise: Promise) -> None:
    promise("P25", "tables change beside writers", n=2 * N_POINTS)
    clients = [Client(studio, f"value{i}", N_POINTS) for i in range(2)]
    wait_until(lambda: all(client.n_acknowledged() for client in clients), 60, "first answers")
    n_changes, took_s = 0, []
    env = {**studio.env, "DJANGO_SETTINGS_MODULE": "studio.settings"}
    while n_changes == 0 or any(client.process.poll() is None for client in clients):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", CHANGE], cwd=ROOT, env=env, check=True, timeout=120)
        took_s.append(time.monotonic() - began)
        n_changes += 1
    for client in clients:
        client.check()
    assert " 500 " not in studio.log.read_text()
    print(f"{n_changes} changes and back beside two writers, {max(took_s):.1f} s at most")
