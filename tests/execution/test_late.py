"""What a script left in its folder outlives the folder."""

from pathlib import Path

import pytest

from studio.compute.models import Worker
from studio.execution.claims import Claim, claim_next
from studio.execution.late import send_late
from studio.runs.models import Run
from studio.sdk.dead import dead_letter, read_dead
from studio.sdk.spool import Request

pytestmark = [pytest.mark.django_db, pytest.mark.data]
# With an end of line in it, as logs have them.
LOST = Request("/runs/x/batches", b"{}\n{}", "POST", "http://studio.invalid", "default", 7)


@pytest.fixture
def claim(worker: Worker, queued: Run) -> Claim:
    found = claim_next(worker)
    assert found is not None
    return found


def test_what_the_studio_refused_is_kept_on_the_machine_and_told(
    claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, machine = tmp_path / "run", tmp_path / "machine"
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(folder / "spool"))
    for _ in range(2):
        dead_letter(LOST, "422 metrics[0].name: contains a NUL.")
    monkeypatch.setenv("STUDIO_SPOOL_DIR", str(machine))

    assert send_late(claim, folder, patience_s=0)

    (kept,) = machine.glob("*.dead")
    assert [request for _, request in read_dead(kept)] == [LOST, LOST]
    claim.run.refresh_from_db()
    (warning,) = claim.run.warnings
    assert warning == (
        "2 requests of the script, with 14 points, were refused for good: 422 metrics[0].name: "
        f"contains a NUL. They are kept in {machine} on its machine"
    )


def test_a_folder_without_anything_left_is_not_looked_through(claim: Claim, tmp_path: Path) -> None:
    assert send_late(claim, tmp_path / "none")
    claim.run.refresh_from_db()
    assert claim.run.warnings == []
