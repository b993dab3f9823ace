"""Finding in a long log over HTTP, against ripgrep itself and `mmap.find` on the same file."""

import json
import mmap
import subprocess
import time
import uuid
from pathlib import Path
from urllib.parse import quote

from benchmarks.client import Api
from benchmarks.measure import Sample, repeat
from benchmarks.options import Options
from benchmarks.report import Group, Row, Target
from benchmarks.server import Studio
from studio.artifacts.ripgrep import binary

PIECE_BYTES = 4 * 1024 * 1024
PATH = "logs/output.txt"
LAST = b"RuntimeError: CUDA out of memory\n"
# quality.md: at least half of ripgrep's speed.
TIMES_RIPGREP = 2


def measure(options: Options) -> Group:
    """Timed: the request to the last line of its answer, and to the first hit. The limit is
    ripgrep with one thread on the same file, with line numbers as in a terminal."""
    studio = Studio(options.folder / "log-find", STUDIO_MAX_ARTIFACT_BYTES=str(10**12)).prepare()
    with studio:
        api, uid = studio.api(), uuid.uuid4().hex
        api.post("/runs", {"uid": uid, "experiment": "logs", "start": True})
        size = write(api, uid, options.find_bytes)
        file = max(
            (studio.folder / "home" / "blobs").rglob("*"), key=lambda path: path.stat().st_size
        )
        rows = [row for asked in ASKED for row in rows_of(studio, uid, file, *asked)]
        seek = repeat(lambda: in_memory(file), n=3)
        rows.append(Row.of_sample("mmap.find in Python, match case", seek))
        first = Sample([first_hit_ms(studio, uid) for _ in range(options.n_cancels)])
        rows.append(Row.of_sample("first hit of a common text", first, target=Target(100)))
    return Group(
        "Find in a log",
        f"A log of {size / 1e9:.1f} GB in the page cache, the hit in its last line. The limit is "
        "ripgrep -n with one thread on the same file.",
        rows,
    )


ASKED = (
    ("text, any case", "cuda out of", "", ["--ignore-case", "--fixed-strings"]),
    ("text, match case", "CUDA out of", "&case=true", ["--fixed-strings"]),
    (
        "regular expression",
        r"CUDA\s+out of \w+",
        "&case=true&regex=true",
        ["--case-sensitive"],
    ),
)


def rows_of(
    studio: Studio, uid: str, file: Path, name: str, text: str, more: str, options: list[str]
) -> list[Row]:
    """Our find with ripgrep as its limit."""

    def find() -> None:
        said = json.loads(ask(studio, uid, text, more).splitlines()[-1])
        if (said["n"], said["stopped"]) != (1, ""):
            raise RuntimeError(f"the find went wrong: {said}")

    command = [binary(), "--no-config", "-a", "-n", "-j1", *options, "-e", text, "--", str(file)]

    def bare() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    alone, ours = repeat(bare, n=3), repeat(find, n=3, root=studio.web)
    target = Target(TIMES_RIPGREP * alone.p50)
    return [Row.of_sample(name, ours, limit=alone.p50, target=target, is_cpu_whole=False)]


def write(api: Api, uid: str, n_bytes: int) -> int:
    """Append lines of about 100 bytes and LAST; how many bytes."""
    steps = range(9_973)
    lines = [f"2026-11-21 INFO step {i} loss={1 / (i + 1):.6f} ".ljust(99, ".") for i in steps]
    data = ("\n".join(lines) + "\n").encode()
    data *= max(1, PIECE_BYTES // len(data))
    size = 0
    while size < n_bytes:
        size = append(api, uid, size, data)
    return append(api, uid, size, LAST)


def append(api: Api, uid: str, offset: int, data: bytes) -> int:
    path = f"/runs/{uid}/logs/{PATH}?offset={offset}"
    return int(json.loads(api.call(path, data))["size"])


def ask(studio: Studio, uid: str, text: str, more: str) -> bytes:
    api = studio.api()
    return api.send("GET", f"{api.base}/runs/{uid}/find?find={quote(text)}{more}")


def in_memory(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(LAST) < 0:
            raise RuntimeError("the last line is not in the file")


def first_hit_ms(studio: Studio, uid: str) -> float:
    """From the request to the first hit, after which the connection is closed."""
    api = studio.api()
    began = time.perf_counter()
    api.http.request("GET", f"{api.base}/runs/{uid}/find?find=step", headers=api.headers)
    answer = api.http.getresponse()
    while json.loads(answer.readline())["type"] != "hit":
        continue
    taken = (time.perf_counter() - began) * 1e3
    api.http.close()
    return taken
