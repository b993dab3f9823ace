"""Trackio beside the studio: batches and single calls into `trackio show`, the quickest of the
other trackers at taking points in (one row of JSON a point in SQLite)."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.at_once import loaded, times_of
from benchmarks.client import Line
from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Row
from benchmarks.server import ROOT, Server

PYTHON = ROOT / ".venv-trackio" / "bin" / "python"
TOKEN = "a token for measuring"
SERVE = (
    "import trackio; "
    "trackio.show(open_browser=False, block_thread=True, share=False, host='127.0.0.1', "
    "server_port={port})"
)


@dataclass(frozen=True, slots=True)
class Load:
    """What each client sends, over and over, for `seconds`."""

    port: int
    n_points: int
    seconds: float


def rows(options: Options, batch_sizes: tuple[int, ...], notes: list[str]) -> list[Row]:
    """Its rates with 1 and 4 clients; none, and a note, where it is not installed."""
    if not PYTHON.exists():
        notes.append("Trackio is not installed (`make .venv-trackio/.done`): it was not measured")
        return []
    try:
        with Peer(options.folder / "trackio-peer") as peer:
            return [
                row
                for n_points in batch_sizes
                for n_clients in (1, 4)
                for row in _rates(peer, n_points, n_clients, min(3.0, options.load_s))
            ]
    except TimeoutError as error:
        notes.append(f"Trackio did not start, it was not measured: {error}")
        return []


def _rates(peer: "Peer", n_points: int, n_clients: int, seconds: float) -> list[Row]:
    what = "calls with one point" if n_points == 1 else f"batches of {n_points:,} points"
    unit = "calls/s" if n_points == 1 else "points/s"
    taken, per_s = _loaded(peer, n_points, n_clients, seconds)
    name = f"Trackio: {what}, {n_clients} client{'s' if n_clients > 1 else ''}"
    shared = {"cpu_ms": taken.cpu_ms, "foreign": taken.foreign}
    return [
        Row(name, unit, taken.n, per_s * n_points, **shared),
        Row.of_sample("– one call of these", taken),
    ]


def _loaded(peer: "Peer", n_points: int, n_clients: int, seconds: float) -> tuple[Sample, float]:
    """The calls of all clients together, and how many were answered a second."""
    load, warm_up = (Load(peer.port, n_points, one) for one in (seconds, 0.2))
    return loaded(_client, load, warm_up, n_clients, peer.process)


def _client(load: Load) -> list[float]:
    """Times in ms of the calls one client made, all points to one run of its own."""
    return times_of(_caller(load), load.seconds)


def _caller(load: Load) -> Callable[[], object]:
    line = Line(load.port)
    line.headers = {"Content-Type": "application/json", "X-Trackio-Write-Token": TOKEN}
    run = f"run-{os.getpid()}"
    logs = [
        {
            **{"project": "bench", "run": run, "run_id": run, "step": i, "config": None},
            "metrics": {"loss": 1 / (1.123456789 + i)},
        }
        for i in range(load.n_points)
    ]
    body = json.dumps({"logs": logs, "hf_token": None}).encode()
    return lambda: line.send("POST", "/api/bulk_log", body)


class Peer(Server):
    """`trackio show` on a folder of its own, which takes points by a token."""

    health = "/version"
    look_every_s = 0.2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)

    def start(self) -> None:
        environment = {
            **os.environ,
            "TRACKIO_DIR": str(self.folder / "data"),
            "TRACKIO_WRITE_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "1",
        }
        self.run("trackio", [str(PYTHON), "-c", SERVE.format(port=self.port)], environment)

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.processes["trackio"].pid)
