"""Fixtures of the SDK tests: a fake studio, and training scripts run as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.sdk import Experiment, Workspace
from tests.sdk.fake_server import FakeStudio

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def studio() -> Iterator[FakeStudio]:
    with FakeStudio() as fake:
        yield fake


@pytest.fixture(autouse=True)
def private_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STUDIO_MONITOR", "0")
    for name in ("STUDIO_RUN_ID", "STUDIO_URL", "STUDIO_TOKEN", "STUDIO_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "spool"


@pytest.fixture
def workspace(studio: FakeStudio) -> Workspace:
    return Workspace("default", url=studio.url, token="secret")


@pytest.fixture
def experiment(workspace: Workspace) -> Experiment:
    return Experiment(workspace, "trials")


class Training:
    """Starts training scripts; each sees `exp`, an experiment of the fake studio."""

    def __init__(self, studio: FakeStudio, folder: Path) -> None:
        self.studio, self.folder = studio, folder
        self.environment = {
            **os.environ,
            "STUDIO_URL": studio.url,
            "STUDIO_TOKEN": "secret",
            "STUDIO_WORKSPACE": "default",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, code: str) -> subprocess.Popen[str]:
        head = "from studio.sdk import *\nexp = Experiment(Workspace.from_config(), 'trials')\n"
        script = self.folder / "train.py"
        script.write_text(head + textwrap.dedent(code))
        return subprocess.Popen(
            [sys.executable, str(script)],
            env=self.environment,
            cwd=self.folder,
            text=True,
            # A script that reads a line waits until the test asks for its end.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, code: str, *, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        process = self.start(code)
        out, errors = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess([], process.returncode, out, errors)


@pytest.fixture
def training(studio: FakeStudio, tmp_path: Path) -> Training:
    folder = tmp_path / "project"
    folder.mkdir()
    return Training(studio, folder)
