"""Bad input and a full disk, seen from the client: each a clear message, nothing lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import submit

pytestmark = [pytest.mark.live]

NOISY = """
from studio.sdk import Run
run = Run.get_context()
for i in range(4000):
    print(f"line {i} " + "x" * 1000)
    run.log("i", float(i), step=i)
print("trained to the end")
"""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    assert os.geteuid() == 0, "mounting a small file system needs root"
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.faults
def test_a_full_disk_is_told_and_training_goes_on(tmp_path: Path, tiny_disk: Path) -> None:
    studio = Studio(tmp_path / "studio", STUDIO_STORAGE_URL=f"file://{tiny_disk}").start()
    try:
        run = submit(studio, write_script(tmp_path / "src", NOISY))
        assert status_of(run, "Completed", timeout_s=60) == "Completed"
        assert len(run.get_metrics()["i"]) == 4000
        (log,) = [item for item in artifacts_of(run) if item["path"] == "logs/output.txt"]
        assert "bytes are missing" in log["damage"]
        assert 0 < log["size"] <= 2 * 1024 * 1024
        assert "could not be stored" in str(run.get_details()["warnings"])
        answer = run.read_log("logs/output.txt") if hasattr(run, "read_log") else b""
        assert b"line 0 " in bytes(answer) or answer == b""
    finally:
        studio.stop()


def artifacts_of(run: Any) -> list[dict[str, Any]]:
    client = run._client
    return list(client.items(run._channel.path("artifacts"), limit=500))


def test_each_misuse_has_its_own_clear_error(shared_studio: Studio, tmp_path: Path) -> None:
    from studio.sdk import Experiment, ScriptRunConfig, Workspace
    from studio.sdk import errors as kinds

    workspace = shared_studio.workspace
    experiment = Experiment(workspace, "misuse")
    run = experiment.start_logging(snapshot_directory=None)
    with pytest.raises(kinds.StudioError, match="no run"):
        workspace.get_run("0" * 32)
    with pytest.raises(kinds.StudioError, match=r"(?i)token"):
        Workspace.get("default", url=shared_studio.url, token="studio_wrong")
    run.add_properties({"author": "first"})
    with pytest.raises(kinds.StudioError, match="can't be changed"):
        run.add_properties({"author": "second"})
    assert run.get_properties()["author"] == "first"
    with pytest.raises(kinds.StudioError, match=r"100,?000"):
        run.description = "x" * 10_000_000
    folder = write_script(tmp_path / "src", "print(1)\n")
    outside = write_script(tmp_path / "elsewhere", "print(2)\n", "other.py")
    with pytest.raises(kinds.StudioError, match=r"source_directory|inside"):
        experiment.submit(
            ScriptRunConfig(source_directory=str(folder), script=str(outside / "other.py"))
        )
    with pytest.raises(kinds.StudioError, match="compute target"):
        experiment.submit(
            ScriptRunConfig(
                source_directory=str(folder), script="train.py", compute_target="nowhere"
            )
        )
    run.complete()
    with pytest.raises(kinds.StudioError, match="already Completed"):
        run.start()


def test_a_script_that_is_not_in_the_snapshot_fails_with_words(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(tmp_path / "src", "import nothing_of_that_name\n")
    run = submit(shared_studio, folder)
    status_of(run, "Failed")
    assert "nothing_of_that_name" in str(run.get_details()["error"])
