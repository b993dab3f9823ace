"""From the click on Cancel to the moment the process is gone, on the embedded broker."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.client import Api
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

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
    studio = Studio(options.folder / "cancel", worker=True, STUDIO_GRACE_S=str(GRACE_S)).prepare()
    n, few = options.n_cancels, max(2, options.n_cancels // 4)
    with studio:
        start, polite = cancels(studio, "cooperative", COOPERATIVE, n)
        _, stubborn = cancels(studio, "stubborn", STUBBORN, few)
        _, deaf = cancels(studio, "deaf", DEAF, few)
    over = Target((GRACE_S + 1) * 1e3)
    rows = [
        Row.of_sample("cancel, a script that obeys SIGINT", polite, target=Target(500)),
        Row.of_sample("cancel, a script that ignores SIGINT", stubborn, target=over),
        Row.of_sample("cancel, a script that ignores SIGINT and SIGTERM", deaf, target=over),
        Row.of_sample("submit to the script's first line", start, limit=python_start().p50),
    ]
    return Group(
        "Cancel",
        f"POST …/cancel to the process gone from /proc; grace period {GRACE_S} s; web, worker and "
        "the embedded file broker of `make run`. The limit of submitting is the start of a bare "
        "Python.",
        rows,
    )


def cancels(studio: Studio, name: str, script: str, n: int) -> tuple[Sample, Sample]:
    """Start and cancel `n` runs one after the other: times to start, and to be gone."""
    folder = studio.folder / name
    folder.mkdir()
    (folder / "train.py").write_text(script)
    times = [cancel(studio, folder, studio.folder / f"{name}-{i}.pid") for i in range(n)]
    return Sample([start for start, _ in times]), Sample([end for _, end in times])


def cancel(studio: Studio, folder: Path, mark: Path) -> tuple[float, float]:
    """Times in ms of one run: submitted to begun, canceled to gone."""
    api = studio.api()
    began = time.perf_counter()
    run = submit(studio, folder, mark)
    wait_for(mark.exists, "the script to start")
    started_ms = (time.perf_counter() - began) * 1e3
    pid = int(mark.read_text())
    # A person takes a moment to click; by then the worker has noted that the run is Running.
    wait_for_status(api, run.id, "Running")
    began = time.perf_counter()
    api.post(f"/runs/{run.id}/cancel", {})
    wait_for(lambda: is_gone(pid), "the script to be gone")
    gone_ms = (time.perf_counter() - began) * 1e3
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
