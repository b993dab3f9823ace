"""Ingest over HTTP: batches of 1,000 points, calls with one point, and making runs ("0 points").

Starts gunicorn (1 worker, 8 threads) on a fresh SQLite database; beside each figure stands the same
job in bare SQLite, measured in the same minute. Run: python benchmarks/bench_ingest.py [seconds]
"""

import http.client
import json
import multiprocessing
import os
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
PORT = int(os.environ.get("BENCH_PORT", "8791"))


def serve(home: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server on a new database, and a token for it."""
    env = os.environ | {"STUDIO_HOME": home, "STUDIO_LOG_LEVEL": "ERROR"}
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=env, check=True, cwd=ROOT)
    make = (
        "from studio.accounts.models import User; from studio.accounts.actions import *; "
        "add_workspace('w', owner=User.objects.create_superuser('u', password='x'))"
    )
    subprocess.run([*manage, "shell", "-v0", "-c", make], env=env, check=True, cwd=ROOT)
    token = subprocess.run(
        [*manage, "createtoken", "u", "--workspace", "w"],
        env=env, check=True, cwd=ROOT, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    gunicorn = [sys.executable, "-m", "gunicorn", "studio.wsgi", "-b", f"127.0.0.1:{PORT}"]
    gunicorn += ["-k", "gthread", "-w", "1", "--threads", "8", "--log-level", "error"]
    server = subprocess.Popen([*gunicorn, "--keep-alive", "60"], env=env, cwd=ROOT)
    for _ in range(200):
        try:
            http.client.HTTPConnection("127.0.0.1", PORT).connect()
            break
        except OSError:
            time.sleep(0.1)
    return server, token


class Caller:
    def __init__(self, token: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", PORT)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes) -> None:
        self.http.request("POST", f"/api/v1/workspaces/w{path}", body, self.headers)
        answer = self.http.getresponse()
        raw = answer.read()
        assert answer.status < 300, (answer.status, raw[:500])


def batch(n_points: int) -> bytes:
    """The body of a batch with a mark where its id goes: clients must not be the bottleneck."""
    now = time.time()
    series = {
        "name": "loss", "kind": "scalar", "steps": list(range(n_points)),
        "times": [now + i * 1e-3 for i in range(n_points)],
        "values": [1 / (1 + i + 0.123456789) for i in range(n_points)],
    }  # fmt: skip
    return json.dumps({"batch": "BATCH", "metrics": [series]}).encode()


def client(token: str, n_points: int, seconds: float) -> list[float]:
    """Latencies (s) of the calls one client made in `seconds`, all to one run of its own."""
    caller, uid, body = Caller(token), uuid.uuid4().hex, batch(n_points)
    new = {"uid": uid, "experiment": "bench", "start": True}
    caller.post("/runs", json.dumps(new).encode())
    found, end = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        caller.post(f"/runs/{uid}/batches", body.replace(b"BATCH", str(uuid.uuid4()).encode()))
        found.append(time.perf_counter() - begun)
    return found


def creator(token: str, seconds: float) -> list[float]:
    """Latencies (s) of making runs with four tags, one after the other."""
    caller, found, end = Caller(token), [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        new = {"uid": uuid.uuid4().hex, "experiment": "bench", "start": True}
        caller.post("/runs", json.dumps(new | {"tags": dict.fromkeys("abcd", "x")}).encode())
        found.append(time.perf_counter() - begun)
    return found


def cpu_s(server: psutil.Process) -> float:
    """CPU seconds of the server's processes so far."""
    times = [one.cpu_times() for one in [server, *server.children(recursive=True)]]
    return sum(one.user + one.system for one in times)


def load(token: str, *, n_clients: int, n_points: int, seconds: float) -> list[float]:
    """Latencies (s) of all calls of `n_clients` processes; without points they make runs."""
    with multiprocessing.Pool(n_clients) as pool:
        if n_points:
            parts = pool.starmap(client, [(token, n_points, seconds)] * n_clients)
        else:
            parts = pool.starmap(creator, [(token, seconds)] * n_clients)
    return [one for part in parts for one in part]


def bare_sqlite(home: str, n_points: int, seconds: float) -> float:
    """Transactions per second: one packed chunk each, same pragmas as the studio."""
    base = sqlite3.connect(Path(home) / "bare.sqlite3", isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=NORMAL")
    base.execute("CREATE TABLE c (id INTEGER PRIMARY KEY, metric INTEGER, data BLOB)")
    columns = [list(range(n_points)), [time.time()] * n_points, [0.123456789] * n_points]
    n, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        data = b"".join(
            struct.pack(f"<{n_points}{t}", *c) for t, c in zip("qdd", columns, strict=True)
        )
        base.execute("INSERT INTO c (metric, data) VALUES (1, ?)", (data,))
        n += 1
    return n / seconds


def line(took: list[float], seconds: float, n_points: int) -> str:
    rate = len(took) / seconds
    p50, p95 = statistics.median(took) * 1e3, statistics.quantiles(took, n=20)[-1] * 1e3
    return (
        f"{rate:8,.0f} calls/s {rate * n_points:10,.0f} points/s"
        f"  p50 {p50:6.2f} ms  p95 {p95:6.2f} ms"
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as home:
        server, token = serve(home)
        try:
            for n_points in (1000, 1, 0):
                per_second = bare_sqlite(home, n_points, 1.0) * n_points
                limit = f"limit {per_second:12,.0f} points/s"
                (Path(home) / "bare.sqlite3").unlink()
                for n_clients in (1, 4):
                    before = cpu_s(psutil.Process(server.pid))
                    took = load(token, n_clients=n_clients, n_points=n_points, seconds=seconds)
                    cpu_ms = (cpu_s(psutil.Process(server.pid)) - before) / len(took) * 1e3
                    found = line(took, seconds, n_points)
                    head = f"{n_points:5} points a call, {n_clients} clients:"
                    print(f"{head} {found}  cpu {cpu_ms:5.2f} ms  {limit}")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
