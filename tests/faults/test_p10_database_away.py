"""P10 and P11: the database away below a studio that runs, and the database locked. Trainers go on
and lose nothing; nobody sees another failure than 503 with a time to come back."""

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from psycopg import sql

from studio.sdk import Experiment
from studio.wire import Batch, Series
from tests.amount import IS_LONG, form
from tests.faults.conftest import Promise
from tests.faults.doors import Person
from tests.faults.programs import Program
from tests.live.conftest import show_log
from tests.live.faults import locked_database
from tests.live.studio import Studio
from tests.postgres import SERVER, address_of, database_of_its_own
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

AWAY_S = form(4, 120)
LOCKED_S = form(3, 15)
PER_SECOND = 20
MOST_GROWTH_BYTES = 64 << 20


class Postgres:
    """A studio's database on the tests' server, which can be taken away and locked."""

    def __init__(self, name: str) -> None:
        self.name, self.url = name, address_of(name)

    def let_in(self, yes: bool) -> None:
        """Whether anybody may connect; those who are connected are thrown out."""
        with psycopg.connect(SERVER, autocommit=True) as server:
            words = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
            server.execute(words.format(sql.Identifier(self.name), sql.Literal(yes)))
            thrown = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            server.execute(thrown, [self.name])

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self.let_in(False)
        try:
            yield
        finally:
            self.let_in(True)

    @contextlib.contextmanager
    def locked(self, uid: str) -> Iterator[None]:
        """Somebody holds the row of this run."""
        with psycopg.connect(self.url) as holder:
            holder.execute("SELECT 1 FROM runs_run WHERE uid = %s FOR UPDATE", [uid])
            yield


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with database_of_its_own() as name:
        yield Postgres(name)


@pytest.fixture(scope="module")
def studio(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("away"), DATABASE_URL=postgres.url).start()
    yield made
    made.stop()
    show_log(made)


# A point each 2 ms. Tells its usual pace and that without a database (s, median), and how much its
# memory grew meanwhile.
TRAIN = """
import os, statistics, sys, time
import psutil
from studio.sdk import Experiment, Workspace

folder = sys.argv[1]
with Experiment(Workspace.from_config(), "away").start_logging(
    snapshot_directory=None, outputs=False
) as run:
    os.write(1, f"{run.id}\\n".encode())
    me, i, took = psutil.Process(), 0, {False: [], True: []}
    before = most = 0
    while not os.path.exists(folder + "/end"):
        is_away = os.path.exists(folder + "/away")
        began = time.perf_counter()
        run.log("i", float(i), step=i)
        time.sleep(0.002)
        took[is_away].append(time.perf_counter() - began)
        i += 1
        if i == 200:
            run.flush()
            os.write(1, b"200\\n")
        if i % 100 == 0:
            now = me.memory_info().rss
            before, most = (before, max(most, now)) if is_away else (now, now)
    usual, away = (statistics.median(took[key]) for key in (False, True))
os.write(1, f"{i} {usual} {away} {max(0, most - before)}\\n".encode())
"""


def test_a_database_that_is_away_stops_no_trainer_and_costs_no_point(
    studio: Studio, postgres: Postgres, tmp_path: Path, promise: Promise
) -> None:
    promise("P10", "the database away while trainers log", away_s=AWAY_S)
    living, killed = (Program(studio, tmp_path / n, TRAIN, tmp_path / n) for n in ("a", "b"))
    for program in (living, killed):
        wait_until(lambda p=program: len(p.words()) > 1, 60, "acknowledged points")  # type: ignore[misc]
    with postgres.away():
        began = time.monotonic()
        for program in (living, killed):
            (program.folder / "away").touch()
        wait_until(lambda: killed.spooled_bytes() > 5_000, 30, "points that wait on the disk")
        killed.process.kill()
        killed.process.wait(10)
        assert killed.sync().returncode == 3, "nobody takes it yet"
        wait_until(lambda: time.monotonic() - began > AWAY_S, AWAY_S + 5)
    (living.folder / "end").touch()
    living.ended(0)
    assert killed.sync().returncode == 0
    assert killed.spooled_bytes() == 0

    n, usual_s, away_s, grew_bytes = map(float, living.words()[-4:])
    assert living.run.get_metrics()["i"] == [float(i) for i in range(int(n))]
    assert living.run.get_status() == "Completed"
    stored = killed.run.get_metrics()["i"]
    assert stored == [float(i) for i in range(len(stored))]
    assert len(stored) > 300
    assert grew_bytes < MOST_GROWTH_BYTES
    promise(n=int(n), slowed_percent=100 * (away_s / usual_s - 1), grew_mb=grew_bytes / 1e6)
    if IS_LONG:
        assert away_s < usual_s * 1.05


class Everybody:
    """A person, a program and an MLflow client at work on one run, PER_SECOND requests a second."""

    def __init__(self, studio: Studio) -> None:
        self.run: Any = Experiment(studio.workspace, "locked").start_logging(
            snapshot_directory=None, outputs=False, display_name="locked"
        )
        self.studio, self.uid = studio, self.run.id
        self.bearer = {"Authorization": f"Bearer {studio.config['token']}"}
        cookies = {one.name: str(one.value) for one in Person(studio).cookies}
        self.cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        self.form = self.cookie | {
            "Referer": studio.url,
            "X-CSRFToken": cookies["csrftoken"],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.pool = urllib3.PoolManager(maxsize=100, retries=False, timeout=60)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.acknowledged: set[float] = set()
        self.attempted: set[float] = set()
        self.without_retry_after: list[str] = []

    def calls(self, i: int) -> list[tuple[str, str, str, Any, dict[str, str]]]:
        api, page = f"/api/v1/workspaces/default/runs/{self.uid}", f"/w/default/runs/{self.uid}"
        mlflow = "/api/2.0/mlflow"
        series = Series("i", "scalar", [time.time()], [float(i)], [i])
        batch = Batch(uuid.uuid4().hex, (series,)).dump()
        point = {"key": "m", "value": float(i), "timestamp": 1_700_000_000_000 + i, "step": i}
        return [
            ("page", "GET", "/w/default/runs", None, self.cookie),
            ("API batch", "POST", f"{api}/batches", batch, self.bearer),
            ("page", "GET", page, None, self.cookie),
            ("MLflow batch", "POST", f"{mlflow}/runs/log-batch",
             {"run_id": self.uid, "metrics": [point]}, self.bearer),
            ("form", "POST", f"{page}/star", "starred=1", self.form),
            ("API tags", "POST", f"{api}/tags", {"set": {"i": str(i)}}, self.bearer),
            ("API", "GET", api, None, self.bearer),
            ("MLflow tag", "POST", f"{mlflow}/runs/set-tag",
             {"run_id": self.uid, "key": "m", "value": str(i)}, self.bearer),
            ("MLflow", "GET", f"{mlflow}/runs/get?run_id={self.uid}", None, self.bearer),
        ]  # fmt: skip

    def ask(self, i: int) -> None:
        calls = self.calls(i)
        what, method, path, body, headers = calls[i % len(calls)]
        if isinstance(body, dict):
            body, headers = json.dumps(body), headers | {"Content-Type": "application/json"}
        if what == "API batch":
            self.attempted.add(float(i))
        answer = self.pool.request(
            method, self.studio.url + path, body=body, headers=headers, redirect=False
        )
        self.answers[what, answer.status] += 1
        if answer.status == 503 and "Retry-After" not in answer.headers:
            self.without_retry_after.append(what)
        if what == "API batch" and answer.status < 300:
            self.acknowledged.add(float(i))

    def work(self, seconds: float) -> None:
        """Ask at a steady pace, whether or not others are answered, and wait for all answers."""
        began, asked = time.monotonic(), list[Future[None]]()
        with ThreadPoolExecutor(PER_SECOND * (int(seconds) + 1)) as pool:
            for i in range(int(seconds * PER_SECOND)):
                due = began + i / PER_SECOND
                wait_until(lambda due=due: time.monotonic() >= due, 5, every_s=0.005)  # type: ignore[misc]
                asked.append(pool.submit(self.ask, i))
        for one in asked:
            one.result()

    def check(self) -> None:
        statuses = {status for _, status in self.answers}
        assert statuses <= {200, 201, 204, 302, 303, 503}, self.answers
        assert self.without_retry_after == []
        stored = self.run.get_metrics().get("i", [])
        stored = stored if isinstance(stored, list) else [stored]
        assert len(set(stored)) == len(stored)
        assert self.acknowledged <= set(stored) <= self.attempted
        assert self.answers["page", 200] > 0
        self.run.complete()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_locked_database_is_waited_for_or_told_and_never_an_error(
    database: str, request: pytest.FixtureRequest, promise: Promise
) -> None:
    studio: Studio = request.getfixturevalue("shared_studio" if database == "sqlite" else "studio")
    everybody = Everybody(studio)
    if database == "sqlite":
        held: Any = locked_database(studio)
    else:
        held = request.getfixturevalue("postgres").locked(everybody.uid)
    with ThreadPoolExecutor(1) as pool:
        with held:
            load = pool.submit(everybody.work, LOCKED_S + 1)
            with contextlib.suppress(TimeoutError):
                load.result(LOCKED_S)
        load.result(90)
    everybody.check()
    n_503 = sum(n for (_, status), n in everybody.answers.items() if status == 503)
    promise("P11", f"a lock held on {database}", n=sum(everybody.answers.values()), n_503=n_503)
