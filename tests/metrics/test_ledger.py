"""No acknowledged point is lost, none is stored twice: processes and threads send and retry."""

import json
import os
import sqlite3
import subprocess
import sys
import uuid

import pytest
from django.db import connection

from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
N_PROCESSES, N_THREADS, N_BATCHES = 2, 2, 120


@pytest.fixture
def address(tmp_path):
    """A database several processes can open: PostgreSQL's own, or a file with SQLite's content."""

    def of():
        if connection.vendor == "postgresql":
            facts = connection.get_connection_params()
            user, host = facts.get("user", ""), facts.get("host", "")
            return f"postgres://{user}@{host}:{facts.get('port', 5432)}/{facts['dbname']}"
        path = tmp_path / "ledger.sqlite3"
        connection.ensure_connection()
        with sqlite3.connect(path) as copy:
            connection.connection.backup(copy)
        copy.close()
        return f"sqlite:///{path}"

    return of


def batches(process):
    """Single points and small groups for one shared metric and one of the process's own."""
    for i in range(N_BATCHES):
        first = (process * N_BATCHES + i) * 3
        n = 1 + i % 3
        columns = {"kind": "scalar", "times": [1.7e9 + first + k for k in range(n)]}
        columns |= {"steps": [first + k for k in range(n)]}
        columns |= {"values": [float(first + k) for k in range(n)]}
        names = ("shared", f"own{process}")
        metrics = [{"name": name, **columns} for name in names]
        yield {"batch": str(uuid.uuid4()), "metrics": metrics}


def stored(url, uid):
    """name -> (values by step, points the summary counts), read by a process of its own."""
    script = (
        "import django, json; django.setup()\n"
        "from studio.metrics.models import Metric\n"
        "from studio.metrics.series import points_of\n"
        f"metrics = Metric.objects.filter(run__uid={uid!r})\n"
        "print(json.dumps({m.name: [points_of(m).values.tolist(), m.n_points, m.max,\n"
        "      m.chunks.filter(is_open=True).count(), m.n_open_chunks] for m in metrics}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_what_was_acknowledged_is_stored_once(address):
    alice = make.user("alice")
    room = make.workspace("lab", owner=alice, contributor=make.user("bob"))
    run = make.run(make.experiment(room))
    url = address()
    sent = [list(batches(process)) for process in range(N_PROCESSES)]
    # Half of each process's batches also reach the server through the other process.
    processes = []
    for i in range(N_PROCESSES):
        doubled = sent[i] + sent[(i + 1) % N_PROCESSES][::2]
        task = {"run": run.uid, "batches": doubled, "n_threads": N_THREADS, "seed": i}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.metrics.sender"],
            env=os.environ | {"DATABASE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps(task))
        process.stdin.close()
        process.stdin = None
    acknowledged = set()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        acknowledged |= set(json.loads(output))
    everything = [batch for part in sent for batch in part]
    assert acknowledged == {batch["batch"] for batch in everything}

    expected = sorted(v for batch in everything for v in batch["metrics"][0]["values"])
    found = stored(url, run.uid)
    values, n_points, largest, n_open, n_open_told = found["shared"]
    assert values == expected
    assert (n_points, largest) == (len(expected), expected[-1])
    assert n_open == n_open_told <= 64
    for i in range(N_PROCESSES):
        own = sorted(v for batch in sent[i] for v in batch["metrics"][0]["values"])
        assert found[f"own{i}"][:2] == [own, len(own)]
