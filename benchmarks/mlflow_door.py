"""The door of MLflow clients: batches, single metrics, new runs; beside `mlflow server`."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.at_once import loaded, times_of
from benchmarks.client import Line
from benchmarks.ingest import BATCH
from benchmarks.measure import CpuClock, Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import ROOT, Server, Studio

PATH = "/api/2.0/mlflow/"
# `mlflow server` rests when it takes less than this of a second; some never quite does.
MOST_AT_REST_S, RESTS_WITHIN_S = 0.1, 90.0
METRICS, ONE_METRIC, NEW_RUN = "batches of 1,000 metrics", "single metrics", "create runs"
UNITS = {METRICS: "points/s", ONE_METRIC: "calls/s", NEW_RUN: "runs/s"}
TARGETS = {
    METRICS: Target(100_000, is_least=True),
    ONE_METRIC: Target(500, is_least=True),
    NEW_RUN: Target(300, is_least=True),
}


@dataclass(frozen=True, slots=True)
class Door:
    """A server that speaks MLflow's protocol. token: "" for one that asks for none."""

    port: int
    token: str = ""

    def line(self) -> Line:
        line = Line(self.port)
        line.headers = {"Content-Type": "application/json"}
        if self.token:
            line.headers["Authorization"] = f"Bearer {self.token}"
        return line


@dataclass(frozen=True, slots=True)
class Load:
    """What each client does, over and over, for `seconds`."""

    door: Door
    experiment: str
    work: str
    seconds: float


def measure(options: Options) -> Group:
    """Rates = calls answered in the time that passed, by client processes of their own."""
    rows: list[Row] = []
    notes: list[str] = []
    peers = _peer_rates(options, notes)
    with Studio(options.folder / "mlflow-door").prepare() as studio:
        door = Door(studio.port, studio.config["token"])
        for work in (METRICS, ONE_METRIC, NEW_RUN):
            rows += _rows(door, studio.web, work, options.load_s, peers)
    return Group(
        "The door of MLflow's clients",
        "As Ingest, through MLflow's protocol: `runs/log-batch`, `runs/log-metric`, `runs/create`; "
        "each client is a process with one kept-alive connection. Limit: `mlflow server` with "
        "SQLite and one worker, which answers the same requests in the same run.",
        rows,
        notes,
    )


def _rows(
    door: Door,
    server: psutil.Process,
    work: str,
    seconds: float,
    peers: dict[tuple[str, int], float],
) -> list[Row]:
    rows = []
    for n_clients in (1, 4):
        taken, per_s = _loaded(door, server, work, n_clients, seconds)
        who = f"mlflow door: {work}, {n_clients} client{'s' if n_clients > 1 else ''}"
        is_due = n_clients == 4 or work == METRICS
        rows.append(
            Row(
                who,
                UNITS[work],
                taken.n,
                per_s,
                limit=peers.get((work, n_clients)),
                target=TARGETS[work] if is_due else None,
                cpu_ms=taken.cpu_ms,
                foreign=taken.foreign,
            )
        )
        rows.append(Row.of_sample("– one call of these", taken))
    return rows


def _loaded(
    door: Door, server: psutil.Process, work: str, n_clients: int, seconds: float
) -> tuple[Sample, float]:
    """The calls of all clients together, and points, calls or runs a second."""
    experiment = _experiment(door)
    load, warm_up = (Load(door, experiment, work, one) for one in (seconds, 0.2))
    taken, per_s = loaded(_client, load, warm_up, n_clients, server)
    return taken, per_s * (BATCH if work == METRICS else 1)


def _experiment(door: Door) -> str:
    made = _post(door.line(), "experiments/create", {"name": f"bench-{uuid.uuid4().hex}"})
    return str(made["experiment_id"])


def _post(line: Line, path: str, body: dict[str, Any]) -> Any:
    return json.loads(line.send("POST", PATH + path, json.dumps(body).encode()))


def _client(load: Load) -> list[float]:
    """Times in ms of the calls one client made, all points to one run of its own."""
    line = load.door.line()
    return times_of(_caller(line, load), load.seconds)


def _caller(line: Line, load: Load) -> Callable[[], object]:
    new = json.dumps(
        {
            "experiment_id": load.experiment,
            "user_id": "bench",
            "start_time": int(time.time() * 1000),
            "run_name": "bench",
            "tags": [{"key": key, "value": "x"} for key in ("model", "quality", "owner", "fold")],
        }
    ).encode()
    if load.work == NEW_RUN:
        return lambda: line.send("POST", f"{PATH}runs/create", new)
    run = json.loads(line.send("POST", f"{PATH}runs/create", new))["run"]["info"]["run_id"]
    return _sender(line, run, BATCH if load.work == METRICS else 1)


def _sender(line: Line, run: str, n_points: int) -> Callable[[], object]:
    """Sends one body again and again with other times, so that its points are others: making JSON
    is not measured."""
    points = [
        {"key": "loss", "value": 1 / (1.123456789 + i), "timestamp": 0, "step": i}
        for i in range(n_points)
    ]
    whole = {"run_id": run, "metrics": points} if n_points > 1 else {"run_id": run, **points[0]}
    body = json.dumps(whole).encode()
    path = PATH + ("runs/log-batch" if n_points > 1 else "runs/log-metric")
    times = iter(range(int(time.time() * 1000), 2**53))

    def send() -> object:
        now = f'"timestamp": {next(times)}'.encode()
        return line.send("POST", path, body.replace(b'"timestamp": 0', now))

    return send


def _peer_rates(options: Options, notes: list[str]) -> dict[tuple[str, int], float]:
    """(work, clients) -> what `mlflow server` does of it a second; nothing where there is none."""
    command = mlflow_command()
    if command is None:
        notes.append("`mlflow` is not installed (.venv-mlflow or PATH): no peer was measured")
        return {}
    found = {}
    try:
        with Peer(command, options.folder / "mlflow-peer") as peer:
            for work in (METRICS, ONE_METRIC, NEW_RUN):
                for n_clients in (1, 4):
                    found[work, n_clients] = _peer_rate(peer, work, n_clients, options, notes)
    except TimeoutError as error:
        notes.append(f"`mlflow server` did not start, no peer was measured: {error}")
    return found


def _peer_rate(
    peer: "Peer", work: str, n_clients: int, options: Options, notes: list[str]
) -> float:
    seconds = min(3.0, options.load_s)
    taken, per_s = _loaded(peer.door, peer.process, work, n_clients, seconds)
    notes.append(
        f"mlflow server: {work}, {n_clients} client(s): {per_s:,.0f} {UNITS[work]}, "
        f"{taken.cpu_ms or 0:.1f} ms CPU a call"
    )
    return per_s


def mlflow_command() -> str | None:
    """The `mlflow` of an environment beside this one, or of the PATH; only one with a server."""
    own = ROOT / ".venv-mlflow" / "bin" / "mlflow"
    found = str(own) if own.exists() else shutil.which("mlflow")
    if found is None:
        return None
    # The slim package has the command, but no server.
    python = Path(found).with_name("python")
    asked = [str(python), "-c", "import mlflow.server, sqlalchemy, fastapi"]
    has_server = python.exists() and subprocess.run(asked, capture_output=True).returncode == 0
    return found if has_server else None


class Peer(Server):
    """`mlflow server` on SQLite."""

    health = "/health"
    look_every_s = 0.2

    def __init__(self, command: str, folder: Path) -> None:
        super().__init__(folder)
        self.command = command
        self.door = Door(self.port)

    def start(self) -> None:
        command = [
            *(self.command, "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"),
            *("--default-artifact-root", str(self.folder / "artifacts")),
        ]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
        self.run("mlflow", command, {**os.environ, **quiet})

    def __enter__(self) -> Self:
        """It answers before it has done starting, which takes both processors for some seconds:
        what is asked meanwhile would be told as slower than it is."""
        super().__enter__()
        until = time.monotonic() + RESTS_WITHIN_S
        while time.monotonic() < until:
            clock = CpuClock(self.process)
            time.sleep(1)
            if clock.own_s() < MOST_AT_REST_S:
                break
        return self

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.processes["mlflow"].pid)

    def stop(self) -> None:
        """Those too that its first process started, which it leaves behind."""
        for process in self.process.children(recursive=True):
            process.terminate()
        super().stop()
