"""What tracking costs the training script: `run.log()` and importing the SDK."""

import json
import subprocess
import sys

from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import ROOT, Studio

# Runs in a process of its own: prints times in µs of single calls, and the CPU share of the paced
# logging. Pacing = 1,000 calls a second.
LOGGING = """
import json, os, sys, time
from studio.sdk import Experiment, Workspace
experiment = Experiment(Workspace.from_config(sys.argv[1]), "caller")
run = experiment.start_logging(snapshot_directory=None)
n = int(sys.argv[2])
clock = time.perf_counter_ns
def calls(n, every_s):
    found, due = [], time.perf_counter()
    for i in range(n):
        if every_s:
            due += every_s
            time.sleep(max(0, due - time.perf_counter()))
        began = clock()
        run.log("loss", 1 / (i + 1))
        found.append((clock() - began) / 1e3)
    return found
def appends(n):
    rows, found = [], []
    for i in range(n):
        began = clock()
        rows.append(("loss", None, time.time(), 1 / (i + 1)))
        found.append((clock() - began) / 1e3)
    return found
calls(200, 0.001)
before, wall = time.process_time(), time.perf_counter()
paced = calls(n, 0.001)
share = (time.process_time() - before) / (time.perf_counter() - wall)
before, wall = time.process_time(), time.perf_counter()
for i in range(n // 2):
    time.sleep(0.001)
idle = (time.process_time() - before) / (time.perf_counter() - wall)
burst = calls(n * 2, 0)
run.complete()
os.write(1, json.dumps([paced, burst, appends(n), share, idle]).encode())
os._exit(0)
"""
IMPORT = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1e3)"


def measure(options: Options) -> Group:
    """Timed in the caller's thread: one `run.log(name, number)`. The sending goes on meanwhile."""
    n = max(500, int(1_000 * options.load_s))
    studio = Studio(options.folder / "caller").prepare()
    with studio:
        paced, burst, bare, share, idle = json.loads(
            child(LOGGING, str(studio.folder), str(n)).splitlines()[-1]
        )
    limit = Sample(bare).p50
    rows = [
        in_us("run.log(), 1,000 calls a second", Sample(paced), limit, Target(20)),
        in_us("run.log(), as fast as it can", Sample(burst), limit, Target(20)),
        Row(
            "CPU of the script's process for 1,000 calls a second, sending included",
            "%",
            1,
            (share - idle) * 100,
        ),
        imports("studio.sdk", options, limit=imports("urllib3, json, logging", options).value),
    ]
    return Group(
        "Cost in the training script",
        "A call of `run.log(name, number)` in the caller's thread, against a running studio. "
        "Limit: appending a tuple to a list. Import: of `studio.sdk` in a fresh Python; limit: of "
        "urllib3, json and logging.",
        rows,
        [f"the pacing loop without logging uses {idle:.1%} of a core"],
    )


def in_us(name: str, taken: Sample, limit: float, target: Target) -> Row:
    return Row(name, "µs", taken.n, taken.p50, taken.p95, limit=limit, target=target)


def child(code: str, *arguments: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def imports(names: str, options: Options, *, limit: float | None = None) -> Row:
    """Import time in fresh processes, the first one not counted."""
    times = [float(child(IMPORT.format(names))) for _ in range(max(4, options.n_calls // 6))][1:]
    return Row.of_sample(f"import {names}", Sample(times), limit=limit)
