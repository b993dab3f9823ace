"""What a training pays for being tracked: a million points to the last one stored, the steps of a
training beside the same steps without, and the start of the command line."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Row, Target
from benchmarks.server import ROOT, Studio

# Prints the id of the run and seconds: of the loop, and until the run is complete, all sent.
MILLION = """
import json, os, sys, time
from studio.sdk import Experiment, Workspace
experiment = Experiment(Workspace.from_config(sys.argv[1]), "million")
run = experiment.start_logging(snapshot_directory=None, outputs=False)
began = time.perf_counter()
for i in range(int(sys.argv[2])):
    run.log("loss", 1 / (i + 1), step=i)
looped = time.perf_counter() - began
run.flush()
sent = time.perf_counter() - began
run.complete()
os.write(1, json.dumps([run.id, looped, sent]).encode())
"""
# Steps of about 1 ms in pure Python, which share the interpreter with the sender: in blocks, with
# and without a log a step. What is still queued at the end of a block is sent before the next one:
# its CPU counts, the wait does not. Prints [[wall s, CPU s without], [wall s, CPU s with]] of each
# pair of blocks.
STEPS = """
import json, os, sys, time
from studio.sdk import Experiment, Workspace
experiment = Experiment(Workspace.from_config(sys.argv[1]), "steps")
run = experiment.start_logging(snapshot_directory=None, outputs=False)
def work(n):
    x = 1.0
    for _ in range(n):
        x = x * 1.0000001 + 1e-9
    return x
began = time.perf_counter()
work(2_000_000)
a_step = int(2_000_000 / (time.perf_counter() - began) / 1_000)
def block(n_steps, log):
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(n_steps):
        value = work(a_step)
        if log:
            run.log("loss", value)
    took = time.perf_counter() - wall
    if log:
        run.flush()
    return took, time.process_time() - cpu
block(200, True)
n_steps, found = int(sys.argv[2]), []
for i in range(int(sys.argv[3])):
    pair = [block(n_steps, i % 2 == 1), block(n_steps, i % 2 == 0)]
    found.append(pair[::-1] if i % 2 else pair)
run.complete()
os.write(1, json.dumps(found).encode())
"""


def million(studio: Studio, options: Options) -> list[Row]:
    """Raises RuntimeError when not every point is stored once."""
    n = options.n_points
    uid, looped_s, sent_s = json.loads(output(MILLION, str(studio.folder), str(n)))
    items = studio.api().get(f"/runs/{uid}/metrics")["items"]
    stored = {item["name"]: item["n_points"] for item in items}.get("loss")
    if stored != n:
        raise RuntimeError(f"{n} points were logged, {stored} are stored")
    return [
        Row(f"{n:,} points in a loop: the loop", "s", 1, looped_s),
        Row(f"{n:,} points in a loop: until the last one is stored", "s", 1, sent_s),
        Row("– points stored a second", "points/s", 1, n / sent_s),
    ]


def slowed(studio: Studio, options: Options) -> Row:
    """What logging adds to a second of training, by pairs of blocks beside each other."""
    n_steps, n_pairs = int(options.load_s * 500), max(4, options.n_calls // 12)
    pairs = json.loads(output(STEPS, str(studio.folder), str(n_steps), str(n_pairs)))
    added_ms = [
        [(mine - bare) / bare * 1e3 for bare, mine in zip(*pair, strict=True)] for pair in pairs
    ]
    wall, cpu = zip(*added_ms, strict=True)
    sample = Sample(wall, cpu_ms=statistics.median(cpu))
    name = "added to a second of training, one log in each step of 1 ms"
    return Row.of_sample(name, sample, target=Target(10))


def starts(options: Options) -> list[Row]:
    """Starting the command line; limit: a Python that does nothing."""
    n = max(4, options.n_calls // 6)
    bare = started(["-c", "pass"], n)
    rows = []
    for words in (["--help"], ["run", "list", "--help"]):
        taken = started(["-m", "studio.cli", *words], n)
        rows.append(Row.of_sample(f"studio {' '.join(words)}", taken, limit=bare.p50))
    return rows


def started(words: list[str], n: int) -> Sample:
    """Whole processes, the first one not counted."""

    def call() -> None:
        subprocess.run(
            [sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=60
        )

    return timed_children(call, n)


def timed_children(call: Callable[[], object], n: int) -> Sample:
    """Wall times of calls that each wait for a process, and the CPU of these processes."""
    call()
    before, times_ms = os.times(), []
    for _ in range(n):
        began = time.perf_counter()
        call()
        times_ms.append((time.perf_counter() - began) * 1e3)
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return Sample(times_ms, cpu_s / n * 1e3)


def output(code: str, *arguments: str) -> str:
    """What a fresh Python prints at last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.splitlines()[-1]
