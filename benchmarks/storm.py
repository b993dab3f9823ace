"""A cancel storm: many runs cancelled at once while somebody reads the list of runs."""

import json
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.client import Api, Browser
from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

N_CLIENTS = 4
IDLE_S = 5.0
PATIENCE_S = 180.0
BETWEEN_PAGES_S = 0.02
LIST_PAGE = "/w/default/runs"
# A script as light as can be, with a number that no other process has among its words.
SUBMIT = """
from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor
from studio.runs.actions import NewRun, Submission, ensure_experiment
from studio.runs.actions.create import create_runs
by = Actor.of_user(User.objects.get(username="admin"))
experiment, _ = ensure_experiment(Workspace.objects.get(name="default"), "{name}", by=by)
sleep = Submission(target="local", snapshot="", command=["sleep", "{seconds}"])
runs = create_runs(experiment, [NewRun(submit=sleep)] * {n}, by=by, parent=None)
print(" ".join(run.uid for run in runs))
"""


@dataclass(frozen=True, slots=True)
class Storm:
    """What one storm did. `ends`: run -> how often a terminal status was written."""

    uids: Sequence[str]
    seconds: float
    answered_s: float
    idle: Sample
    during: Sample
    statuses: dict[str, int]
    ends: dict[str, int]
    n_left: int
    cpu_s: float

    @property
    def ratio(self) -> float:
        """p95 of the list page during the storm over that before it."""
        return self.during.p95 / self.idle.p95


def measure(options: Options) -> Group:
    """Timed: the first request sent to the last run Canceled; the list page before and during."""
    n_running, n_queued = options.n_storm_running, options.n_storm_queued
    rows: list[Row] = []
    notes: list[str] = []
    for name, cancel in WAYS.items():
        folder = options.folder / f"storm-{cancel.__name__}"
        with studio_for(folder, n_running) as studio:
            found = storm(studio, cancel, n_running=n_running, n_queued=n_queued)
        rows += rows_of(name, found)
        notes.append(
            f"{name}: {found.statuses}, {found.n_left} processes left, "
            f"{found.cpu_s:.1f} s of CPU in web, worker and guards"
        )
    return Group(
        "Cancel storm",
        f"{n_running} running and {n_queued} queued runs cancelled at once, first request to last "
        f"Canceled; one worker, the embedded broker, SQLite. The limit of a page is its p95 before "
        f"the storm. Single requests come from {N_CLIENTS} clients, each as fast as it can.",
        rows,
        notes,
    )


def rows_of(name: str, found: Storm) -> list[Row]:
    n = len(found.uids)
    return [
        Row(f"{name}: until all are Canceled", "s", n, found.seconds, target=Target(60)),
        Row(f"{name}: until all are answered", "s", n, found.answered_s),
        Row.of_sample("– the list page before", found.idle),
        Row.of_sample("– the list page meanwhile", found.during),
        Row("– p95 meanwhile / before", "×", found.during.n, found.ratio, target=Target(2)),
    ]


def storm(
    studio: Studio,
    cancel: Callable[[Studio, Sequence[str]], None],
    *,
    n_running: int,
    n_queued: int,
) -> Storm:
    """Submit, wait until the first of them run, cancel all with `cancel`, wait for the last end."""
    n, name = n_running + n_queued, cancel.__name__.replace("_", "-")
    seconds = f"9{time.time_ns() % 10**8}"
    code = SUBMIT.format(name=name, seconds=seconds, n=n)
    uids = studio.shell(code).splitlines()[-1].split()
    wait_for(lambda: statuses_of(studio).get("Running", 0) == n_running, "the runs to run")
    wait_for(lambda: len(processes(seconds)) == n_running, "the processes to begin")
    browser = studio.browser()
    read(browser, lambda s: s >= 1.0)  # not measured
    idle = read(browser, lambda s: s >= IDLE_S)
    began, cpu_s = time.perf_counter(), cpu_of(studio)
    answered: list[float] = []
    asking = threading.Thread(
        target=lambda: (cancel(studio, uids), answered.append(time.perf_counter() - began))
    )
    asking.start()
    during = read(browser, lambda s: s > PATIENCE_S or is_over(studio))
    over_s = time.perf_counter() - began
    asking.join()
    return Storm(
        uids,
        over_s,
        answered[0],
        Sample(idle),
        Sample(during),
        statuses_of(studio),
        ends_of(studio),
        len(processes(seconds)),
        cpu_of(studio) - cpu_s,
    )


def read(browser: Browser, is_enough: Callable[[float], bool]) -> list[float]:
    """Read the list page again and again, as one person would; the time of each in ms."""
    began, times_ms = time.perf_counter(), []
    while not times_ms or not is_enough(time.perf_counter() - began):
        asked = time.perf_counter()
        browser.page(LIST_PAGE)
        times_ms.append((time.perf_counter() - asked) * 1e3)
        time.sleep(BETWEEN_PAGES_S)
    return times_ms


# ------------------------------------------------------------ the ways to cancel
def as_one_request(studio: Studio, uids: Sequence[str]) -> None:
    """Bulk, and wait for its report."""
    api = studio.api()
    asked = {"action": "cancel", "selection": {"uids": list(uids)}, "arguments": {}}
    made = api.post("/bulk", asked)
    report = "/work" + f"/{made['id']}"
    wait_for(lambda: bool(api.get(report)["ended_at"]), "the bulk cancel", 0.1)


def as_single_requests(studio: Studio, uids: Sequence[str]) -> None:
    """N_CLIENTS processes, so that what they compute is not in the way of who measures; in the
    order of the list, the newest first: what waits is withdrawn before a place becomes free."""
    config, newest_first = json.dumps(studio.config), list(reversed(uids))
    context = multiprocessing.get_context("spawn")
    clients = [
        context.Process(target=cancel_each, args=(studio.port, config, newest_first[at::N_CLIENTS]))
        for at in range(N_CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        if client.exitcode:
            raise RuntimeError("a client failed")


def cancel_each(port: int, config: str, uids: Sequence[str]) -> None:
    known = json.loads(config)
    api = Api(port, known["workspace"], known["token"])
    for uid in uids:
        api.post(f"/runs/{uid}/cancel", {})


WAYS: dict[str, Callable[[Studio, Sequence[str]], None]] = {
    "one bulk request": as_one_request,
    "single requests": as_single_requests,
}


# ------------------------------------------------------------ what became of it
def cpu_of(studio: Studio) -> float:
    """CPU seconds of web and worker so far, with those of their children that have ended."""
    total = 0.0
    for process in studio.processes.values():
        root = psutil.Process(process.pid)
        total += sum(root.cpu_times()[:4])
        for child in root.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
    return total


def rows_from(studio: Studio, query: str) -> list[Any]:
    path = f"file:{studio.database}?mode=ro"
    with closing(sqlite3.connect(path, uri=True, timeout=20)) as connection:
        return connection.execute(query).fetchall()


def statuses_of(studio: Studio) -> dict[str, int]:
    return dict(rows_from(studio, "SELECT status, COUNT(*) FROM runs_run GROUP BY status"))


def is_over(studio: Studio) -> bool:
    return set(statuses_of(studio)) <= {"Completed", "Failed", "Canceled"}


def ends_of(studio: Studio) -> dict[str, int]:
    ends = (
        "SELECT r.uid, COUNT(*) FROM runs_runevent e JOIN runs_run r ON r.id = e.run_id WHERE "
        """e.kind = 'status' AND e.after IN ('"Completed"', '"Failed"', '"Canceled"') GROUP BY 1"""
    )
    return dict(rows_from(studio, ends))


def processes(seconds: str) -> list[int]:
    """The live processes called with that word."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if words[:1] == ["sleep"] and seconds in words:
            found.append(process.pid)
    return found


def wait_for(check: Callable[[], bool], what: str, every_s: float = 0.2) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:g} s for {what}")
        time.sleep(every_s)


def studio_for(folder: Path, n_slots: int) -> Studio:
    """Prepared, with a worker for so many runs; the grace period is short."""
    return Studio(folder, worker=True, n_slots=n_slots, STUDIO_GRACE_S="2").prepare()
