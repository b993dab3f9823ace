"""From the click on Cancel to the moment the process is gone; with and without a broker."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client import Api
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio, free_port

GRACE_S = 2
WAIT_S = 60.0
COOPERATIVE = """
import os, sys, time
open(sys.argv[1] + ".part", "w").write(str(os.getpid()))
os.rename(sys.argv[1] + ".part", sys.argv[1])
while True:
    time.sleep(0.05)
"""
# Ignores the first signal; the second ends it.
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + COOPERATIVE
# Only SIGKILL ends it.
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STUBBORN


def measure(options: Options) -> Group:
    """Timed: POST …/cancel sent to /proc/PID gone (or a zombie). Also submit to first line."""
    n, few = options.n_cancels, max(2, options.n_cancels // 4)
    with studio_in(options.folder / "cancel") as studio:
        start, polite = cancels(studio, "cooperative", COOPERATIVE, n)
        _, stubborn = cancels(studio, "stubborn", STUBBORN, few)
        _, deaf = cancels(studio, "deaf", DEAF, few)
    over, soon = Target((GRACE_S + 1) * 1e3), Target(500)
    rows = [
        Row.of_sample("cancel, a script that obeys SIGINT", polite, target=soon),
        Row.of_sample("cancel, a script that ignores SIGINT", stubborn, target=over),
        Row.of_sample("cancel, a script that ignores SIGINT and SIGTERM", deaf, target=over),
        *(
            Row.of_sample(f"cancel, a script that obeys SIGINT; {name}", taken, target=soon)
            for name, taken in with_other_brokers(options, n)
        ),
        Row.of_sample("submit to the script's first line", start, limit=python_start().p50),
    ]
    return Group(
        "Cancel",
        f"POST …/cancel to the process gone from /proc; grace period {GRACE_S} s; web, worker and, "
        "if nothing else is said, the embedded file broker of `make run`. A broker that is down "
        "went after the script had begun. The limit of submitting is the start of a bare Python.",
        rows,
    )


def studio_in(folder: Path, **settings: str) -> Studio:
    return Studio(folder, worker=True, STUDIO_GRACE_S=str(GRACE_S), **settings).prepare()


def with_other_brokers(options: Options, n: int) -> list[tuple[str, Sample]]:
    """Cooperative scripts: on Redis, with Redis killed, with the file broker's folder gone."""
    found = []
    with studio_in(options.folder / "no-files") as studio:
        broker = studio.folder / "home" / "broker"
        away = studio.folder / "broker-away"
        times = cancels(
            studio,
            "no-files",
            COOPERATIVE,
            n,
            fault=Fault(lambda: hide(broker, away), lambda: show(broker, away)),
        )
        found.append(("file broker down", times[1]))
    if shutil.which("redis-server") is None:
        return found
    redis = Redis(options.folder)
    try:
        with studio_in(options.folder / "redis", CELERY_BROKER_URL=redis.url) as studio:
            found.append(("Redis", cancels(studio, "redis", COOPERATIVE, n)[1]))
            down = Fault(redis.kill, redis.start)
            found.append(("Redis down", cancels(studio, "killed", COOPERATIVE, n, fault=down)[1]))
    finally:
        redis.kill()
    return found


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done before a cancel, and how it is made good after it."""

    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None


NO_FAULT = Fault()


def hide(folder: Path, away: Path) -> None:
    """A file where the folder was: nothing can be written there, nor the folder be made again."""
    folder.rename(away)
    folder.touch()


def show(folder: Path, away: Path) -> None:
    folder.unlink()
    away.rename(folder)


class Redis:
    """A Redis of the benchmark's own, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL)
        wait_for(self._is_listening, "Redis", every_s=0.02)

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def cancels(
    studio: Studio, name: str, script: str, n: int, fault: Fault = NO_FAULT
) -> tuple[Sample, Sample]:
    """Start and cancel `n` runs one after the other: times to start, and to be gone."""
    folder = studio.folder / name
    folder.mkdir()
    (folder / "train.py").write_text(script)
    marks = [studio.folder / f"{name}-{i}.pid" for i in range(n)]
    times = [cancel(studio, folder, mark, fault) for mark in marks]
    return Sample([start for start, _ in times]), Sample([end for _, end in times])


def cancel(studio: Studio, folder: Path, mark: Path, fault: Fault) -> tuple[float, float]:
    """Times in ms of one run: submitted to begun, canceled to gone."""
    api = studio.api()
    began = time.perf_counter()
    run = submit(studio, folder, mark)
    wait_for(mark.exists, "the script to start")
    started_ms = (time.perf_counter() - began) * 1e3
    pid = int(mark.read_text())
    # A person takes a moment to click; by then the worker has noted that the run is Running.
    wait_for_status(api, run.id, "Running")
    fault.begin()
    began = time.perf_counter()
    # In a thread: the answer waits for the ring, the process does not.
    asking = threading.Thread(target=lambda: api.post(f"/runs/{run.id}/cancel", {}))
    asking.start()
    wait_for(lambda: is_gone(pid), "the script to be gone")
    gone_ms = (time.perf_counter() - began) * 1e3
    asking.join()
    fault.end()
    wait_for_status(api, run.id, "Canceled")
    return started_ms, gone_ms


def wait_for_status(api: Api, uid: str, status: str) -> None:
    wait_for(lambda: bool(api.get(f"/runs/{uid}")["status"] == status), status, every_s=0.05)


def submit(studio: Studio, folder: Path, mark: Path) -> Any:
    from studio.sdk import Experiment, ScriptRunConfig, Workspace

    workspace = Workspace.from_config(str(studio.folder))
    config = ScriptRunConfig(source_directory=str(folder), script="train.py", arguments=[str(mark)])
    return Experiment(workspace, "cancel").submit(config)


def is_gone(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rsplit(")", 1)[1].split()[0] in "ZX"


def wait_for(check: Callable[[], bool], what: str, *, every_s: float = 0.002) -> None:
    deadline = time.monotonic() + WAIT_S
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_S:g} s for {what}")
        time.sleep(every_s)


def python_start() -> Sample:
    return repeat(lambda: os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", ""]), n=10)
