"""P16: a full disk is told and costs what has no room; the rest works on, and all of it again when
there is room."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Promise
from tests.faults.trainings import LONG
from tests.live.conftest import show_log
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import submit
from tests.live.test_trouble import artifacts_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

DISK_MB = 64 if LONG else 4
LINE = "x" * 999 + "\n"
N_LINES = DISK_MB * 1500
# Floods the disk, waits until somebody made room, and says so.
FLOOD = """
import os, sys, time
from studio.sdk import Run
run, control, n = Run.get_context(allow_offline=False), sys.argv[1], int(sys.argv[2])
for i in range(n):
    sys.stdout.write("x" * 999 + "\\n")
    if i % 100 == 0: run.log("i", i, step=i)
sys.stdout.flush()
open(control + "/full", "w").close()
while not os.path.exists(control + "/room"): time.sleep(0.05)
print("after the flood", flush=True)
open("outputs/model", "w").write("weights" * 1000)
"""
LOST = re.compile(rb"\n?\[studio\] (\d+) bytes of output lost: disk full\n")


def mount(folder: Path, options: str) -> None:
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(words, check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    assert os.geteuid() == 0, "mounting a small file system needs root"
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, f"size={DISK_MB}m")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def studio(tmp_path: Path, disk: Path) -> Iterator[Studio]:
    places = {"STUDIO_STORAGE_URL": f"file://{disk}/blobs", "STUDIO_RUNS_DIR": f"{disk}/runs"}
    made = Studio(tmp_path / "studio", **places).start()
    yield made
    made.stop()
    show_log(made)


def put(run: Any, name: str, data: bytes) -> int:
    """The status of one upload."""
    return run._client.send("PUT", run._channel.path("artifacts", name), body=data).status


def stored(run: Any, name: str) -> bytes:
    return run._client.send("GET", run._channel.path("artifacts", name)).data


def test_a_full_disk_is_told_and_everything_goes_on_when_there_is_room(
    studio: Studio, disk: Path, tmp_path: Path, promise: Promise
) -> None:
    promise("P16", "a full disk is told")
    from studio.sdk import Experiment

    side = Experiment(studio.workspace, "side").start_logging(snapshot_directory=None)
    before, late = os.urandom(100_000), os.urandom(1_000_000)
    assert put(side, "before", before) == 201
    source = write_script(tmp_path / "src", FLOOD)
    run = submit(studio, source, arguments=[str(tmp_path), str(N_LINES)])
    wait_until((tmp_path / "full").exists, 120, "the training to have written more than fits")

    statuses = [put(side, f"late{i}", late) for i in range(5)]
    assert set(statuses) == {507}
    assert run._client.send("GET", "/runs").status == 200
    assert run.get_status() == "Running"
    assert stored(side, "before") == before
    side.log("still", 1.0)
    side.complete()
    assert side.get_metrics()["still"] == [1.0]

    mount(disk, f"remount,size={DISK_MB * 8}m")
    assert put(side, "late", late) == 201
    assert stored(side, "late") == late
    (tmp_path / "room").touch()
    assert status_of(run, timeout_s=90) == "Completed", run.get_details()
    assert stored(run, "outputs/model") == b"weights" * 1000
    assert len(run.get_metrics()["i"]) == N_LINES // 100
    check_log(run)


def check_log(run: Any) -> None:
    """Every byte is there, or counted where it is missing; the run says so."""
    (log,) = [item for item in artifacts_of(run) if item["path"] == "logs/output.txt"]
    data = stored(run, "logs/output.txt")
    assert len(data) == log["size"]
    n_lost = sum(int(number) for number in LOST.findall(data))
    assert n_lost > 0
    kept = LOST.sub(b"", data)
    assert kept.endswith(b"after the flood\n")
    assert set(kept.removesuffix(b"after the flood\n")) == set(b"x\n")
    assert len(kept) + n_lost == N_LINES * len(LINE) + len("after the flood\n")
    assert f"{n_lost:,} bytes of output were lost" in log["damage"]
    assert "No space left" in log["damage"]
    print(f"{len(kept):,} bytes kept, {n_lost:,} lost and told: {log['damage']}")
