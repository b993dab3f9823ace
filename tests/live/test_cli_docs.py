"""Every line of docs/cli.md, of the README and of the help that begins with `studio` runs."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Experiment
from tests.cli.running import commands, studio
from tests.live.studio import ROOT, Studio

pytestmark = pytest.mark.live

# Who is to be told by mail needs an address.
HAS_MAIL = "from studio.accounts.models import User as U; U.objects.update(email='a@example.org')"
REDIRECTION = re.compile(r"\s+(?:\d?>>?|<)\s*\S+")


def lines_of(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines = [line.replace(".venv/bin/python -m studio.cli ", "studio ") for line in lines]
    return [line for line in lines if line.startswith("studio ")]


def examples() -> list[str]:
    """Those of the help, with the end of the login last."""
    found = [line.strip() for _, command in commands() for line in command.example.splitlines()]
    return sorted((line for line in found if line), key=lambda line: "logout" in line)


@pytest.fixture
def project(folder: Path) -> Path:
    """With all that the lines name."""
    (folder / "projects").mkdir()
    chatty = "fixtures/training/chatty"
    shutil.copytree(ROOT / chatty, folder / chatty)
    (folder / "notes.md").write_text("# Notes")
    (folder / "requirements.txt").write_text("")
    return folder


def run_of(shared_studio: Studio) -> Any:
    experiment = Experiment(shared_studio.workspace, "explore-runs")
    return experiment.start_logging(snapshot_directory=None)


def finished(shared_studio: Studio) -> str:
    run = run_of(shared_studio)
    run.complete()
    return str(run.id)


@pytest.mark.parametrize("page", ["docs/cli.md", "README.md", "help"])
def test_every_line_that_people_may_copy_runs(
    shared_studio: Studio, project: Path, page: str
) -> None:
    lines = examples() if page == "help" else lines_of(page)
    url, token = shared_studio.url, shared_studio.config["token"]
    run_id, gone = finished(shared_studio), False
    going = run_of(shared_studio)
    shared_studio.manage("shell", "-v0", "-c", HAS_MAIL)
    studio("folder", "attach", "-w", "default", "-e", "explore-runs")
    for line in lines:
        if gone and "restore" not in line:
            run_id, gone = finished(shared_studio), False
        words = REDIRECTION.sub("", line).replace("-w lab", "-w default")
        words = re.sub(r"https://studio\.example\.org|http://127\.0\.0\.1:8000", url, words)
        words = re.sub(r"\bID\b", going.id if "notify" in line else run_id, words)
        if "run restore" in line and not gone:
            studio("run", "delete", "-r", run_id)
        done = studio(*shlex.split(words)[1:], input=token)
        assert done.code == 0, (line, done.err)
        gone = "run delete" in line or "run fail" in line
        if "logout" in line:
            studio("login", url, input=token)
    going.complete()
    assert len(lines) > (30 if page != "README.md" else 0)


def test_every_command_stands_in_the_docs() -> None:
    told = "\n".join(lines_of("docs/cli.md"))

    assert [words for words, _ in commands() if "studio " + " ".join(words) not in told] == []
