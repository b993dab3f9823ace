"""P15: a cancel reaches every process of a run, also deaf, silent and detached ones."""

import time
import uuid
from pathlib import Path

import pytest

from tests.amount import dice, form, rounds
from tests.faults.conftest import SLOW, Promise, brokers
from tests.faults.ledger import BOOK, Ledger, with_argument
from tests.live.studio import Studio, write_script
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

GRACE_S = 1.0
WITHIN_S = 15.0
# Prints nothing, ignores what can be ignored, and starts a child in each way out of the tree. Each
# process carries the mark in its arguments: it keeps that without environment, session or parent.
STUBBORN = (
    BOOK
    + """
import signal, subprocess
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
mark = sys.argv[2]
program = [sys.executable, "-S", "-c", "import time; time.sleep(600)", mark]
def fork_twice(session, env):
    if os.fork() == 0:
        if session:
            os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, program, env)
        os._exit(0)
    os.wait()
subprocess.Popen(program)
subprocess.Popen(program, start_new_session=True)
subprocess.Popen(program, env={})
subprocess.Popen(program, env={}, start_new_session=True)
fork_twice(False, dict(os.environ))
fork_twice(True, dict(os.environ))
fork_twice(True, {})
note("ready")
while True:
    time.sleep(1)
"""
)
N_PROCESSES = 8


@brokers("embedded")
def test_every_way_to_end_a_run_ends_its_whole_tree(
    calm_studio: Studio, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, slowest_s = form(5, 50), 0.0
    promise("P15 stubborn, silent, detached trees", n=n, broker=broker)
    ledger, source = Ledger.of(calm_studio, tmp_path), write_script(tmp_path / "src", STUBBORN)
    chance = dice(f"tree {broker}")
    for size in rounds(n, 2):
        marks = {}
        for _ in range(size):
            mark = f"mark-{uuid.uuid4().hex}"
            (uid,) = ledger.submit(source, n=1, target="local", arguments=[mark], grace_s=GRACE_S)
            marks[uid] = mark
        slowest_s = max(slowest_s, end_trees(ledger, marks, chance.choice(WAYS)))
    ledger.check()
    assert set(ledger.statuses().values()) == {"Canceled"}
    promise(processes_left=0, of=n * N_PROCESSES, slowest_s=slowest_s)


WAYS = ["cancel", "kill", "cancel, then kill"]


def end_trees(ledger: Ledger, marks: dict[str, str], way: str) -> float:
    """End runs that are all there; the seconds until the last process of them was gone."""
    assert_all_there(ledger, marks)
    began = time.monotonic()
    for uid in marks:
        run = ledger.studio.workspace.get_run(uid)
        for verb in way.split(", then "):
            run._client.post(f"/runs/{uid}/{verb}", {})
    wait_until(lambda: left_of(marks) == [], WITHIN_S, "every process to be gone")
    took_s = time.monotonic() - began
    ledger.all_ended(SLOW)
    assert left_of(marks) == []
    return took_s


def assert_all_there(ledger: Ledger, marks: dict[str, str]) -> None:
    ready = "the trees to stand"
    wait_until(lambda: {x.run for x in ledger.effects.lines("ready")} >= set(marks), 60, ready)
    wait_until(lambda: len(left_of(marks)) == len(marks) * N_PROCESSES, 30, ready)


def left_of(marks: dict[str, str]) -> list[int]:
    return [pid for mark in marks.values() for pid in with_argument(mark)]


@brokers("embedded")
def test_a_killed_worker_takes_the_whole_tree_with_it(
    calm_studio: Studio, promise: Promise, broker: str, tmp_path: Path
) -> None:
    promise("P15 the same, worker killed", n=2, broker=broker)
    ledger, source = Ledger.of(calm_studio, tmp_path), write_script(tmp_path / "src", STUBBORN)
    marks = {}
    for _ in range(2):
        mark = f"mark-{uuid.uuid4().hex}"
        (uid,) = ledger.submit(source, n=1, target="local", arguments=[mark])
        marks[uid] = mark
    assert_all_there(ledger, marks)
    worker = calm_studio.child("worker")
    worker.kill()
    began = time.monotonic()
    wait_until(lambda: left_of(marks) == [], WITHIN_S, "every process to be gone")
    took_s = time.monotonic() - began
    assert set(ledger.all_ended(SLOW).values()) == {"Failed"}
    ledger.check()
    promise(processes_left=0, of=2 * N_PROCESSES, slowest_s=took_s)
