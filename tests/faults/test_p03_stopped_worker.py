"""P3: one execution per attempt. A worker is stopped until its runs were given up, then goes on."""

import os
from pathlib import Path

import pytest

from tests.amount import dice, form, rounds
from tests.faults.conftest import SLOW, Promise, brokers
from tests.faults.crew import Crew
from tests.faults.ledger import BOOK, Ledger, living
from tests.live.faults import large_source, rows
from tests.live.studio import Studio, write_script
from tests.live.test_main_job import log_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

AT_ONCE = 5
# Silent until it is told that its run was given up; then it writes as if nothing had happened.
LATE = (
    BOOK
    + """
import json, urllib.error, urllib.request, uuid
def send(i):
    series = {"name": "value", "kind": "scalar"}
    series.update(times=[time.time()], values=[i], steps=[i])
    request = urllib.request.Request(
        f"{os.environ['STUDIO_URL']}/api/v1/workspaces/{os.environ['STUDIO_WORKSPACE']}"
        f"/runs/{os.environ['STUDIO_RUN_ID']}/batches",
        data=json.dumps({"batch": uuid.uuid4().hex, "metrics": [series]}).encode(),
        headers={"Authorization": f"Bearer {os.environ['STUDIO_TOKEN']}",
                 "Content-Type": "application/json"},
    )
    note("send", i)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            note("answer", f"{i} {answer.status}")
    except urllib.error.HTTPError as refused:
        note("answer", f"{i} {refused.code}")
for i in range(3):
    send(i)
    print("tick", i, flush=True)
note("ready")
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
for i in range(3, 600):
    send(i)
    print("tick", i, flush=True)
    time.sleep(0.1)
"""
)
BRIEF = BOOK + "print('ran')\n"


def answers(ledger: Ledger, uid: str) -> dict[int, int]:
    """Point -> the status code of its answer."""
    lines = [line.more.split() for line in ledger.effects.lines("answer", uid)]
    return {int(point): int(code) for point, code in lines}


@brokers("redis")
def test_a_stopped_worker_that_goes_on_ends_its_processes_and_writes_nothing(
    crew: Crew, ledger: Ledger, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n, codes = form(5, 50), set()
    promise("P3 worker stopped while scripts run", n=n, broker=broker)
    source = write_script(tmp_path / "src", LATE)
    for number, size in enumerate(rounds(n, AT_ONCE)):
        crew.ready()
        codes |= stopped_while_running(crew, ledger, source, size, tmp_path / f"late-{number}")
    ledger.check()
    assert set(ledger.statuses().values()) == {"Failed"}
    promise(stray_points=0, starts_per_attempt=1, late_answers=sorted(codes))


def stopped_while_running(crew: Crew, ledger: Ledger, source: Path, n: int, late: Path) -> set[int]:
    """Stop the worker, wait until its runs were given up, let their scripts write, let it go on.
    The status codes that the late writes got."""
    studio = ledger.studio
    runs = ledger.submit(source, n=n, target=crew.target, arguments=[late])
    # Nothing is on its way when the worker stops: what comes later is written later.
    wait_until(lambda: all("tick 2" in log for log in logs_of(studio, runs).values()), 60, "begun")
    crew.pause()
    try:
        assert set(ledger.all_ended(SLOW).values()) == {"Failed"}
        logs = logs_of(studio, runs)
        late.touch()
        # Nobody but the stopped worker can reach them: they live, and they write.
        wait_until(lambda: all(len(answers(ledger, uid)) > 3 for uid in runs), 30, "late writes")
    finally:
        crew.go_on()
    wait_until(lambda: living(studio, runs) == [], 20, "the fenced processes to end")
    assert logs_of(studio, runs) == logs
    return {code for uid in runs for code in late_writes_are_refused(studio, ledger, uid)}


def logs_of(studio: Studio, runs: list[str]) -> dict[str, str]:
    return {uid: log_of(studio.workspace.get_run(uid)) for uid in runs}


def late_writes_are_refused(studio: Studio, ledger: Ledger, uid: str) -> set[int]:
    """Points: acknowledged ⊆ stored ⊆ attempted, none of those after the end; their answers."""
    told = answers(ledger, uid)
    values = studio.workspace.get_run(uid).get_metrics()["value"]
    stored = {int(value) for value in values}
    assert len(values) == len(stored)
    acknowledged = {point for point, code in told.items() if code == 200}
    attempted = {int(line.more) for line in ledger.effects.lines("send", uid)}
    assert acknowledged <= stored <= attempted
    assert stored == {0, 1, 2}
    refusals = {code for point, code in told.items() if point >= 3}
    assert refusals
    assert refusals <= {401, 403, 404, 409, 410}
    return refusals


@brokers("redis")
def test_a_worker_stopped_before_it_began_starts_nothing_that_another_took_over(
    crew: Crew, ledger: Ledger, promise: Promise, broker: str, tmp_path: Path
) -> None:
    n = form(5, 50)
    promise("P3 worker stopped before scripts begin", n=n, broker=broker)
    chance, source = dice(f"stopped {broker}"), large_source(tmp_path / "src", BRIEF)
    crew.ready()
    crew.ready("second")
    for size in rounds(n, AT_ONCE):
        stopped_while_preparing(crew, ledger, source, size, chance.randrange(1, size + 1))
    ledger.check()
    moves = [[after for _, after in moves] for moves in ledger.histories().values()]
    n_again = sum(statuses.count("Queued") > 1 for statuses in moves)
    assert n_again >= 1
    n_completed = list(ledger.statuses().values()).count("Completed")
    promise(starts_per_attempt=1, queued_again=n_again, completed=n_completed)


def stopped_while_preparing(
    crew: Crew, ledger: Ledger, source: Path, n: int, n_preparing: int
) -> None:
    """Stop the worker with so many of its runs in preparation, let another take them over, then
    let it go on."""
    crew.pause("second")
    crew.pause()
    runs = ledger.submit(source, n=n, target=crew.target)
    crew.go_on()
    wait_until(lambda: preparing(crew) >= n_preparing, 60, "runs in preparation", every_s=0)
    crew.pause()
    crew.go_on("second")
    try:
        ledger.all_ended(SLOW)
    finally:
        crew.go_on()
    wait_until(lambda: living(ledger.studio, runs) == [], 20, "the fenced processes to end")
    folders = ledger.studio.folder / "home" / "runs"
    wait_until(lambda: not os.listdir(folders), 30, "the fenced folders to go")


def preparing(crew: Crew) -> int:
    """How many runs the first worker prepares."""
    query = (
        "SELECT COUNT(*) FROM runs_run r JOIN compute_job j ON j.id = r.job_id"
        " WHERE j.closed_at IS NULL AND r.status = 'Preparing' AND j.node = ?"
    )
    ((n,),) = rows(crew.studio, query, f"{crew.target}-first")
    return int(n)
