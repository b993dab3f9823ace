"""`pip install .` on every Python of this machine that may use the SDK: the first lines of the
README, a run that is submitted, the command line. In the long form only: it asks a package index.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.amount import IS_LONG
from tests.faults.conftest import Promise
from tests.live.studio import ROOT, Studio, status_of, write_script

pytestmark = [pytest.mark.live, pytest.mark.faults]

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
SUBMIT = """
import sys
from studio.sdk import Experiment, ScriptRunConfig, Workspace
exp = Experiment(workspace=Workspace.from_config(), name="pythons")
config = ScriptRunConfig(source_directory="src", script="train.py", environment=sys.executable)
print(exp.submit(config).id)
"""
TRAIN = """
import sys
from studio.sdk import Run
run = Run.get_context(allow_offline=False)
run.log("python", sys.version_info[1])
"""


def interpreters() -> dict[str, str]:
    """Version -> program, of those on the PATH that start."""
    found = {}
    for version in VERSIONS:
        path = shutil.which(f"python{version}")
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            found[version] = path
    return found


def wheel(folder: Path) -> Path:
    """The package as it is shipped, built from a copy of its sources."""
    source = folder / "source"
    for name in ("cli", "sdk", "wire"):
        shutil.copytree(ROOT / "studio" / name, source / "studio" / name)
    for name in ("pyproject.toml", "studio/__init__.py"):
        shutil.copy(ROOT / name, source / name)
    out(interpreters()["3.11"], "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def out(*words: object, cwd: Path | None = None) -> str:
    """What a program prints; it must succeed. Nothing of this process leads it to our sources."""
    ours = re.compile("STUDIO_|PYTHONPATH|VIRTUAL_ENV|PYENV_VERSION")
    environment = {k: v for k, v in os.environ.items() if not ours.match(k)}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


if IS_LONG:

    def test_the_package_works_on_every_python_there_is(
        shared_studio: Studio, tmp_path: Path, promise: Promise
    ) -> None:
        found = interpreters()
        promise("The package", *found, "works", n=len(found))
        package = wheel(tmp_path)
        lines = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[0]
        for version, path in found.items():
            out(path, "-m", "venv", tmp_path / version)
            python = tmp_path / version / "bin" / "python"
            out(python, "-m", "pip", "install", "-q", package)
            folder = write_script(shared_studio.folder / version, lines, "first.py")
            write_script(folder / "src", TRAIN)
            out(python, folder / "first.py", cwd=folder)
            uid = out(python, "-c", SUBMIT, cwd=folder).strip()
            run = shared_studio.workspace.get_run(uid)
            assert status_of(run, timeout_s=60) == "Completed", run.get_details()
            assert run.get_metrics() == {"python": [float(version.split(".")[1])]}
            program = python.with_name("studio")
            shown = out(program, "run", "show", "-r", uid, "--query", "status", cwd=folder)
            assert "Completed" in shown
        first = shared_studio.workspace.runs.search("experiment:explore-runs")
        assert [one.get_status() for one in first] == ["Completed"] * len(found)
