"""Files of MLflow clients through the real server: connections stay in step, memory stays small."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from studio.sdk import Experiment, Run
from tests.live.studio import Studio

FILES = "/api/2.0/mlflow-artifacts/artifacts"
BIG = 50 * 1024 * 1024

pytestmark = pytest.mark.live


class Wire:
    """One connection, on which requests are written as bytes."""

    def __init__(self, studio: Studio, token: str) -> None:
        self.token = token
        self.socket = socket.create_connection(("127.0.0.1", studio.port), timeout=60)
        self.input = self.socket.makefile("rb")

    def send(
        self, method: str, path: str, *headers: str, body: bytes = b"", token: str = ""
    ) -> Any:
        """(status, body) of a request; the connection must stay open."""
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {token or self.token}",
            *headers,
        ]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        status = int(self.input.readline().split()[1])
        found = {}
        while (line := self.input.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            found[name.lower()] = value.strip()
        assert found.get(b"connection", b"keep-alive") != b"close", (method, path, status)
        return status, self.input.read(int(found[b"content-length"]))


def new_run(studio: Studio) -> Run:
    return Experiment(studio.workspace, "mlflow-files").start_logging(snapshot_directory=None)


def sized(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def test_refused_bodies_leave_the_connection_in_step(shared_studio: Studio) -> None:
    run = new_run(shared_studio)
    place = f"{FILES}/1/{run.id}/artifacts"
    wire = Wire(shared_studio, shared_studio.config["token"])
    bodies = (b"x", b"GET / HTTP/1.1\r\n\r\n" * 10, os.urandom(3_000_000))
    for body in bodies:
        for path, token, wanted in (
            (f"{place}/a", "studio_wrong", 401),
            (f"{FILES}/1/none/artifacts/a", "", 404),
            (f"{place}/..%2fa", "", 400),
            (f"{place}/", "", 400),
        ):
            assert wire.send("PUT", path, sized(body), body=body, token=token)[0] == wanted
            assert wire.send("GET", "/healthz")[0] == 200
    chunked = "Transfer-Encoding: chunked"
    assert wire.send("PUT", f"{place}/zero", chunked, body=b"0\r\n\r\n")[0] == 200
    assert wire.send("PUT", f"{place}/..", chunked, body=b"3\r\nabc\r\n0\r\n\r\n")[0] == 400
    assert wire.send("PUT", f"{place}/some", chunked, body=b"3\r\nabc\r\n0\r\n\r\n")[0] == 200
    assert wire.send("GET", f"{place}/zero") == (200, b"")
    assert wire.send("GET", f"{place}/some") == (200, b"abc")
    status, told = wire.send("GET", f"{FILES}?path=1/{run.id}/artifacts")
    assert status == 200
    assert {one["path"]: one["file_size"] for one in json.loads(told)["files"]} == {
        "zero": 0,
        "some": 3,
    }
    run.complete()


def test_a_large_file_passes_both_ways_without_being_held(
    shared_studio: Studio, tmp_path: Path
) -> None:
    run = new_run(shared_studio)
    address = f"{shared_studio.url}{FILES}/1/{run.id}/artifacts/big.bin"
    headers = {"Authorization": f"Bearer {shared_studio.config['token']}"}
    big = tmp_path / "big"
    piece = os.urandom(1024 * 1024)
    with big.open("wb") as stream:
        for _ in range(BIG // len(piece)):
            stream.write(piece)
    pool = urllib3.PoolManager(retries=False)
    pool.request("PUT", f"{address}-first", body=b"x", headers=headers)
    before = _resident(shared_studio)
    with big.open("rb") as stream:
        answer = pool.request(
            "PUT", address, body=stream, headers={**headers, "Content-Length": str(BIG)}
        )
    assert answer.status == 200
    got = pool.request("GET", address, headers=headers, preload_content=False)
    pieces = iter(lambda: got.read(len(piece)), b"")
    assert all(one == piece for one in pieces)
    assert _resident(shared_studio) - before < BIG // 2
    run.complete()


def _resident(studio: Studio) -> int:
    """Bytes that the processes of the studio hold."""
    assert studio.process is not None
    top = psutil.Process(studio.process.pid)
    return sum(one.memory_info().rss for one in (top, *top.children(recursive=True)))
