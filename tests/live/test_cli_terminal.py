"""The command line on a terminal: questions, colours; and what the SDK finds of it."""

import json
import os
import select
import sys
from pathlib import Path

import pytest

from studio.sdk import Experiment
from tests.cli.running import studio
from tests.live.studio import ROOT, Studio

pytestmark = pytest.mark.live


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *words: str, **environment: str) -> None:
        import pty

        self.pid, self.screen = pty.fork()
        if not self.pid:
            os.environ.update({"PYTHONPATH": str(ROOT), "TERM": "xterm", **environment})
            os.execv(sys.executable, [sys.executable, "-m", "studio.cli", *words])
        self.seen = ""

    def wait_for(self, text: str) -> None:
        while text not in self.seen:
            assert select.select([self.screen], [], [], 30)[0], self.seen
            self.seen += os.read(self.screen, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def end(self) -> int:
        """The exit code, when everything was read."""
        try:
            while piece := os.read(self.screen, 4096):
                self.seen += piece.decode()
        except OSError:  # how Linux says that the other end is closed
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_on_a_terminal_the_token_is_asked_for_and_not_shown(
    shared_studio: Studio, folder: Path
) -> None:
    terminal = Terminal("login", shared_studio.url, "--no-browser")
    terminal.wait_for("Token: ")
    assert f"Create a token on {shared_studio.url}/account" in terminal.seen
    terminal.type(shared_studio.config["token"] + "\n")
    assert terminal.end() == 0
    assert '"user": "admin"' in terminal.seen
    assert shared_studio.config["token"] not in terminal.seen

    asked = Terminal("login", shared_studio.url, "--no-browser")
    asked.wait_for("Token: ")
    asked.type("\x03")
    assert asked.end() == 130
    assert "Traceback" not in asked.seen


def test_colours_are_for_terminals_and_not_for_those_who_refuse_them(
    shared_studio: Studio, folder: Path
) -> None:
    trials = Experiment(shared_studio.workspace, "cli-colours")
    trials.start_logging(snapshot_directory=None).complete()
    words = ("run", "list", "-e", "cli-colours", "-o", "table")

    coloured, plain = Terminal(*words), Terminal(*words, NO_COLOR="1")

    assert (coloured.end(), plain.end()) == (0, 0)
    assert "\x1b[32mCompleted" in coloured.seen
    assert "\x1b" not in plain.seen
    assert "\x1b" not in studio(*words).out


def test_the_sdk_finds_what_login_and_attach_left(
    shared_studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.sdk import Workspace

    assert studio("folder", "attach", "-w", "default").code == 0
    assert Workspace.from_config().get_details()["name"] == "default"

    theirs = folder / "old" / ".azureml" / "config.json"
    theirs.parent.mkdir(parents=True)
    ids = {"subscription_id": "x", "resource_group": "y"}
    theirs.write_text(json.dumps({**ids, "workspace_name": "default"}))
    assert Workspace.from_config(folder / "old").get_details()["role"] == "owner"
    monkeypatch.setenv("STUDIO_TOKEN", "studio_wrong")
    assert studio("whoami").code == 0  # the folder's address is not that of the token
    monkeypatch.setenv("STUDIO_URL", shared_studio.url)
    assert studio("whoami").code == 1
