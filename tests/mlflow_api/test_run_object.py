"""The `run` object that clients read, for one run and for many."""

from typing import Any

import pytest

from studio.mlflow_api.runs_json import runs_as_json
from studio.runs.actions import cancel_run, change_tags, complete_run, describe_run
from studio.runs.models import Run
from tests import make

pytestmark = pytest.mark.data


def test_a_run_of_the_studio_reads_as_a_run_of_mlflow(people: Any, experiment: Any) -> None:
    by = make.actor(people.bob)
    parent = make.run(experiment, display_name="sweep")
    run = make.run(experiment, display_name="night", parent=parent, parameters={"lr": "0.1"})
    change_tags(run, by=by, put={"team": "vision", "bare": None})
    describe_run(run, "# Notes", by=by)
    complete_run(run, by=by)

    (found,) = runs_as_json([Run.objects.get(pk=run.pk)])

    info, data = found["info"], found["data"]
    assert info["run_id"] == info["run_uuid"] == run.uid
    assert (info["run_name"], info["user_id"], info["status"]) == ("night", "bob", "FINISHED")
    assert info["experiment_id"] == str(experiment.pk)
    assert info["end_time"] >= info["start_time"] > 1_700_000_000_000
    assert info["artifact_uri"] == f"mlflow-artifacts:/{experiment.pk}/{run.uid}/artifacts"
    assert info["lifecycle_stage"] == "active"
    assert data["params"] == [{"key": "lr", "value": "0.1"}]
    assert {one["key"]: one["value"] for one in data["tags"]} == {
        "bare": "",
        "team": "vision",
        "mlflow.runName": "night",
        "mlflow.note.content": "# Notes",
        "mlflow.parentRunId": parent.uid,
    }


def test_any_number_of_runs_takes_the_same_queries(
    people: Any, experiment: Any, django_assert_num_queries: Any
) -> None:
    runs = [make.run(experiment, parameters={"i": str(i)}) for i in range(20)]
    cancel_run(runs[3], by=make.actor(people.bob))

    for some in ([runs[0].pk], [run.pk for run in runs]):
        fresh = list(Run.objects.filter(pk__in=some).order_by("pk"))
        with django_assert_num_queries(6):
            found = runs_as_json(fresh)
        assert [one["info"]["run_name"] for one in found] == [run.display_name for run in fresh]
    assert found[3]["info"]["status"] == "RUNNING"
    assert found[7]["data"]["params"] == [{"key": "i", "value": "7"}]
