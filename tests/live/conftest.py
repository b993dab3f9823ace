"""A studio of a test's own, for faults that the other tests must not feel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import studio as run_studio
from tests.live.shared import show_log
from tests.live.studio import Studio, write_script

TRAIN = """
import os, pathlib, sys
from studio.sdk import Run
run = Run.get_context()
print("training", *sys.argv[1:], os.environ.get("STAGE", ""), flush=True)
pathlib.Path("logs/more").mkdir(parents=True, exist_ok=True)
pathlib.Path("logs/more/steps.txt").write_text("one step")
if "--fail" in sys.argv:
    raise ValueError("no data")
"""

__all__ = ["show_log"]


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path / "studio").start()
    yield studio
    studio.stop()
    show_log(studio)


@pytest.fixture
def folder(shared_studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a script, in the home of somebody who is logged in."""
    for name in ("URL", "TOKEN", "WORKSPACE", "RUN_ID", "OUTPUT"):
        monkeypatch.delenv(f"STUDIO_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(tmp_path / "spool"))
    project = write_script(tmp_path / "project", TRAIN)
    monkeypatch.chdir(project)
    done = run_studio("login", shared_studio.url, input=shared_studio.config["token"] + "\n")
    assert done.code == 0, done.err
    return project


@pytest.fixture
def attached(folder: Path) -> Path:
    assert run_studio("folder", "attach", "-w", "default", "-e", "cli").code == 0
    return folder
