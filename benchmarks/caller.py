"""What tracking costs the training script: `run.log()`, its steps, importing the SDK."""

import json
import statistics

from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio
from benchmarks.training import million, output, slowed, starts

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
# Prints [wall ms, CPU ms].
IMPORT = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import {}
print([(time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3])
"""


def measure(options: Options) -> Group:
    """Timed in the caller's thread: one `run.log(name, number)`. The sending goes on meanwhile."""
    n = max(500, int(1_000 * options.load_s))
    studio = Studio(options.folder / "caller").prepare()
    with studio:
        paced, burst, bare, share, idle = json.loads(output(LOGGING, str(studio.folder), str(n)))
        training = [slowed(studio, options), *million(studio, options)]
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
        *training,
        imports("studio.sdk", options, limit=imports("urllib3, json, logging", options).value),
        *starts(options),
    ]
    return Group(
        "Cost in the training script",
        "A call of `run.log(name, number)` in the caller's thread, against a running studio. "
        "Limit: appending a tuple to a list. Training: steps in pure Python, so that the sender "
        "takes the interpreter from them, in blocks with a log a step and without; what is queued "
        "at the end of a block counts with its CPU; 10 ms a second are 1 %. A million points: one "
        "loop, one metric, counted in the database. Import: of `studio.sdk` in a fresh Python; "
        "limit: of urllib3, json and logging. Command line: whole processes; limit: a Python that "
        "does nothing.",
        rows,
        [f"the pacing loop without logging uses {idle:.1%} of a core"],
    )


def in_us(name: str, taken: Sample, limit: float, target: Target) -> Row:
    return Row(name, "µs", taken.n, taken.p50, taken.p95, limit=limit, target=target)


def imports(names: str, options: Options, *, limit: float | None = None) -> Row:
    """Import time in fresh processes, the first one not counted."""
    n = max(4, options.n_calls // 6)
    taken = [json.loads(output(IMPORT.format(names))) for _ in range(n)][1:]
    sample = Sample([wall for wall, _ in taken], statistics.median(cpu for _, cpu in taken))
    target = Target(150) if limit is not None else None
    return Row.of_sample(f"import {names}", sample, limit=limit, target=target)
