"""A studio whose bytes lie in a bucket: logs, files and sources, also while the service is away."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.blobs.bucket import Bucket, serving
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

SCRIPT = """
import hashlib, os, pathlib, sys, time
print("secrets:", [name for name in os.environ if name.startswith("AWS_")])
go = pathlib.Path(sys.argv[1])
n = 0
while not go.exists():
    print(f"line {n}", flush=True)
    n += 1
    time.sleep(0.02)
print(f"last {n}", flush=True)
data = os.urandom(20_000_000)
os.makedirs("outputs", exist_ok=True)
pathlib.Path("outputs/model.bin").write_bytes(data)
print("sum", hashlib.sha256(data).hexdigest())
"""


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving() as found:
        yield found


@pytest.fixture
def studio(bucket: Bucket, tmp_path: Path) -> Iterator[Studio]:
    found = Studio(tmp_path, STUDIO_STORAGE_URL=bucket.url, STUDIO_LOG_EVERY_S="0.2").start()
    yield found
    found.stop()


def test_a_training_lives_through_a_storage_that_is_away(
    studio: Studio, bucket: Bucket, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    run: Any = submit(studio, write_script(tmp_path / "src", SCRIPT), arguments=[str(go)])
    wait_until(lambda: "line 20\n" in log_of(run), 30, "a log that grows in the bucket")

    def away(environ: dict[str, Any], start: Any, server: Any) -> Any:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"<Error><Code>InternalError</Code></Error>"
        start("500 Internal Server Error", [("Content-Length", str(len(body)))])
        return [body]

    bucket.fault = away
    n_before = len(bucket.asked)
    wait_until(lambda: len(bucket.asked) > n_before + 8, 60, "a worker that tries again")
    go.touch()
    bucket.fault = None

    status = status_of(run, timeout_s=90)
    assert status == "Completed", (log_of(run)[-300:], studio.log.read_text()[-3000:])
    text = log_of(run)
    lines = text.splitlines()
    assert lines[0] == "secrets: []"
    n = int(next(line for line in lines if line.startswith("last ")).split()[1])
    assert lines[1 : n + 1] == [f"line {i}" for i in range(n)]
    target = tmp_path / "model.bin"
    run.download_file("outputs/model.bin", str(target))
    assert f"sum {hashlib.sha256(target.read_bytes()).hexdigest()}" in lines
    assert not any(files for _, _, files in os.walk(tmp_path / "home" / "blobs"))
