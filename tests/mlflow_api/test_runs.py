"""Runs as MLflow clients make, end, resume, delete and tag them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from studio.accounts.models import Scope, new_token
from studio.execution import reaper
from studio.execution.silence import given_up_at
from studio.runs.actions import cancel_run
from studio.runs.models import Run, RunEvent
from tests import make
from tests.mlflow_api.door import Door

pytestmark = pytest.mark.data
START, END = 1_700_000_000_123, 1_700_000_012_345


def created(door: Door, experiment: Any, **facts: Any) -> Run:
    made = door.made("runs/create", experiment_id=str(experiment.pk), **facts)["run"]
    return Run.objects.get(uid=made["info"]["run_id"])


def info(door: Door, run: Run) -> Any:
    return door.got("runs/get", run_id=run.uid, run_uuid=run.uid)["run"]["info"]


def tags_of(door: Door, run: Run) -> dict[str, str]:
    data = door.got("runs/get", run_uuid=run.uid)["run"]["data"]
    return {one["key"]: one["value"] for one in data["tags"]}


def test_a_run_is_made_and_ended_at_the_client_s_own_moments(door: Door, experiment: Any) -> None:
    run = created(
        door,
        experiment,
        start_time=START,
        user_id="ada",
        run_name="night",
        tags=[
            {"key": "mlflow.user", "value": "ada l"},
            {"key": "mlflow.note.content", "value": "# A *note*"},
            {"key": "long", "value": "ü" * 9_000},
        ],
    )
    ended = door.made("runs/update", run_id=run.uid, status="FINISHED", end_time=str(END))

    told = ended["run_info"]
    assert (told["status"], told["start_time"], told["end_time"]) == ("FINISHED", START, END)
    assert (told["run_name"], told["user_id"]) == ("night", "ada")
    assert tags_of(door, run) == {
        "long": "ü" * 8_000,
        "mlflow.note.content": "# A *note*",
        "mlflow.runName": "night",
        "mlflow.user": "ada l",
    }
    run.refresh_from_db()
    assert (run.status, run.submitter.username, run.display_name) == ("Completed", "bob", "night")
    assert run.started_at == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert run.duration_s == pytest.approx(12.222)
    assert run.description_row.text == "# A *note*"
    assert (datetime.now(UTC) - run.created_at).total_seconds() < 60


def test_a_run_may_be_named_in_two_ways_that_must_agree(door: Door, experiment: Any) -> None:
    tag = [{"key": "mlflow.runName", "value": "by tag"}]
    assert created(door, experiment, tags=tag).display_name == "by tag"
    assert created(door, experiment).display_name
    refused = door.post(
        "runs/create", experiment_id=str(experiment.pk), run_name="by field", tags=tag
    )
    assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"

    run = created(door, experiment, run_name="first")
    door.made("runs/set-tag", run_uuid=run.uid, key="mlflow.runName", value="second")
    assert info(door, run)["run_name"] == "second"
    door.made("runs/update", run_id=run.uid, run_name="third")
    assert tags_of(door, run) == {"mlflow.runName": "third"}


def test_a_parent_s_tag_makes_a_child_at_any_depth(door: Door, experiment: Any) -> None:
    top = created(door, experiment)
    child = created(door, experiment, tags=[{"key": "mlflow.parentRunId", "value": top.uid}])
    below = created(door, experiment, tags=[{"key": "mlflow.parentRunId", "value": child.uid}])
    lost = created(door, experiment, tags=[{"key": "mlflow.parentRunId", "value": "f" * 32}])

    assert (child.parent, below.parent, below.root, lost.parent) == (top, child, top, None)
    assert tags_of(door, lost)["mlflow.parentRunId"] == "f" * 32
    assert tags_of(door, below)["mlflow.parentRunId"] == child.uid


def test_statuses_go_from_one_end_over_a_resumption_to_another(door: Door, experiment: Any) -> None:
    run = created(door, experiment, start_time=START)
    for status, end_time in (
        ("FINISHED", END),
        ("RUNNING", None),
        ("FAILED", END + 1),
        ("KILLED", END + 2),
        ("KILLED", END + 2),
        ("CRASHED", None),
        ("RUNNING", None),
        ("FINISHED", START - 5),
    ):
        door.made("runs/update", run_id=run.uid, status=status, end_time=end_time)
    run.refresh_from_db()

    assert (run.status, run.duration_s, run.ended_at) == ("Completed", 0.0, run.started_at)
    lines = RunEvent.objects.filter(run=run, kind="status").order_by("pk")
    assert list(lines.values_list("after", flat=True)) == [
        *("Running", "Completed", "Running", "Failed", "Running", "Canceled"),
        *("Running", "Completed"),
    ]
    assert lines[2].message == "Resumed"


@pytest.mark.parametrize(
    ("said", "status"), [("FINISHED", "Completed"), ("FAILED", "Canceled"), ("KILLED", "Canceled")]
)
def test_a_cancelled_run_takes_no_more_tags_and_ends_as_its_program_says(
    said: str, status: str, door: Door, experiment: Any, people: Any
) -> None:
    run = created(door, experiment)
    cancel_run(run, by=make.actor(people.alice), reason="wrong data")

    refused = door.post("runs/set-tag", run_id=run.uid, key="a", value="1")
    assert refused.status_code == 400
    assert "was cancelled by alice in the studio: wrong data" in refused.json()["message"]
    assert info(door, run)["status"] == "RUNNING"
    door.made("runs/update", run_id=run.uid, status=said)
    door.made("runs/set-tag", run_id=run.uid, key="seen", value="by bob")

    run.refresh_from_db()
    assert run.status == status


def test_a_late_report_does_not_overwrite_a_cancel_but_says_that_the_program_is_gone(
    door: Door, experiment: Any, people: Any
) -> None:
    run = created(door, experiment)
    cancel_run(run, by=make.actor(people.alice))
    Run.objects.filter(pk=run.pk).update(cancel_requested_at=datetime(2020, 1, 1, tzinfo=UTC))
    reaper.reap_unheard_cancels(reaper.database_now())
    assert door.post("runs/set-tag", run_id=run.uid, key="a", value="1").status_code == 400

    told = door.made("runs/update", run_id=run.uid, status="FINISHED")["run_info"]

    assert told["status"] == "KILLED"
    run.refresh_from_db()
    assert (run.status, run.evidence) == ("Canceled", None)
    door.made("runs/set-tag", run_id=run.uid, key="a", value="1")
    door.made("runs/update", run_id=run.uid, status="RUNNING")
    assert info(door, run)["status"] == "RUNNING"


def test_a_deleted_run_can_be_read_but_not_written_to_until_it_is_restored(
    door: Door, experiment: Any
) -> None:
    run = created(door, experiment)
    for _ in range(2):
        door.made("runs/delete", run_id=run.uid)

    found = info(door, run)
    assert (found["lifecycle_stage"], found["status"]) == ("deleted", "RUNNING")
    for path, more in (
        ("runs/set-tag", {"key": "a", "value": "1"}),
        ("runs/delete-tag", {"key": "a"}),
        ("runs/update", {"status": "FAILED"}),
    ):
        refused = door.post(path, run_id=run.uid, **more)
        assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE", path
    for _ in range(2):
        door.made("runs/restore", run_id=run.uid)
    assert info(door, run)["lifecycle_stage"] == "active"


def test_tags_of_a_run_are_set_and_removed_one_by_one(door: Door, run: Any) -> None:
    for key, value in (("a/b c.d:e-f_g", "1"), ("größe", "ü"), ("empty", ""), ("größe", "ö")):
        door.made("runs/set-tag", run_id=run.uid, key=key, value=value)
    door.made("runs/set-tag", run_id=run.uid, key="mlflow.note.content", value="text")
    door.made("runs/delete-tag", run_id=run.uid, key="mlflow.note.content")
    door.made("runs/delete-tag", run_id=run.uid, key="empty")

    assert tags_of(door, run) == {
        "a/b c.d:e-f_g": "1",
        "größe": "ö",
        "mlflow.runName": run.display_name,
    }
    for key in ("", "/lead", "..", "a//b", "semi;colon", "new\nline", "k" * 251):
        refused = door.post("runs/set-tag", run_id=run.uid, key=key, value="1")
        assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE", key
    absent = door.post("runs/delete-tag", run_id=run.uid, key="absent")
    assert (absent.status_code, absent.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_client_without_heartbeat_may_be_silent_for_a_day(
    door: Door, experiment: Any, settings: Any
) -> None:
    run = created(door, experiment)
    now = reaper.database_now()

    assert not reaper.reap_silent(now + timedelta(hours=23))
    assert reaper.reap_silent(now + timedelta(hours=24, minutes=2)) == 1
    run.refresh_from_db()
    assert run.status == "NotResponding"
    given_up = given_up_at(run)
    assert given_up is not None
    assert given_up - run.last_beat_at >= timedelta(hours=24)
    assert info(door, run)["status"] == "RUNNING"
    door.made("runs/set-tag", run_id=run.uid, key="a", value="1")
    run.refresh_from_db()
    assert run.status == "Running"


def test_a_script_s_own_token_logs_into_its_run_and_makes_children_of_it(
    people: Any, workspace: Any, experiment: Any
) -> None:
    own = make.run(experiment)
    secret = new_token(
        people.bob, name="run", scope=Scope.WRITE, workspace=workspace, run_uid=own.uid
    )[1]
    door = Door(people.bob, workspace, secret=secret)

    child = created(door, experiment)

    assert child.parent == own
    door.made("runs/set-tag", run_id=own.uid, key="a", value="1")
    other = make.run(experiment)
    refused = door.post("runs/set-tag", run_id=other.uid, key="a", value="1")
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
