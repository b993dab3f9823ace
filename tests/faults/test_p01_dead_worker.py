"""P1: a dead worker, guard or script never leaves a run running. P2: nor does a worker that died
between its claim and its first beat."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.amount import dice, form, rounds
from tests.faults.conftest import SLOW, Promise, brokers
from tests.faults.crew import Crew, folder_of
from tests.faults.ledger import BOOK, Ledger, living
from tests.live.faults import rows
from tests.live.studio import Studio, write_script
from tests.live.test_main_job import log_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

AT_ONCE = 5
# Its child is in a session of its own: out of reach of a signal to the script's group.
TICKING = BOOK + (
    "import subprocess\n"
    "subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    "for i in range(600):\n"
    "    os.write(1, f'tick {i}\\n'.encode())\n"
    "    note('tick', i)\n"
    "    time.sleep(0.1)\n"
)
BRIEF = BOOK + "print('ran')\ntime.sleep(1)\n"


def begin(ledger: Ledger, crew: Crew, source: Path, n: int, chance: random.Random) -> list[str]:
    """n runs that tick, at a random moment after all of them began."""
    runs = ledger.submit(source, n=n, target=crew.target)
    wait_until(lambda: begun(ledger, runs), 60, "all to begin")
    moment = len(ledger.effects.lines("tick")) + chance.randrange(20 * n)
    wait_until(lambda: len(ledger.effects.lines("tick")) >= moment, 60, "the moment")
    return runs


def begun(ledger: Ledger, runs: list[str]) -> bool:
    return {line.run for line in ledger.effects.lines("tick")} >= set(runs)


def ticks_in_log(studio: Studio, uid: str) -> int:
    """How many ticks the log holds; they must be the first ones, each once, in their order."""
    lines = [ln for ln in log_of(studio.workspace.get_run(uid)).splitlines() if "tick" in ln]
    assert lines == [f"tick {i}" for i in range(len(lines))]
    return len(lines)


def shown(studio: Studio, runs: list[str]) -> dict[str, int]:
    return {uid: ticks_in_log(studio, uid) for uid in runs}


def printed(ledger: Ledger, runs: list[str]) -> dict[str, int]:
    return {uid: len(ledger.effects.lines("tick", uid)) for uid in runs}


def logs_add_up(ledger: Ledger, known: dict[str, int]) -> None:
    """What was known to be written before the fault is in the log, and nothing that never was."""
    for uid, n_ticks in shown(ledger.studio, list(known)).items():
        # The script writes to its log first and to the book then: one tick may be in between.
        assert known[uid] <= n_ticks <= len(ledger.effects.lines("tick", uid)) + 1


def all_failed(ledger: Ledger, runs: list[str], since: float) -> float:
    """Wait until the runs are over, each with a reason; the seconds that the last one took."""
    statuses = ledger.all_ended(SLOW)
    took_s = time.monotonic() - since
    assert {statuses[uid] for uid in runs} == {"Failed"}
    assert all(reason_of(ledger.studio, uid) for uid in runs)
    wait_until(lambda: living(ledger.studio, runs) == [], 15, "the processes to be gone")
    return took_s


def reason_of(studio: Studio, uid: str) -> str:
    return str(studio.workspace.get_run(uid)._fetch()["status_reason"])


def the_slot_is_free(ledger: Ledger, crew: Crew, folder: Path) -> None:
    (after,) = ledger.submit(write_script(folder, BRIEF), n=1, target=crew.target)
    assert ledger.all_ended(SLOW)[after] == "Completed"


@brokers("redis")
@pytest.mark.parametrize("returns", [True, False], ids=["it returns", "it never returns"])
def test_runs_of_a_killed_worker_end_with_a_reason_and_their_log(
    studio: Studio, crew: Crew, ledger: Ledger, promise: Promise, broker: str, tmp_path: Path,
    returns: bool,
) -> None:  # fmt: skip
    n, slowest_s = form(5, 50), 0.0
    promise(f"P1 worker killed, {'returns' if returns else 'stays away'}", n=n, broker=broker)
    chance, source = dice(f"worker {broker} {returns}"), write_script(tmp_path / "src", TICKING)
    for size in rounds(n, AT_ONCE):
        crew.ready()
        runs = begin(ledger, crew, source, size, chance)
        in_log, written = shown(studio, runs), printed(ledger, runs)
        crew.kill()
        killed = time.monotonic()
        if returns:
            crew.ready()
        slowest_s = max(slowest_s, all_failed(ledger, runs, killed))
        # What was not shipped yet waits in the folder of the worker. If that comes too late, the
        # run was closed without it.
        lost = {uid for uid in runs if "Lost:" in reason_of(studio, uid)}
        assert returns or lost == set(runs)
        logs_add_up(ledger, {uid: (in_log if uid in lost else written)[uid] for uid in runs})
    if returns:
        the_slot_is_free(ledger, crew, tmp_path / "after")
    ledger.check()
    promise(terminal=f"{n}/{n}", slowest_s=slowest_s, orphans=0)


@brokers("redis")
def test_runs_of_a_killed_guard_or_script_end_with_a_reason_and_their_log(
    crew: Crew, ledger: Ledger, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, slowest_s = form(5, 50), 0.0
    promise("P1 guard killed, script killed", n=f"2x{n}", broker=broker)
    chance, source = dice(f"guard {broker}"), write_script(tmp_path / "src", TICKING)
    crew.ready()
    for size in rounds(2 * n, AT_ONCE):
        runs = begin(ledger, crew, source, size, chance)
        guards, killed = crew.guards(), time.monotonic()
        known, guardless = {}, set()
        for uid in runs:
            (line,) = ledger.effects.lines("start", uid)
            if chance.random() < 0.5:
                guardless.add(uid)
                known.update(shown(ledger.studio, [uid]))
                guards[folder_of(line.attempt)].send_signal(signal.SIGKILL)
            else:
                known.update(printed(ledger, [uid]))
                os.kill(line.pid, signal.SIGKILL)
        slowest_s = max(slowest_s, all_failed(ledger, runs, killed))
        logs_add_up(ledger, known)
        for uid in runs:
            wanted = "guard" if uid in guardless else "SIGKILL"
            assert wanted in reason_of(ledger.studio, uid)
    the_slot_is_free(ledger, crew, tmp_path / "after")
    ledger.check()
    promise(terminal=f"{2 * n}/{2 * n}", slowest_s=slowest_s, orphans=0)


@brokers("redis")
def test_runs_claimed_by_a_worker_that_dies_before_its_first_beat_end(
    studio: Studio, crew: Crew, ledger: Ledger, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, slowest_s, n_held = form(5, 20), 0.0, 0
    promise("P2 worker killed before its first beat", n=n, broker=broker)
    chance, source = dice(f"claim {broker}"), write_script(tmp_path / "src", BRIEF)
    if "first" in crew.workers:
        crew.kill()
    for number, size in enumerate(rounds(n, AT_ONCE)):
        # Its second beat would come in ten minutes: none of its runs is ever heard of by one.
        mute, wanted = f"mute{number}", chance.randrange(1, size + 1)
        crew.start(mute, STUDIO_WORKER_BEAT_S="600")
        crew.pause(mute)
        ledger.submit(source, n=size, target=crew.target)
        crew.go_on(mute)
        has_claimed = partial(holds, studio, crew, mute, wanted)
        wait_until(has_claimed, 30, "a claim", every_s=0)
        crew.kill(mute)
        killed = time.monotonic()
        n_held += held(studio, crew, mute)
        crew.ready()
        ledger.all_ended(SLOW)
        slowest_s = max(slowest_s, time.monotonic() - killed)
        crew.kill()
    ledger.check()
    statuses = list(ledger.statuses().values())
    assert n_held >= 1
    assert statuses.count("Canceled") == 0
    promise(terminal=f"{n}/{n}", held_when_killed=n_held, slowest_s=slowest_s,
            begun_by_the_next=statuses.count("Completed"))  # fmt: skip


def holds(studio: Studio, crew: Crew, node: str, n: int) -> bool:
    return held(studio, crew, node) >= n


def held(studio: Studio, crew: Crew, node: str) -> int:
    """How many jobs the worker has claimed and not closed."""
    query = "SELECT COUNT(*) FROM compute_job WHERE node = ? AND closed_at IS NULL"
    ((n,),) = rows(studio, query, f"{crew.target}-{node}")
    return int(n)
