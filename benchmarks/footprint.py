"""Memory of an idle studio, and how long a start takes."""

import time

import psutil

from benchmarks.measure import Sample
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import BareDjango, Studio, wait_for_answer

MIB = 2**20


def measure(options: Options) -> Group:
    """Memory: PSS of web and worker after one page, 3 s idle. Start: `manage.py up` begun to the
    first sign-in page read; packages are installed, byte code is compiled."""
    first, again, whole = starts(options)
    bare_ms, bare_mib = bare(options)
    studio = Studio(options.folder / "memory", worker=True).prepare()
    with studio:
        studio.browser().page("/w/default/runs")
        studio.api().get("/runs")
        wait_for_worker(studio)
        # Idle is what it is after the start, not during it.
        time.sleep(3)
        web = pss_mib(studio.web)
        worker = pss_mib(psutil.Process(studio.processes["worker"].pid))
    rows = [
        Row(
            "memory, web + worker idle", "MiB", 1, web + worker, limit=bare_mib, target=Target(250)
        ),
        Row("– web", "MiB", 1, web),
        Row("– worker", "MiB", 1, worker),
        Row("memory, all of `manage.py up`, first start", "MiB", 1, whole, target=Target(300)),
        Row.of_sample(
            "start to first page, new folder", first, limit=bare_ms.p50, target=Target(8_000)
        ),
        Row.of_sample(
            "start to first page, used folder", again, limit=bare_ms.p50, target=Target(1_700)
        ),
    ]
    return Group(
        "Memory and start",
        "Memory: PSS of all processes of `manage.py web` and `manage.py worker`, after one page "
        "and one API call; that of `up` holds them too. Start: `manage.py up` begun to the first "
        "page read; a new folder also means migrations and static files. Limit: gunicorn with a "
        "Django application of one line.",
        rows,
    )


def pss_mib(root: psutil.Process) -> float:
    """Memory of a process tree; what is shared counts once."""
    tree = [root, *root.children(recursive=True)]
    return sum(float(process.memory_full_info().pss) for process in tree) / MIB


def wait_for_worker(studio: Studio) -> None:
    for _ in range(300):
        if any(one.get("n_workers") for one in studio.api().get("/targets")["items"]):
            return
        time.sleep(0.1)
    raise TimeoutError("no worker signed on")


def starts(options: Options) -> tuple[Sample, Sample, float]:
    """Starts of `manage.py up` in new folders, again in the same folders; MiB after the very
    first."""
    first: list[float] = []
    again: list[float] = []
    whole = 0.0
    for i in range(max(1, options.n_cancels // 3)):
        studio = Studio(options.folder / f"start-{i}")
        for times in (first, again):
            began = time.perf_counter()
            studio.spawn("up")
            wait_for_answer(studio.port, "/sign-in", every_s=0.01)
            times.append((time.perf_counter() - began) * 1e3)
            wait_until_greeted(studio, times is again)
            if not whole:
                time.sleep(3)
                whole = pss_mib(psutil.Process(studio.processes["up"].pid))
            studio.stop()
    return Sample(first), Sample(again), whole


def wait_until_greeted(studio: Studio, is_second: bool) -> None:
    """Until `up` has finished starting: a studio stopped earlier would not start faster later."""
    for _ in range(600):
        text = (studio.folder / "server.log").read_text()
        if text.count("Ctrl-C stops it") > is_second:
            return
        time.sleep(0.05)
    raise TimeoutError("manage.py up did not greet")


def bare(options: Options) -> tuple[Sample, float]:
    """Times to the first answer, and memory in MiB."""
    times, memory = [], 0.0
    for _ in range(max(2, options.n_cancels // 3)):
        began = time.perf_counter()
        server = BareDjango()
        times.append((time.perf_counter() - began) * 1e3)
        memory = pss_mib(psutil.Process(server.process.pid))
        server.stop()
    return Sample(times), memory
