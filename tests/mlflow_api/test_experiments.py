"""Experiments as MLflow clients make, name, tag and delete them."""

from typing import Any

import pytest

from studio.runs.actions.experiments import rename_experiment
from studio.runs.models import Experiment
from tests import make
from tests.mlflow_api.door import Door

pytestmark = pytest.mark.data
WRONG, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"


def test_a_name_may_hold_anything_and_the_address_is_made_of_it(door: Door) -> None:
    first = door.made("experiments/create", name="/Users/ü/my exp 1")["experiment_id"]
    second = door.made("experiments/create", name="/Users/ü/my exp 1!")["experiment_id"]

    one, two = (Experiment.objects.get(pk=int(pk)) for pk in (first, second))
    assert (one.name, one.title) == ("Users-u-my-exp-1", "/Users/ü/my exp 1")
    assert two.name == "Users-u-my-exp-1-2"
    told = door.client.get(f"/api/v1/workspaces/lab/experiments/{one.name}", headers=door.headers)
    assert (told.json()["name"], told.json()["title"]) == (one.name, one.title)
    found = door.got("experiments/get-by-name", experiment_name="/Users/ü/my exp 1!")
    assert found["experiment"]["experiment_id"] == second
    refused = door.post("experiments/create", name="/Users/ü/my exp 1")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_name_like_that_of_another_address_is_another_experiment(door: Door) -> None:
    spaced = door.made("experiments/create", name="my exp")["experiment_id"]
    assert door.get("experiments/get-by-name", experiment_name="my-exp").status_code == 404

    dashed = door.made("experiments/create", name="my-exp")["experiment_id"]

    assert dashed != spaced
    found = door.got("experiments/get-by-name", experiment_name="my-exp")["experiment"]
    assert (found["experiment_id"], found["name"]) == (dashed, "my-exp")


def test_an_experiment_of_the_studio_is_read_renamed_tagged_and_described(
    door: Door, experiment: Any, people: Any
) -> None:
    pk = str(experiment.pk)

    door.made("experiments/update", experiment_id=pk, new_name="night shift")
    door.made("experiments/set-experiment-tag", experiment_id=pk, key="team", value="v" * 20_000)
    door.made(
        "experiments/set-experiment-tag", experiment_id=pk, key="mlflow.note.content", value="# N"
    )

    found = door.got("experiments/get", experiment_id=pk)["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == ("night shift", "active")
    assert found["tags"] == [
        {"key": "mlflow.note.content", "value": "# N"},
        {"key": "team", "value": "v" * 20_000},
    ]
    assert found["artifact_location"].startswith("mlflow-artifacts:/")
    assert found["last_update_time"] >= found["creation_time"]
    experiment.refresh_from_db()
    assert (experiment.name, experiment.description) == ("night-shift", "# N")
    rename_experiment(experiment, "day", by=make.actor(people.bob))
    assert door.got("experiments/get", experiment_id=pk)["experiment"]["name"] == "day"


def test_a_deleted_experiment_can_be_read_but_not_written_to_until_it_is_restored(
    door: Door, run: Any
) -> None:
    pk = str(run.experiment_id)
    door.made("experiments/delete", experiment_id=pk)

    assert door.got("experiments/get", experiment_id=pk)["experiment"]["lifecycle_stage"] == (
        "deleted"
    )
    assert door.got("runs/get", run_id=run.uid)["run"]["info"]["lifecycle_stage"] == "deleted"
    for path, arguments, code in (
        ("runs/create", {"experiment_id": pk}, WRONG),
        ("runs/set-tag", {"run_id": run.uid, "key": "a", "value": "1"}, WRONG),
        ("runs/update", {"run_id": run.uid, "status": "FINISHED"}, WRONG),
        (
            "experiments/set-experiment-tag",
            {"experiment_id": pk, "key": "a"},
            WRONG,
        ),
        ("experiments/update", {"experiment_id": pk, "new_name": "x"}, "INVALID_STATE"),
        ("experiments/delete", {"experiment_id": pk}, MISSING),
        ("experiments/create", {"name": run.experiment.name}, "RESOURCE_ALREADY_EXISTS"),
    ):
        refused = door.post(path, **arguments)
        assert refused.json()["error_code"] == code, (path, refused.content)

    door.made("experiments/restore", experiment_id=pk)
    door.made("runs/set-tag", run_id=run.uid, key="a", value="1")
    again = door.post("experiments/restore", experiment_id=pk)
    assert (again.status_code, again.json()["error_code"]) == (404, MISSING)


def test_the_experiment_that_clients_log_into_by_default_is_made_when_it_is_needed(
    door: Door, workspace: Any, people: Any
) -> None:
    reader = Door(people.carol, workspace)
    assert reader.get("experiments/get", experiment_id="0").status_code == 403
    run = door.made("runs/create", experiment_id="0")["run"]

    assert run["info"]["experiment_id"] == "0"
    assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:/0/")
    found = reader.got("experiments/get", experiment_id="0")["experiment"]
    assert (found["experiment_id"], found["name"]) == ("0", "Default")
    named = reader.got("experiments/get-by-name", experiment_name="Default")["experiment"]
    assert named["experiment_id"] == "0"


def test_what_can_not_be_is_refused_as_clients_expect(door: Door, experiment: Any) -> None:
    pk = str(experiment.pk)
    for method, path, arguments, status, code in (
        ("GET", "experiments/get", {"experiment_id": "987654321"}, 404, MISSING),
        ("GET", "experiments/get", {"experiment_id": "abc"}, 400, WRONG),
        ("GET", "experiments/get", {}, 400, WRONG),
        (
            "GET",
            "experiments/get-by-name",
            {"experiment_name": "no"},
            404,
            MISSING,
        ),
        ("POST", "experiments/create", {}, 400, WRONG),
        ("POST", "experiments/create", {"name": "n" * 501}, 400, WRONG),
        ("POST", "experiments/create", {"name": 7}, 400, WRONG),
        ("POST", "experiments/create", {"name": "t", "tags": "no"}, 400, WRONG),
        (
            "POST",
            "experiments/set-experiment-tag",
            {"experiment_id": pk, "key": "k" * 251, "value": "1"},
            400,
            WRONG,
        ),
        (
            "POST",
            "experiments/delete-experiment-tag",
            {"experiment_id": pk, "key": "absent"},
            404,
            MISSING,
        ),
    ):
        answer = door.ask(method, path, arguments)
        told = (answer.status_code, answer.json()["error_code"])
        assert told == (status, code), (path, arguments)
