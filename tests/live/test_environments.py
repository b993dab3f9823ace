"""The Python of a run on a real worker: built once, cancelled while it is built, failed with words;
and what runs can't see of each other."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Environment
from tests.compute.wheels import write_wheel
from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import submit
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.tasks]

# It reports, so that the SDK is there too, and shows where everything came from.
TRAIN = """
import os, shutil, sys
import tiny
from studio.sdk import Run
run = Run.get_context()
run.log("answer", tiny.ANSWER)
print("prefix", sys.prefix)
print("first on the path", shutil.which("python"))
print("variables", os.environ.get("FLAVOUR"))
"""
# Never ends to build.
BACKEND = """
import os, pathlib, time
def build_wheel(*_):
    pathlib.Path("BEGAN").write_text(" ".join(os.environ))
    time.sleep(600)
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
NEIGHBOUR = """
import os, pathlib, time
mine, other = os.environ["MINE"], os.environ["OTHER"]
here = pathlib.Path.cwd()
(here / f"{mine}.txt").write_text(mine)
meeting = pathlib.Path(os.environ["MEETING"])
(meeting / mine).write_text(str(here))
while not (meeting / other).exists():
    time.sleep(0.02)
print("folders differ", (meeting / other).read_text() != str(here))
print("files", sorted(path.name for path in here.iterdir()))
print("variables", sorted(name for name in os.environ if name.startswith("SECRET_OF_")))
print("groups", os.getpgid(0) == os.getpid(), os.environ["STUDIO_RUN_ID"])
"""


def logs(run: Any) -> dict[str, str]:
    return dict(run.get_details_with_logs()["logFiles"])


def printed(run: Any) -> dict[str, str]:
    """What the script printed: first word(s) -> the rest of the line."""
    lines = logs(run)["logs/output.txt"].splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if " " in line}


def slow_source(folder: Path) -> tuple[Path, Path]:
    """A source whose requirement never ends to build, and the file that tells that it began."""
    began = folder / "began"
    write_script(folder / "src", "print('ran')\n")
    write_script(folder / "src" / "slow", BACKEND.replace("BEGAN", str(began)), "backend.py")
    write_script(folder / "src" / "slow", PYPROJECT, "pyproject.toml")
    write_script(folder / "src", "./slow\n", "requirements.txt")
    return folder / "src", began


def environments(studio: Studio) -> list[str]:
    folder = studio.folder / "home" / "environments"
    return sorted(path.name for path in folder.glob("*-????????"))


def test_an_environment_is_built_once_and_found_by_the_next_run(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(tmp_path / "src", TRAIN)
    write_wheel(folder / "wheels", "tiny", "1.0", source="ANSWER = 42\n")
    write_script(folder, "# ours\n./wheels/tiny-1.0-py3-none-any.whl\n", "requirements.txt")
    chosen = Environment.from_pip_requirements("tiny", "requirements.txt")
    chosen.environment_variables["FLAVOUR"] = "mint"
    runs = []
    for source in ("built", "cache"):
        run = submit(shared_studio, folder, environment=chosen)
        run.wait_for_completion()
        assert run.get_metrics() == {"answer": [42]}
        assert run.get_properties()["environment.source"] == source
        runs.append(run)
    first, second = runs
    prefix = printed(first)["prefix"]
    assert prefix == printed(second)["prefix"]
    assert prefix != sys.prefix
    assert printed(first)["first"] == f"on the path {prefix}/bin/python"
    assert printed(first)["variables"] == "mint"
    assert "1 package" in logs(first)["logs/environment.txt"]
    assert "from an earlier run" in logs(second)["logs/environment.txt"]
    key = first.get_properties()["environment.key"]
    assert key == second.get_properties()["environment.key"]
    assert [name for name in environments(shared_studio) if name.startswith(key)]
    record = first._fetch()
    assert record["definition"]["environment"] == {
        "kind": "built", "name": "tiny", "requirements": "requirements.txt"
    }  # fmt: skip
    assert record["warnings"] == []


def test_a_cancel_while_it_is_built_ends_the_installer_and_leaves_nothing(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder, began = slow_source(tmp_path)
    before = environments(shared_studio)
    run = submit(shared_studio, folder, environment="requirements.txt")
    wait_until(began.exists, 30, "the build to begin")
    secret = {"STUDIO_TOKEN", "STUDIO_ADMIN_PASSWORD", "STUDIO_SECRET_KEY", "DATABASE_URL"}
    assert not secret & set(wait_until(began.read_text).split())
    wait_until(lambda: "Building environment" in str(run._fetch()["status_reason"]), 10)
    assert run.get_status() == "Preparing"
    wait_until(lambda: "Building" in logs(run).get("logs/environment.txt", ""), 10, "a live log")
    assert len(shared_studio.processes_of(run.id)) >= 3
    run.cancel()
    status_of(run, "Canceled")
    assert shared_studio.processes_of(run.id) == []
    wait_until(lambda: environments(shared_studio) == before, 10, "the half-built one to go")


def test_a_build_that_fails_says_why_and_what_to_do(shared_studio: Studio, tmp_path: Path) -> None:
    folder = write_script(tmp_path / "src", "print('ran')\n")
    write_script(folder, "--no-index\nnot-there-at-all==9\n", "requirements.txt")
    run = submit(shared_studio, folder, environment="requirements.txt")
    status_of(run, "Failed")
    error = run._fetch()["error"]
    assert error["code"] == "EnvironmentFailed"
    assert "correct the requirements" in error["message"]
    assert "not-there-at-all" in error["traceback"]
    write_script(folder, "-e .\n", "requirements.txt")
    run = submit(shared_studio, folder, environment="requirements.txt")
    status_of(run, "Failed")
    assert "requirements.txt, line 1: an editable install" in run._fetch()["error"]["message"]


def test_any_python_can_report_without_installing_anything(
    shared_studio: Studio, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    text = "from studio.sdk import Run\nRun.get_context().log('x', 1)\n"
    python = str(bare / "bin" / "python")
    run = submit(shared_studio, write_script(tmp_path / "src", text), environment=python)
    run.wait_for_completion()
    assert run.get_metrics() == {"x": [1]}
    assert run.get_properties()["environment.interpreter"] == python


def test_two_runs_of_one_source_see_nothing_of_each_other(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(tmp_path / "src", NEIGHBOUR)
    (tmp_path / "meeting").mkdir()
    runs = []
    for mine, other in (("a", "b"), ("b", "a")):
        variables = {"MINE": mine, "OTHER": other, "MEETING": str(tmp_path / "meeting")}
        chosen = Environment(environment_variables={**variables, f"SECRET_OF_{mine}": "x"})
        runs.append(submit(shared_studio, folder, environment=chosen))
    for name, run in zip("ab", runs, strict=True):
        run.wait_for_completion()
        assert printed(run) == {
            "folders": "differ True",
            "files": str([f"{name}.txt", "logs", "outputs", "train.py"]),
            "variables": f"['SECRET_OF_{name}']",
            "groups": f"True {run.id}",
        }


@pytest.mark.faults
def test_a_worker_that_dies_while_building_is_an_attempt_that_never_began(
    own_studio: Studio, tmp_path: Path
) -> None:
    folder, began = slow_source(tmp_path)
    run = submit(own_studio, folder, environment="requirements.txt")
    wait_until(began.exists, 30, "the build to begin")
    first = own_studio.processes_of(run.id)
    began.unlink()
    os.kill(own_studio.child("worker").pid, signal.SIGKILL)
    wait_until(began.exists, 60, "the second attempt")
    assert [process for process in first if process.is_running()] == []
    words = [event["message"] for event in run.history() if event["after"] == "Queued"]
    assert "Attempt 2 of 3: its worker ended before it began" in words
    assert "Attempt 2: building environment" in str(run._fetch()["status_reason"])
    assert len(environments(own_studio)) == 1
    run.cancel()
    status_of(run, "Canceled")
