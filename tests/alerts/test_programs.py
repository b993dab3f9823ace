"""Alert rules and the mail at the end of a run, from the SDK and the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Workspace
from studio.sdk.errors import ServiceException
from tests import make


@pytest.fixture(autouse=True)
def private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(tmp_path / "spool"))


@pytest.fixture
def token(transactional_db: None, people: Any, workspace: Any) -> str:
    return make.token(people.bob, workspace=workspace)


def test_rules_are_made_listed_and_deleted(live_server: Any, token: str) -> None:
    ws = Workspace("lab", url=live_server.url, token=token)

    made = ws.alert_rules.create("Broken", query="is:mine", statuses=["Failed"])
    assert [one["name"] for one in ws.alert_rules.list()] == ["Broken"]
    ws.alert_rules.delete(made)
    assert ws.alert_rules.list() == []


def test_one_is_told_when_a_run_ends(
    live_server: Any, token: str, run: Any, people: Any, tmp_path: Path
) -> None:
    from studio.alerts.models import AlertRule

    ws = Workspace("lab", url=live_server.url, token=token)
    ws.get_run(run.uid).notify_when_ends()
    rule = AlertRule.objects.get()
    assert (rule.owner, rule.run, rule.once) == (people.bob, run, True)
    ws.get_run(run.uid).notify_when_ends(on=False)
    assert not AlertRule.objects.exists()

    address = {"STUDIO_URL": live_server.url, "STUDIO_WORKSPACE": "lab", "STUDIO_TOKEN": token}
    done = subprocess.run(
        [sys.executable, "-m", "studio.cli", "run", "notify", "-r", run.uid],
        # Here a studio that was started before has left the way to itself.
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **address},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = {"run_id": run.uid, "notify": True, "rule": AlertRule.objects.get().uid}
    assert json.loads(done.stdout) == told
    people.bob.email = ""
    people.bob.save()
    AlertRule.objects.all().delete()
    with pytest.raises(ServiceException, match="account page"):
        ws.get_run(run.uid).notify_when_ends()
