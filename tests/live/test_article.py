"""The Python samples of the article, run as they stand in one process against a real studio.

Only the import line differs, and what a sample takes for granted is made first: `local_run`, the
scripts it names, their imports, and in parent.py the workspace `ws` and the name of the target.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.studio import ROOT, Studio, status_of
from tests.waiting import wait_until

pytestmark = pytest.mark.live

TEXT = (ROOT / "tests" / "fixtures" / "article_samples.md").read_text()
SAMPLES = [
    block.replace("azureml.core", "studio.sdk")
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S)
]
DELAY = "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n"
CHILDREN = """
from studio.sdk import Run
run = Run.get_context()
for c, child in enumerate(run.create_children(count=5)):
    child.log(name="Hello from child run", value=c)
    child.complete()
print("made children")
"""
CHILD = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--fruit")
from studio.sdk import Run
Run.get_context().log("fruit", parser.parse_args().fruit)
"""


class Notebook:
    """Runs samples one after the other in one namespace, as cells."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def run(self, *beginnings: str) -> None:
        """The samples that begin with each of the texts."""
        for beginning in beginnings:
            (sample,) = (block for block in SAMPLES if block.startswith(beginning))
            cell = re.sub(r"^!(.*)$", r"__shell(\1)", sample, flags=re.M)
            cell = re.sub(r"__shell\((.*)\)", lambda found: f"__shell({found[1]!r})", cell)
            exec(compile(cell, beginning, "exec"), self.names)

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture(scope="module")
def project(shared_studio: Studio) -> Path:
    """A folder below that of the config, with the scripts the samples name."""
    folder = shared_studio.folder / "article"
    folder.mkdir(exist_ok=True)
    (parent,) = (block for block in SAMPLES if block.startswith("# parent.py"))
    begin = "from studio.sdk import Workspace\nws = Workspace.from_config()\n"
    scripts = {
        "hello_with_delay.py": DELAY,
        "hello_with_children.py": CHILDREN,
        "parent.py": begin + parent.replace("gpu-cluster", "local"),
        "child.py": CHILD + "".join(block for block in SAMPLES if "In child run script" in block),
        "grandchild.py": "from studio.sdk import Run\n"
        + next(block for block in SAMPLES if "grandchild" in block),
    }
    for name, text in scripts.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def cells(project: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    monkeypatch.chdir(project)
    notebook = Notebook()
    notebook.names["__shell"] = lambda command: subprocess.run(command, shell=True, check=True)
    notebook.run("import studio.sdk", "print(studio.sdk.VERSION)")
    return notebook


def test_a_run_is_started_followed_labelled_and_found(
    cells: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    cells.run("notebook_run = exp.start_logging()", "print(notebook_run.get_status())")
    cells.run("print(notebook_run.get_details())")
    assert "Running" in capsys.readouterr().out
    assert "endTimeUtc" not in cells.notebook_run.get_details()
    first = cells.notebook_run
    cells.run("notebook_run.complete()", "with exp.start_logging() as notebook_run")
    assert capsys.readouterr().out.split() == ["Completed", "Running", "Completed"]
    assert first.get_metrics() == cells.notebook_run.get_metrics()
    assert first.get_metrics() == {"message": ["Hello from run!"]}

    local_run = cells.names["local_run"] = cells.notebook_run
    cells.run("local_run.add_properties", "try:")
    assert "can't be changed" in capsys.readouterr().out
    assert local_run.get_properties()["author"] == "azureml-user"
    cells.run('local_run.tag("quality"', 'local_run.tag("worth')
    tags = {"quality": "fantastic run", "worth another look": None}
    assert local_run.get_tags() == tags
    cells.run("list(exp.get_runs(")
    author, exp = {"author": "azureml-user"}, cells.exp
    for wanted in ({"quality": "fantastic run"}, "worth another look"):
        assert list(exp.get_runs(properties=author, tags=wanted)) == [local_run]
    assert list(exp.get_runs(properties=author, tags={"quality": "great run"})) == []
    assert list(exp.get_runs(properties={"author": "nobody"}, tags="worth another look")) == []


def test_a_submitted_run_is_cancelled_and_another_marked_as_failed(
    cells: Notebook, shared_studio: Studio
) -> None:
    cells.run("src = ScriptRunConfig(source_directory='.', script='hello_with_delay.py')")
    cancelled = cells.local_run
    cells.run("local_run = exp.submit(src)\nlocal_run.fail()")
    assert status_of(cancelled, "Canceled") == "Canceled"
    assert cells.local_run.get_status() == "Failed"
    for run in (cancelled, cells.local_run):
        wait_until(lambda run=run: not shared_studio.processes_of(run.id), 30, "no process")


def test_children_are_made_in_a_script_and_here(
    cells: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    cells.run("!more hello_with_children.py", "print(parent_run.get_children())")
    printed = capsys.readouterr().out
    assert "made children" in printed
    assert "Execution Summary" in printed
    for parent in (cells.local_run, cells.parent_run):
        children = list(parent.get_children())
        assert [child.status for child in children] == ["Completed"] * 5
        logged = parent.get_metrics("Hello from child run", recursive=True)
        found = [logged[child.id]["Hello from child run"] for child in children]
        assert sorted(found) == [[0], [1], [2], [3], [4]]


def test_a_parent_submits_children_which_reach_their_root(cells: Notebook) -> None:
    sdk, exp = cells.studio.sdk, cells.exp
    run = exp.submit(sdk.ScriptRunConfig(".", "parent.py"))
    details = run.wait_for_completion()
    assert details["status"] == "Completed"
    launched = [f"Launching {fruit}" for fruit in ("Apple", "Banana", "Orange")]
    assert run.get_metrics() == {"Status": launched}
    children = {child.id: child for child in run.get_children()}
    assert {child.parent.id for child in children.values()} == {run.id}
    fruits = run.get_metrics("fruit", recursive=True)
    assert sorted(fruits[uid]["fruit"][0] for uid in children) == ["Apple", "Banana", "Orange"]
    # Another level below: its root is the parent above.
    child = next(iter(children.values()))
    grandchild = child.submit_child(sdk.ScriptRunConfig(".", "grandchild.py"))
    grandchild.wait_for_completion()
    text = f"Data from child run {grandchild.id}"
    assert run.get_metrics("MyMetric") == {"MyMetric": [text]}
    assert set(run.get_children(recursive=True)) == {*children.values(), grandchild}
    assert "child.py" in json.dumps(child.get_details()["runDefinition"])
