"""Too many clients at once: ones that log, ones that send the beginning of a request and wait, ones
that send huge bodies, and one that asks whether the server is well."""

import json
import socket
import threading
import time
import uuid
from collections import Counter
from typing import Any

import urllib3

from studio.wire import Batch, Series
from tests.live.studio import Studio


class Crowd:
    """Threads that load one studio until `stop`; what they were answered is counted."""

    def __init__(self, studio: Studio, run: Any) -> None:
        self.studio, self.run = studio, run
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.without_retry_after = 0
        self.acknowledged: dict[str, list[int]] = {}
        self.health_s: list[float] = []
        self.threads: list[threading.Thread] = []
        self.headers = {"Authorization": f"Bearer {studio.config['token']}"}
        self.pool = urllib3.PoolManager(maxsize=100, retries=False)
        self.base = f"{studio.url}/api/v1/workspaces/default/runs/{run.id}"

    def add(self, n: int, work: Any) -> None:
        for i in range(n):
            thread = threading.Thread(target=self._until_over, args=(work, i), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _until_over(self, work: Any, number: int) -> None:
        while not self.over.is_set():
            try:
                work(number)
            except (OSError, urllib3.exceptions.HTTPError) as error:
                self._count(f"{work.__name__}: {type(error).__name__}", 0)

    def _count(self, what: str, status: int, headers: Any = None) -> None:
        with self.lock:
            self.answers[what, status] += 1
            if status in {429, 503} and "Retry-After" not in (headers or {}):
                self.without_retry_after += 1

    def _send(self, what: str, method: str, url: str, body: bytes | None, kind: str) -> int:
        headers = {**self.headers, "Content-Type": kind}
        answer = self.pool.request(method, url, body=body, headers=headers, timeout=60)
        self._count(what, answer.status, answer.headers)
        return int(answer.status)

    # ------------------------------------------------------------ what clients do
    def log(self, number: int) -> None:
        """One batch of ten points; remembered when it was acknowledged."""
        name = f"value{number}"
        first = len(self.acknowledged.get(name, [])) * 10
        steps = list(range(first, first + 10))
        now = [time.time()] * 10
        series = Series(name, "scalar", now, [float(step) for step in steps], steps)
        body = json.dumps(Batch(uuid.uuid4().hex, (series,)).dump()).encode()
        if self._send("log", "POST", f"{self.base}/batches", body, "application/json") < 300:
            self.acknowledged.setdefault(name, []).append(first)

    def list_runs(self, number: int) -> None:
        url = f"{self.studio.url}/api/v1/workspaces/default/runs"
        self._send("list", "GET", url, None, "application/json")

    def upload(self, number: int) -> None:
        """A file of 30 MB, then more where a batch is expected."""
        body = b"x" * 30_000_000
        octets = "application/octet-stream"
        self._send("upload", "PUT", f"{self.base}/artifacts/big{number}", body, octets)
        self._send("large batch", "POST", f"{self.base}/batches", body * 2, "application/json")

    def crawl(self, number: int) -> None:
        """The head of a request, a letter at a time, without an end."""
        host, _, port = self.studio.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            while not self.over.wait(0.5):
                connection.sendall(b"x")

    def ask_health(self, number: int) -> None:
        began = time.monotonic()
        with urllib3.PoolManager(retries=False) as fresh:
            status = fresh.request("GET", f"{self.studio.url}/healthz", timeout=20).status
        self.health_s.append(time.monotonic() - began)
        self._count("health", status)
        self.over.wait(0.2)

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(90)
