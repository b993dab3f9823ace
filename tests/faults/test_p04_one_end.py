"""P4: a terminal status is written once, whoever races for it: six requests and two reapers."""

import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.amount import dice, form, rounds
from tests.faults.conftest import Promise, brokers
from tests.faults.doors import at_once, by_api
from tests.faults.ledger import Ledger, ends_in
from tests.live.studio import ROOT, Studio

pytestmark = [pytest.mark.live, pytest.mark.faults]

WAYS = ["complete", "complete", "fail", "cancel", "cancel", "canceled"]
# For this reaper an hour has passed: every run looks silent for long enough to be lost.
REAPER = """
import sys
import django; django.setup()
from datetime import timedelta
from studio.execution.reaper import database_now, reap_silent
print("ready", flush=True)
for line in sys.stdin:
    n = reap_silent(database_now() + timedelta(hours=1))
    n += reap_silent(database_now() + timedelta(hours=1))
    print("reaped", n, flush=True)
"""


class Reaper:
    def __init__(self, studio: Studio) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", REAPER],
            cwd=ROOT,
            env={**studio.env, "DJANGO_SETTINGS_MODULE": "studio.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == ["ready"]

    def sweep(self) -> int:
        """Two sweeps; 200, like a request that was answered."""
        assert self.process.stdin is not None
        print("go", file=self.process.stdin, flush=True)
        assert self._read()[0] == "reaped"
        return 200

    def _read(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()


@contextmanager
def reapers(studio: Studio, n: int) -> Iterator[list[Reaper]]:
    made = [Reaper(studio) for _ in range(n)]
    try:
        yield made
    finally:
        for reaper in made:
            assert reaper.process.stdin is not None
            reaper.process.stdin.close()
            reaper.process.wait(20)


@brokers("embedded")
def test_a_terminal_status_is_written_once(
    calm_studio: Studio, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, codes = form(5, 500), Counter[int]()
    promise("P4 eight finishers race for one run", n=n, broker=broker)
    ledger, chance = Ledger.of(calm_studio, tmp_path), dice(f"race {broker}")
    with reapers(calm_studio, 2) as sweepers:
        # Few at a time, so that the sweeps come while requests are answered.
        for size in rounds(n, 3):
            runs = [begin(ledger) for _ in range(size)]
            calls = [partial(by_api, calm_studio, uid, way) for uid in runs for way in WAYS]
            calls += [sweeper.sweep for sweeper in sweepers]
            chance.shuffle(calls)
            codes.update(at_once(calls))
    ledger.check()
    assert set(codes) <= {200, 409}
    promise(answers=dict(codes), **winners(ledger))


def begin(ledger: Ledger) -> str:
    """A run without a worker, as a notebook begins one."""
    uid = uuid.uuid4().hex
    ledger.attempted.add(uid)
    body = {"uid": uid, "experiment": ledger.experiment, "start": True}
    ledger.studio.workspace._client.post("/runs", body)
    ledger.acknowledged.append(uid)
    return uid


def winners(ledger: Ledger) -> dict[str, object]:
    """Who wrote the end of each run: exactly one, which only «mark as failed» may follow."""
    won, n_marked = Counter[str](), 0
    for moves in ledger.histories().values():
        ends = ends_in(moves)
        assert len(ends) == 1 or ends == ["Completed", "Failed"], moves
        n_marked += len(ends) == 2
        is_lost = ("NotResponding", ends[0]) in moves
        won[f"{ends[0]} (was silent)" if is_lost else ends[0]] += 1
    return {"won": dict(won), "marked_as_failed_after": n_marked}
