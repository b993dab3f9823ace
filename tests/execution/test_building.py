"""What a run is told when its environment could not be made, and what it is told when it was."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts.actions import find_artifact
from studio.compute.environment_builder import REPORT_FILE
from studio.compute.environments import Built, Store
from studio.compute.launcher import GuardHandle, LaunchSpec, adopt, launch
from studio.compute.models import Job, Worker
from studio.execution.building import EnvironmentBuild, EnvironmentFailed
from studio.execution.claims import claim_next
from studio.runs.lifecycle import explain, transition
from studio.runs.models import Run
from studio.runs.status import Status
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.data]

FULL = "A disk of the worker is full"
READY = {"python": sys.executable, "version": "3.11.7", "source": "built", "key": "k" * 32}


@pytest.fixture
def build(worker: Worker, queued: Run, tmp_path: Path, settings: Any) -> EnvironmentBuild:
    settings.STUDIO_ENVIRONMENTS_DIR = tmp_path / "store"
    claim = claim_next(worker)
    assert claim is not None
    made = EnvironmentBuild(claim, folder=tmp_path, work=tmp_path / "work")
    made.folder.mkdir()
    return made


def ended(build: EnvironmentBuild, script: str) -> GuardHandle:
    """The guard of an installer that did this and is over."""
    spec = LaunchSpec(
        run_key="test",
        argv=["sh", "-c", script],
        cwd=build.folder,
        env=dict(os.environ),
        folder=build.folder,
        log_file=build.log_file,
    )
    guard = launch(spec)
    assert guard.wait(20)
    guard.close()
    return guard


def report(build: EnvironmentBuild, **facts: Any) -> None:
    (build.folder / REPORT_FILE).write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'ERROR: none fits.'", "pip ended with exit code 1",
         "pip ended with exit code 1: ERROR: none fits. All it said is in logs/environment.txt: "
         "correct the requirements, then submit again."),
        ("echo 'No space left on device'", "uv ended with exit code 2", FULL),
        ("true", "No space left on device (/x)", FULL),
        ("kill -9 $$", "", "The installer was ended by SIGKILL"),
        ("true", "", "The installer ended without a word"),
        ("true", "There is no Python at /x.", "There is no Python at /x."),
    ],
)  # fmt: skip
def test_a_failed_build_says_why(
    build: EnvironmentBuild, script: str, error: str, words: str
) -> None:
    guard = ended(build, script)
    if error:
        report(build, state="failed", error=error)
    with pytest.raises(EnvironmentFailed) as failed:
        build.result(guard)
    assert str(failed.value).startswith(words)
    build.close_log()
    log = find_artifact(build.claim.run, "logs/environment.txt")
    assert (log is not None) == script.startswith("echo")


def test_an_environment_is_held_while_its_run_goes_on(build: EnvironmentBuild) -> None:
    store = Store(build.store_folder)
    store.publish(
        Built("k" * 32, str(store.new_folder("k" * 32)), sys.executable, "3.11.7", 1, 9, 1)
    )
    report(build, state="ready", **READY, prefix="/e", n_packages=1, seconds=1, missing=["urllib3"])
    python = build.result(ended(build, "true"))
    os.utime(build.store_folder / f"{'k' * 32}.json", (1, 1))
    assert (python.path, python.prefix) == (sys.executable, "/e")
    assert (Path(python.modules) / "urllib3" / "__init__.py").exists()
    assert store.shrink(0) == []
    build.let_go()
    assert store.shrink(0) == ["k" * 32]


def test_an_environment_is_held_while_a_run_goes_on_without_its_worker(
    build: EnvironmentBuild,
) -> None:
    key = "k" * 32
    store = Store(build.store_folder)
    store.publish(Built(key, str(store.new_folder(key)), sys.executable, "3.11.7", 1, 9, 1))
    report(build, state="ready", **READY, prefix="/e", n_packages=1, seconds=1, missing=[])
    build.result(ended(build, "true"))
    os.utime(build.store_folder / f"{key}.json", (1, 1))
    spec = LaunchSpec(
        run_key="test",
        argv=["sleep", "600"],
        cwd=build.folder,
        env=dict(os.environ),
        folder=build.folder / "script",
        keeps=build.keeps,
    )
    guard = launch(spec)
    pid = wait_until(lambda: (known := guard.status()) and known.pid, 20)
    assert f"{key}.use" not in {path.resolve().name for path in Path(f"/proc/{pid}/fd").iterdir()}
    guard.hand_over(60)
    build.let_go()
    assert store.shrink(0) == []
    taken = wait_until(lambda: adopt(guard.folder, guard.cookie), 5)
    taken.kill()
    assert guard.wait(20)
    assert store.shrink(0) == [key]


def test_an_environment_that_went_meanwhile_is_told(build: EnvironmentBuild) -> None:
    report(build, state="ready", **READY, prefix="/e", n_packages=1, seconds=1, missing=[])
    with pytest.raises(EnvironmentFailed, match="Submit the run again"):
        build.result(ended(build, "true"))


def test_an_old_python_is_warned_of_and_facts_that_are_taken_change_nothing(
    build: EnvironmentBuild, queued: Run
) -> None:
    facts = {"python": "/py", "version": "3.8.1", "source": "given", "prefix": "", "key": ""}
    report(build, state="ready", **facts, n_packages=0, seconds=0, missing=[])
    build.result(ended(build, "true"))
    queued.properties.create(workspace=queued.workspace, key="environment.python", value="mine")
    build.write_facts()
    queued.refresh_from_db()
    first, second = queued.warnings
    assert "was not stored" in str(first)
    assert "Python 3.8.1 can't import studio.sdk" in str(second)


def test_only_the_holder_says_what_a_run_prepares(build: EnvironmentBuild, queued: Run) -> None:
    lease = build.claim.lease
    assert not explain(queued, "too early", lease=lease)
    transition(queued, Status.PREPARING, by=build.claim.actor, lease=lease)
    assert not explain(queued, "not mine", lease="another")
    report(build, state="building", n_packages=12)
    build.follow()
    queued.refresh_from_db()
    assert queued.status_reason == "Building environment (12 packages)"


def test_the_log_of_a_second_attempt_does_not_continue_the_first(
    build: EnvironmentBuild, tmp_path: Path
) -> None:
    Job.objects.update(n_attempts=2)
    build.claim.job.refresh_from_db()
    again = EnvironmentBuild(build.claim, folder=tmp_path, work=tmp_path)
    assert again.shipper.path == "logs/environment.2.txt"


def test_two_builds_of_one_attempt_write_two_logs(build: EnvironmentBuild, queued: Run) -> None:
    for path in ("logs/environment.txt", "logs/environment.2.txt"):
        build.name_log()
        assert build.shipper.path == path
        ended(build, "echo built")
        build.shipper.offset = 0
        build.close_log()
        assert find_artifact(queued, path) is not None
