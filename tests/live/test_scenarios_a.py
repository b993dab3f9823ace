"""What a person does with runs, end to end: scenarios 2 to 25 (test_scenarios_table.py has all).

The number of each scenario stands above what shows it.
"""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import (
    ActivityFailedException,
    Experiment,
    PropertyConflictException,
    RunDetails,
    ScriptRunConfig,
    UserErrorException,
)
from tests.live.studio import ROOT, Studio, status_of, write_script

pytestmark = pytest.mark.live

HELLO = """
from studio.sdk import Run
run = Run.get_context()
run.log("message", "Hello from run!")
print("said hello", flush=True)
"""
PARENT = """
from studio.sdk import Run, ScriptRunConfig
run = Run.get_context()
good = run.submit_child(ScriptRunConfig(".", "child.py", ["--fruit", "Apple"]))
bad = run.submit_child(ScriptRunConfig(".", "child.py", ["--fruit", "None"]))
for child in run.get_children():
    child.wait_for_completion(raise_on_error=False)
"""
CHILD = """
import sys
from studio.sdk import Run
if sys.argv[2] == "None":
    raise ValueError("there is no such fruit")
Run.get_context().log("fruit", sys.argv[2])
"""


@pytest.fixture
def exp(shared_studio: Studio) -> Experiment:
    return Experiment(shared_studio.workspace, "scenarios")


def begun(exp: Experiment, **options: Any) -> Any:
    return exp.start_logging(snapshot_directory=None, outputs=False, **options)


def test_an_experiment_is_made_once_and_its_name_is_checked(shared_studio: Studio) -> None:
    # 2
    workspace = shared_studio.workspace
    first, again = (Experiment(workspace, "explore-once") for _ in range(2))
    assert [e.name for e in Experiment.list(workspace)].count("explore-once") == 1
    with pytest.raises(UserErrorException, match="not an experiment name"):
        Experiment(workspace, "explore runs")
    first.tag("team", "vision")
    again.refresh()
    assert again.tags == {"team": "vision"}
    first.archive()
    assert "explore-once" not in workspace.experiments
    first.reactivate()
    assert "explore-once" in workspace.experiments


def test_an_interactive_run_shows_itself_while_it_runs_and_ends(
    exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_script(tmp_path / "work", "print(1)"))
    subprocess.run("git init -q && git add . && git commit -qm x", shell=True, check=True)
    run = exp.start_logging()
    # 3
    run.log("message", "Hello from run!")
    assert run.get_status() == "Running"
    assert run.get_metrics() == {"message": ["Hello from run!"]}
    # 4
    page = run._repr_html_()
    assert all(cell in page for cell in ("scenarios", run.id, "interactive", "Running"))
    assert f'href="{run.get_portal_url()}"' in page
    # 5
    details = run.get_details()
    assert {"azureml.git.commit", "ContentSnapshotId"} <= set(details["properties"])
    assert (details["runId"], details["target"], details["submittedBy"]) == (
        run.id, "local", "admin"
    )  # fmt: skip
    assert details["startTimeUtc"]
    assert "logFiles" in details
    assert "endTimeUtc" not in details
    # 6, 33
    Path("outputs/model.txt").write_text("weights")
    run.complete()
    assert run.get_details()["endTimeUtc"] > details["startTimeUtc"]
    assert run.get_status() == "Completed"
    assert "outputs/model.txt" in run.get_file_names()
    assert "Hello from run!" in RunDetails(run)._repr_html_()


def test_a_with_block_ends_the_run_by_how_it_ends(exp: Experiment) -> None:
    # 7
    with begun(exp) as good:
        assert good.get_status() == "Running"
    assert good.get_status() == "Completed"
    with pytest.raises(ValueError, match="bad batch"), begun(exp) as bad:
        raise ValueError("bad batch")
    error = bad.get_details()["error"]
    assert bad.get_status() == "Failed"
    assert "ValueError" in error["message"]
    assert "bad batch" in error["message"]
    # 8
    with pytest.raises(SystemExit), begun(exp) as left:
        sys.exit(0)
    assert left.get_status() == "Completed"


def test_a_script_is_submitted_followed_and_its_sources_come_back(
    exp: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_script(tmp_path / "p", HELLO, "hello.py")
    write_script(source / "outputs", "", "large.bin")
    (source / ".amlignore").write_text("/outputs\n")
    # 9
    run = exp.submit(ScriptRunConfig(source_directory=source, script="hello.py"))
    assert run.status == "Queued"
    # 11
    details = run.wait_for_completion(show_output=True)
    printed = capsys.readouterr().out
    assert details["status"] == "Completed"
    assert "said hello" in printed
    assert printed.index("said hello") < printed.index("Execution Summary")
    assert "said hello" in "".join(run.get_details_with_logs()["logFiles"].values())
    # 10
    assert run.get_metrics() == {"message": ["Hello from run!"]}
    by_hand = subprocess.run(
        [sys.executable, "hello.py"],
        cwd=source,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert by_hand.returncode == 0, by_hand.stderr
    assert "Attempted to log text metric message: 'Hello from run!'" in by_hand.stdout
    # 21
    archive = run.restore_snapshot(path=tmp_path / "snapshots")
    assert Path(archive).name == f"{run.get_snapshot_id()}.zip"
    with zipfile.ZipFile(archive) as files:
        assert sorted(files.namelist()) == [".amlignore", "hello.py"]
        files.extractall(tmp_path / "again")
    again = exp.submit(ScriptRunConfig(tmp_path / "again", "hello.py"))
    assert again.wait_for_completion()["status"] == "Completed"
    assert again.get_snapshot_id() == run.get_snapshot_id()


def test_properties_stay_tags_change_and_both_find_the_run(exp: Experiment) -> None:
    with begun(exp) as run:
        # 13
        run.add_properties({"author": "scenario-user"})
        with pytest.raises(PropertyConflictException):
            run.add_properties({"author": "different-user"})
        run.add_properties({"author": "scenario-user", "newer": "fine"})
        found = run.get_properties()
        assert (found["author"], found["newer"]) == ("scenario-user", "fine")
        # 14
        run.tag("quality", "great run")
        run.tag("quality", "fantastic run")
        run.tag("worth another look")
        # 35
        run.tag("Competition Rank", 1)
        tags = {"quality": "fantastic run", "worth another look": None, "Competition Rank": "1"}
        assert run.get_tags() == tags
        # 15
        author = {"author": "scenario-user"}
        assert list(exp.get_runs(properties=author, tags={"quality": "fantastic run"})) == [run]
        assert list(exp.get_runs(properties=author, tags="worth another look")) == [run]
        assert not list(exp.get_runs(properties=author, tags={"quality": "great run"}))
        assert not list(exp.get_runs(properties={"author": "x"}, tags="worth another look"))
        run.remove_tags(["quality"])
        assert "quality" not in run.get_tags()
        # Ours: status, dates, query.
        mine = {"properties": author, "started_after": "-1h", "query": "-status:failed"}
        assert list(exp.get_runs(status=["Running", "Queued"], **mine)) == [run]
        assert list(exp.get_runs(status="Running", properties=author)) == [run]
        assert not list(exp.get_runs(status="Failed", properties=author))
        assert not list(exp.get_runs(properties=author, started_before="-1h"))


def test_children_complete_and_reach_their_root(exp: Experiment) -> None:
    with begun(exp) as parent:
        # 17
        for number in range(5):
            with parent.child_run() as child:
                child.log("Hello from child run", number)
        # 24, 25
        with parent.child_run(name="kept") as child, child.child_run() as grandchild:
            assert grandchild.parent.id == child.id
            grandchild.parent.parent.log("MyMetric", "from below")
    children = list(parent.get_children())
    assert [c.status for c in children] == ["Completed"] * 6
    assert parent.get_metrics() == {"MyMetric": ["from below"]}
    assert set(parent.get_children(recursive=True)) == {*children, grandchild}


def test_a_failed_child_leaves_its_parent_completed(exp: Experiment, tmp_path: Path) -> None:
    # 23
    source = write_script(tmp_path / "p", PARENT, "parent.py")
    write_script(source, CHILD, "child.py")
    run = exp.submit(ScriptRunConfig(source, "parent.py"))
    run.wait_for_completion()
    assert run.get_status() == "Completed"
    ended = {c.get_details()["status"]: c for c in run.get_children()}
    assert set(ended) == {"Completed", "Failed"}
    # 12
    with pytest.raises(ActivityFailedException, match='"code": "ValueError"') as raised:
        ended["Failed"].wait_for_completion()
    assert "no such fruit" in str(raised.value)
    details = ended["Failed"].wait_for_completion(raise_on_error=False)
    assert details["status"] == "Failed"
    assert list(run.get_children(status="Failed")) == [ended["Failed"]]


def test_a_submitted_run_is_marked_as_failed_with_a_reason(exp: Experiment, tmp_path: Path) -> None:
    # 20
    source = write_script(tmp_path / "p", "import time\ntime.sleep(600)\n")
    run = exp.submit(ScriptRunConfig(source, "train.py"))
    run.fail("why", "MyCode")
    assert status_of(run, "Failed") == "Failed"
    error = run.get_details()["error"]
    assert (error["code"], error["message"]) == ("MyCode", "why")
