"""Points and runs over HTTP: batches, calls with one point, new runs; from 1 and 4 processes."""

import json
import sqlite3
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import at_once, trackio_peer
from benchmarks.client import Api, Line
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import BareDjango, Studio

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Load:
    """What each client does, over and over, for `seconds`: `n_points` a call, 0 = make a run."""

    port: int
    workspace: str
    token: str
    n_points: int
    seconds: float


def measure(options: Options) -> Group:
    """Rates = calls answered (= committed) in the time that passed, by client processes of their
    own. Not timed: starting the clients."""
    studio = Studio(options.folder / "ingest").prepare()
    with studio:
        rows = [row for n_points in (BATCH, 1, 0) for row in rates(studio, n_points, options)]
        rows.append(children(studio, options))
    rows.append(hello(options))
    notes: list[str] = []
    rows += trackio_peer.rows(options, (BATCH, 1), notes)
    return Group(
        "Ingest",
        "Every answered call is committed. Batches of 1,000 points, calls with one point, new runs "
        "with four tags; each client is a process with one kept-alive connection. Limit: the same "
        "rows written by bare SQLite in one process, one transaction a call. Trackio takes "
        "the same points in the same run.",
        rows,
        notes,
    )


def rates(studio: Studio, n_points: int, options: Options) -> list[Row]:
    """The rates with 1 and 4 clients, and the latency of one call beside each."""
    unit = {0: "runs/s", 1: "calls/s"}.get(n_points, "points/s")
    name = {0: "new runs", 1: "calls with one point"}.get(n_points, "batches of 1,000 points")
    scale = max(1, n_points)
    bare = bare_rate(options.folder, n_points, seconds=min(1.0, options.load_s)) * scale
    rows = []
    for n_clients in (1, 4):
        taken, per_s = loaded(studio, n_points, n_clients, options.load_s)
        who = f"{name}, {n_clients} client{'s' if n_clients > 1 else ''}"
        target = TARGETS.get((n_points, n_clients))
        shared = {"cpu_ms": taken.cpu_ms, "foreign": taken.foreign}
        rows.append(Row(who, unit, taken.n, per_s * scale, limit=bare, target=target, **shared))
        rows.append(Row.of_sample("– one call of these", taken))
    return rows


TARGETS = {
    (BATCH, 1): Target(100_000, is_least=True),
    (BATCH, 4): Target(100_000, is_least=True),
    (1, 1): Target(300, is_least=True),
    (1, 4): Target(500, is_least=True),
    (0, 1): Target(300, is_least=True),
    (0, 4): Target(300, is_least=True),
}


def loaded(studio: Studio, n_points: int, n_clients: int, seconds: float) -> tuple[Sample, float]:
    """The calls of all clients together, and how many were answered a second."""
    config = studio.config
    load, warm_up = (
        Load(studio.port, config["workspace"], config["token"], n_points, one)
        for one in (seconds, 0.2)
    )
    return at_once.loaded(client, load, warm_up, n_clients, studio.web)


def client(load: Load) -> list[float]:
    """Times in ms of the calls one client made, all points to one run of its own."""
    api = Api(load.port, load.workspace, load.token)
    call = maker(api) if load.n_points == 0 else sender(api, load.n_points)
    return at_once.times_of(call, load.seconds)


def new_run() -> dict[str, object]:
    tags = {"model": "resnet", "quality": "good", "owner": "team-1", "worth another look": None}
    return {"uid": uuid.uuid4().hex, "experiment": "bench", "start": True, "tags": tags}


def maker(api: Api) -> Callable[[], object]:
    return lambda: api.call("/runs", json.dumps(new_run()).encode())


def sender(api: Api, n_points: int) -> Callable[[], object]:
    """Sends one body again and again under a new batch id: making JSON is not measured."""
    run, body = new_run(), batch(n_points)
    api.post("/runs", run)
    path = f"/runs/{run['uid']}/batches"
    return lambda: api.call(path, body.replace(b"BATCH", str(uuid.uuid4()).encode()))


def batch(n_points: int) -> bytes:
    """The body of a batch with a mark where its id goes."""
    now = time.time()
    series = {
        "name": "loss",
        "kind": "scalar",
        "steps": list(range(n_points)),
        "times": [now + i * 1e-3 for i in range(n_points)],
        "values": [1 / (1 + i + 0.123456789) for i in range(n_points)],
    }
    return json.dumps({"batch": "BATCH", "metrics": [series]}).encode()


def bare_rate(folder: Path, n_points: int, *, seconds: float) -> float:
    """Transactions a second: a packed chunk, or five rows for a run with its tags."""
    base = sqlite3.connect(folder / f"bare-{n_points}.sqlite3", isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=NORMAL")
    base.execute("CREATE TABLE chunk (id INTEGER PRIMARY KEY, metric INTEGER, data BLOB)")
    base.execute("CREATE TABLE run (id INTEGER PRIMARY KEY, uid TEXT UNIQUE, status TEXT)")
    base.execute("CREATE TABLE tag (run INTEGER, key TEXT, value TEXT, UNIQUE (run, key))")
    write = bare_chunk(base, n_points) if n_points else bare_run(base)
    n, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        write()
        n += 1
    base.close()
    return n / seconds


def bare_chunk(base: sqlite3.Connection, n_points: int) -> Callable[[], object]:
    columns: list[list[float]] = [
        list(range(n_points)),
        [time.time()] * n_points,
        [0.123456789] * n_points,
    ]
    codes = [f"<{n_points}{code}" for code in "qdd"]

    def write() -> object:
        packed = (struct.pack(code, *column) for code, column in zip(codes, columns, strict=True))
        return base.execute("INSERT INTO chunk (metric, data) VALUES (1, ?)", (b"".join(packed),))

    return write


def bare_run(base: sqlite3.Connection) -> Callable[[], object]:
    def write() -> object:
        base.execute("BEGIN IMMEDIATE")
        made = base.execute("INSERT INTO run (uid, status) VALUES (?, 'r')", (uuid.uuid4().hex,))
        base.executemany(
            "INSERT INTO tag VALUES (?, ?, 'x')", [(made.lastrowid, k) for k in "abcd"]
        )
        return base.execute("COMMIT")

    return write


def children(studio: Studio, options: Options) -> Row:
    """One call that makes 1,000 child runs with a tag each."""
    api, parent = studio.api(), new_run()
    api.post("/runs", parent)

    def call() -> object:
        made = [{"uid": uuid.uuid4().hex, "tags": {"fold": str(i)}} for i in range(1_000)]
        return api.call(f"/runs/{parent['uid']}/children", json.dumps({"children": made}).encode())

    taken = repeat(call, n=max(3, options.n_calls // 10), warm=1, root=studio.web)
    return Row.of_sample("create_children(1000)", taken, target=Target(1_000))


def hello(options: Options) -> Row:
    """What the server and Django cost without any of our code."""
    server = BareDjango()
    try:
        line = Line(server.port)
        taken = repeat(
            lambda: line.send("GET", "/hello"),
            n=options.n_calls * 10,
            warm=50,
            root=psutil.Process(server.process.pid),
        )
    finally:
        server.stop()
    return Row.of_sample("a call to a bare Django application", taken)
