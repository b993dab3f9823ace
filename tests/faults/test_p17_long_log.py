"""P17 and P19: a log of gigabytes is opened, searched, followed and downloaded by its parts; and
who follows one misses nothing and sees nothing twice, whatever happens on the way."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from studio.sdk import Experiment
from tests.amount import dice, form
from tests.faults.conftest import Promise
from tests.live.studio import ROOT, Studio
from tests.waiting import answers, wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

MB = 1 << 20
PIECE_BYTES = 4_000_000  # one request may carry 4 MB
N_PIECES = form(32, 1_250)
MOST_GROWTH_BYTES = 100 * MB
MOST_WINDOW_BYTES = 2 * MB
LINE = b"%015d the loss goes down and up again ERRoR\n"
LOG = "logs/output.txt"


class Log:
    """A run's log as a client sees it that writes and reads bytes."""

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio = studio
        self.run: Any = Experiment(studio.workspace, name).start_logging(
            snapshot_directory=None, outputs=False
        )
        self.base = f"{studio.url}/api/v1/workspaces/default/runs/{self.run.id}"
        self.bearer = {"Authorization": f"Bearer {studio.config['token']}"}

    def append(self, offset: int, data: bytes) -> bool:
        """Whether it was acknowledged."""
        headers = self.bearer | {"Content-Type": "application/octet-stream"}
        try:
            answer = urllib3.request(
                "POST", f"{self.base}/logs/{LOG}?offset={offset}", body=data, headers=headers,
                retries=False, timeout=60,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError):
            return False
        assert answer.status in {200, 201, 503}, answer.data
        return answer.status < 300

    def get(self, path: str, **headers: str) -> Any:
        return urllib3.request(
            "GET", f"{self.base}/{path}", headers=self.bearer | headers,
            preload_content=False, retries=False, timeout=60,
        )  # fmt: skip


class Watched:
    """What the web server's processes read and hold."""

    def __init__(self, studio: Studio) -> None:
        web = studio.child("web")
        self.processes = [web, *web.children(recursive=True)]
        self.first_bytes = self.held()
        self.most_bytes = self.first_bytes

    def held(self) -> int:
        return sum(process.memory_info().rss for process in self.processes)

    def read(self) -> int:
        """Bytes of all reads so far, of files and requests."""
        return sum(process.io_counters().read_chars for process in self.processes)

    def look(self) -> None:
        self.most_bytes = max(self.most_bytes, self.held())


def piece(number: int) -> bytes:
    """Lines with their numbers, so that each is known wherever it is read."""
    n = PIECE_BYTES // len(LINE % 0)
    return b"".join(LINE % (number * n + i) for i in range(n))


def test_a_long_log_is_read_by_its_parts(shared_studio: Studio, promise: Promise) -> None:
    log, digest, size = Log(shared_studio, "long-log"), hashlib.sha256(), 0
    for number in range(N_PIECES):
        data = piece(number)
        assert log.append(size, data)
        digest.update(data)
        size += len(data)
    promise("P17", "a long log opened, searched, downloaded", n=f"{size // MB} MB")
    n_lines = size // len(LINE % 0)
    watched, waits = Watched(shared_studio), []
    before = watched.read()
    for first in (1, n_lines // 2, n_lines - 99):
        began = time.monotonic()
        answer = log.get(f"log-lines?path={LOG}&first={first}&n=100")
        data = answer.read()
        waits.append(time.monotonic() - began)
        assert len(data) < MOST_WINDOW_BYTES
        assert b"%015d " % (first - 1) in data
        assert b"%015d " % (first + 98) in data
        watched.look()
    part = log.get(f"artifacts/{LOG}", Range=f"bytes={size // 2}-{size // 2 + 999}")
    assert (part.status, len(part.read())) == (206, 1_000)
    # Blocks around the lines and the index: what is asked for does not grow with the log.
    n_read = watched.read() - before
    assert n_read < 16 * MB

    found = log.get(f"find?find={n_lines - 8:015d}").read().splitlines()
    said = [json.loads(line) for line in found]
    assert [one["line"] for one in said if one["type"] == "hit"] == [n_lines - 7]
    watched.look()

    down, got = hashlib.sha256(), log.get(f"artifacts/{LOG}")
    for data in got.stream(MB):
        down.update(data)
        watched.look()
    assert down.digest() == digest.digest()

    assert log.append(size, b"the last line\n")
    told = log.get(f"log-lines?path={LOG}&first={n_lines + 1}&n=100").read()
    assert b"the last line" in told
    grew = watched.most_bytes - watched.first_bytes
    promise(grew_mb=grew / MB, windows_read_mb=n_read / MB, slowest_window_s=max(waits))
    assert grew < MOST_GROWTH_BYTES
    log.run.complete()


def kill_web(studio: Studio) -> None:
    """The web server dies with all its processes, and is there again."""
    web = studio.child("web")
    for process in [*web.children(recursive=True), web]:
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: answers(f"{studio.url}/healthz"), 90, "the web server")


def monitoring(studio: Studio, log: "Log", folder: Path) -> "subprocess.Popen[bytes]":
    """A terminal that follows the log by the command line, into the file `out`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
    env |= {"PYTHONPATH": str(ROOT), "STUDIO_URL": studio.url}
    env |= {"STUDIO_TOKEN": str(studio.config["token"]), "STUDIO_WORKSPACE": "default"}
    with (folder / "out").open("wb") as out:
        words = [sys.executable, "-m", "studio.cli", "run", "monitor-logs", "-r", log.run.id]
        return subprocess.Popen(words, cwd=folder, env=env, stdout=out)


def test_who_follows_a_log_through_cuts_and_restarts_reads_what_was_written(
    shared_studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    n_kills = form(1, 20)
    log, chance, over = Log(shared_studio, "followed"), dice("followed"), threading.Event()
    written = bytearray()

    def write() -> None:
        """A line at a time or many, each again until it is acknowledged."""
        while not over.is_set():
            line = b"%d xxxxxxxxx\n" % len(written)
            data = line * chance.randint(1, 50)
            while not log.append(len(written), data):
                over.wait(0.1)
            written.extend(data)
            over.wait(0.01)

    followed = bytearray()

    def follow() -> None:
        """Each connection is left in the midst of what it brings."""
        offset = len(followed)
        try:
            answer = log.get(f"artifacts/{LOG}", Range=f"bytes={offset}-")
            if answer.status in {200, 206}:  # all of it, or a part
                followed.extend(answer.read(chance.randint(1, 4_000)))
            answer.close()
        except (urllib3.exceptions.HTTPError, OSError):
            over.wait(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    terminal = monitoring(shared_studio, log, tmp_path)
    wait_until(lambda: (tmp_path / "out").stat().st_size > 100, 60, "the command to follow")

    def follow_on(until: Callable[[], bool]) -> None:
        wait_until(lambda: follow() or until(), 90, "the log to be followed", every_s=0.001)

    for kill in range(n_kills):
        follow_on(lambda kill=kill: len(followed) > 5_000 * (kill + 1))  # type: ignore[misc]
        kill_web(shared_studio)
    follow_on(lambda: len(followed) > 5_000 * (n_kills + 1))
    over.set()
    writer.join(60)
    log.run.complete()
    follow_on(lambda: len(followed) == len(written))
    assert terminal.wait(60) == 0
    assert followed == written
    assert (tmp_path / "out").read_bytes() == written
    promise("P19", "a log followed through cuts and kills", n=n_kills, kb=len(written) // 1024)
