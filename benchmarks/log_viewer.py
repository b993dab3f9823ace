"""A log of several GB that still grows: its page, any line of it, its live end, its memory."""

import json
import random
import re
import threading
import uuid
from collections.abc import Callable
from urllib.parse import quote

import psutil

from benchmarks.client import Api, Browser
from benchmarks.measure import repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio

PIECE_BYTES = 4 * 1024 * 1024
PATH = "logs/output.txt"
N_LINES = 100
TOTAL = re.compile(r'data-total="(\d+)"')
MAX_MEMORY_MB = 64


def measure(options: Options) -> Group:
    """Timed over HTTP while pieces are appended: pages and parts as a signed-in browser asks."""
    studio = Studio(options.folder / "log-viewer", STUDIO_MAX_ARTIFACT_BYTES=str(10**12)).prepare()
    with studio:
        api = studio.api()
        uid = uuid.uuid4().hex
        api.post("/runs", {"uid": uid, "experiment": "logs", "start": True})
        size = write(api, uid, options.log_bytes)
        # Only now: a connection that is not used for minutes is closed.
        browser, before_mb = studio.browser(), memory_mb(studio.web)
        stop = threading.Event()
        writer = threading.Thread(target=grow, args=(studio.api(), uid, size, stop))
        writer.start()
        try:
            rows = ask(studio, browser, uid, options)
        finally:
            stop.set()
            writer.join()
        grown_mb = memory_mb(studio.web) - before_mb
        n_lines = total(browser, uid)
    rows.append(Row("memory more than before", "MB", 1, grown_mb, target=Target(MAX_MEMORY_MB)))
    return Group(
        "A long log",
        f"{n_lines:,} lines, {size / 1e9:.1f} GB, appended to ten times a second meanwhile. A "
        f"first screen is the whole page; lines are {N_LINES} rows of HTML.",
        rows,
        [],
    )


def piece() -> bytes:
    """4 MB of lines of 100 bytes; every 5,000th is an error."""
    lines = [
        f"{'ERROR' if i % 5_000 == 0 else 'info'} step {i} loss={1 / (i + 1):.5f} ".ljust(99, ".")
        for i in range(PIECE_BYTES // 100)
    ]
    return "\n".join(lines).encode() + b"\n"


def write(api: Api, uid: str, n_bytes: int) -> int:
    """Append so many bytes or a few more; how many."""
    size, data = 0, piece()
    while size < n_bytes:
        size = append(api, uid, size, data)
    return size


def append(api: Api, uid: str, offset: int, data: bytes) -> int:
    path = f"/runs/{uid}/logs/{PATH}?offset={offset}"
    return int(json.loads(api.call(path, data))["size"])


def grow(api: Api, uid: str, size: int, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        size = append(api, uid, size, b"info one more line\n" * 20)


def memory_mb(web: psutil.Process) -> float:
    """Private memory of the server's processes, without what the system caches of files."""
    family = [web, *web.children(recursive=True)]
    return sum(process.memory_full_info().uss for process in family) / 1e6


def address(uid: str, name: str, **query: object) -> str:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/w/default/runs/{uid}/{name}?path={quote(PATH)}{more}"


def total(browser: Browser, uid: str) -> int:
    found = TOTAL.search(browser.page(address(uid, "log-lines", n=0)))
    if found is None:
        raise RuntimeError("the answer does not say how many lines there are")
    return int(found[1])


def ask(studio: Studio, browser: Browser, uid: str, options: Options) -> list[Row]:
    n, chance = total(browser, uid), random.Random(1)

    def lines(first: int) -> None:
        if f'id="L{first}"' not in browser.page(address(uid, "log-lines", **{"from": first})):
            raise RuntimeError(f"line {first} is not in its own answer")

    def anywhere() -> int:
        return chance.randint(1, n - N_LINES)

    asked: list[tuple[str, Callable[[], object], Target | None]] = [
        (
            "first screen: the page at its end",
            lambda: browser.page(address(uid, "logs")),
            Target(100),
        ),
        ("first lines", lambda: lines(1), Target(50)),
        ("any lines", lambda: lines(anywhere()), Target(50)),
        (
            "any lines with times",
            lambda: browser.page(address(uid, "log-lines", times=1, **{"from": anywhere()})),
            Target(50),
        ),
        ("news of a follower", lambda: lines(total(browser, uid)), None),
        (
            "next error from anywhere",
            lambda: browser.page(address(uid, "log-mark", kind="error", after=anywhere())),
            None,
        ),
        ("the map", lambda: browser.page(address(uid, "log-map")), None),
    ]
    return [
        Row.of_sample(name, repeat(call, n=options.n_calls, root=studio.web), target=target)
        for name, call, target in asked
    ]
