"""P30: a studio starts from a backup of another one and shows what that had."""

from pathlib import Path

import pytest

from studio.artifacts.models import MAIN_LOG
from studio.sdk import Experiment, ScriptRunConfig
from tests.live.shared import show_log
from tests.live.studio import Studio, status_of, write_script
from tests.live.web_hosts import Browser

pytestmark = pytest.mark.live

SAYS = "print('kept through fire and water')"


def test_a_studio_starts_from_a_backup_and_shows_its_runs(
    shared_studio: Studio, tmp_path: Path
) -> None:
    source = write_script(tmp_path / "source", SAYS)
    config = ScriptRunConfig(source_directory=str(source), script="train.py")
    run = Experiment(shared_studio.workspace, "restored").submit(config)
    status_of(run, "Completed")
    file = str(tmp_path / "backup.tar")
    shared_studio.manage("backup", file)

    other = Studio(tmp_path / "other")
    other.folder.mkdir()
    assert "rows" in other.manage("restore", file)
    try:
        other.start()
        person = Browser()
        person.sign_in(other.url)
        page = person.get(f"{other.url}/w/default/runs/{run.id}")
        lines = f"{other.url}/w/default/runs/{run.id}/log-lines?path={MAIN_LOG}&from=1&n=10"
        assert (page.status_code, "Completed" in page.text) == (200, True)
        assert "kept through fire and water" in person.get(lines).text
        # The other's worker takes work, too: what it needs came with the backup.
        again = Experiment(other.workspace, "restored").submit(config)
        assert status_of(again) == "Completed"
    finally:
        other.stop()
        show_log(other)
