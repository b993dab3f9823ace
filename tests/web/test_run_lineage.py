"""Data sets and models on the page of a run and in the API; tags of programs apart from others."""

from typing import Any

import pytest
from django.test import Client

from studio.artifacts.actions import put_artifact
from studio.lineage.actions import ModelPoint, note_inputs, note_model_points, note_outputs
from studio.lineage.checks import NewInput
from studio.lineage.model_actions import NewModel, create_model, finish_model
from studio.lineage.models import ModelStatus
from studio.runs.actions import change_tags
from studio.runs.models import Run
from tests import make
from tests.web.pages import read

pytestmark = pytest.mark.data
EVIL = "<script>alert(1)</script>"
SCHEMA = '{"mlflow_colspec": [{"type": "double", "name": "petal <b>width"}]}'


@pytest.fixture
def model(run: Any, people: Any) -> Any:
    """A model of the run, with a file, a point and a data set."""
    by = make.actor(people.bob)
    labels = {"mlflow.data.context": "train"}
    note_inputs(
        run, [NewInput("iris", "ab12", "local", EVIL, SCHEMA, '{"rows": 150}', labels)], by=by
    )
    note_inputs(run, [NewInput("odd", "cd34", schema=EVIL, profile="[1]")], by=by)
    new = NewModel("net", EVIL, {"lr": "0.1"}, {"stage": "beta", "mlflow.user": "x"})
    made = create_model(run.experiment, new, source=run, by=by)
    finish_model(made, ModelStatus.READY, by=by)
    note_outputs(run, {made.uid: 3}, by=by)
    other = create_model(run.experiment, NewModel("base"), source=None, by=by)
    note_inputs(run, [], models=[other.uid], by=by)
    note_model_points(run, [ModelPoint(made.uid, "acc", 0.5, 7, 9, "iris", "ab12")], by=by)
    note_model_points(run, [ModelPoint(made.uid, "bad", float("nan"), 7, 9)], by=by)
    with open(__file__, "rb") as stream:
        put_artifact(run, f"{made.folder}MLmodel", stream, by=by)
    return made


def test_the_details_tell_what_a_run_used_and_made(
    bob_client: Client, run: Any, model: Any
) -> None:
    answer = bob_client.get(f"/w/lab/runs/{run.uid}")
    text = read(answer).text

    for words in (
        *("Data sets and models", "iris Data set, train", "Digest ab12", "petal <b>width double"),
        *("rows 150", "odd Data set", "net Model made", "Status Ready", "1 file", "Model id m-"),
        *("acc 0.5 7 iris ab12", "bad NaN 7", "stage: beta", "base Model used", EVIL),
    ):
        assert words in text, words
    assert EVIL not in answer.content.decode()
    assert "mlflow.user" not in text
    files = bob_client.get(f"/w/lab/runs/{run.uid}/logs?dir=models")
    assert f"net ({model.uid[:10]}…)" in read(files).text


def test_a_run_without_any_has_no_such_section(bob_client: Client, run: Any) -> None:
    text = read(bob_client.get(f"/w/lab/runs/{run.uid}")).text

    assert "Data sets and models" not in text
    assert "From the client" not in text


def test_the_history_tells_of_them(bob_client: Client, run: Any, model: Any) -> None:
    text = read(bob_client.get(f"/w/lab/runs/{run.uid}/history")).text

    for words in ("Data sets used", "iris (ab12)", "Models made", "Logged model", "Models used"):
        assert words in text


def test_the_api_tells_the_same_in_pages(api: Any, run: Any, model: Any, people: Any) -> None:
    create_model(run.experiment, NewModel("second"), source=run, by=make.actor(people.bob))
    first = api.get(f"/runs/{run.uid}/lineage", limit=1).json()

    assert [one["name"] for one in first["datasets"]] == ["iris", "odd"]
    assert first["datasets"][0]["context"] == "train"
    assert [one["name"] for one in first["models_used"]] == ["base"]
    (net,) = first["models"]
    assert (net["name"], net["status"], net["parameters"]) == ("net", "ready", {"lr": "0.1"})
    assert [(one["name"], one["value"]) for one in net["metrics"]] == [("acc", 0.5), ("bad", "NaN")]
    second = api.get(f"/runs/{run.uid}/lineage", limit=1, cursor=first["next"]).json()
    assert ([one["name"] for one in second["models"]], second["datasets"]) == (["second"], [])
    assert second["next"] is None
    assert api.get(f"/runs/{run.uid}/lineage", cursor="x").status_code == 422


def test_tags_of_programs_stand_apart_and_are_still_searched(
    bob_client: Client, run: Any, people: Any
) -> None:
    tags = {"mlflow.user": "ana", "mlflow.source.name": EVIL, "quality": "great", "zeta": None}
    change_tags(run, put=tags, by=make.actor(people.bob))

    page = bob_client.get(f"/w/lab/runs/{run.uid}")
    chips = [text for text in read(page).texts if text.startswith(("mlflow", "quality"))]
    assert "From the client" in read(page).text
    assert EVIL not in page.content.decode()
    assert chips.count("mlflow.user") == 1
    listed = read(bob_client.get("/w/lab/runs")).text
    assert "quality" in listed
    assert "mlflow.user" not in listed
    for address in ("tags", f"runs/{run.uid}/all-tags", "runs-columns?find=mlflow"):
        assert "mlflow.user" not in read(bob_client.get(f"/w/lab/{address}")).text, address
    suggested = bob_client.get("/w/lab/runs-suggest?text=tag.mlflow")
    assert "mlflow.user" not in suggested.content.decode()
    assert Run.objects.get(pk=run.pk).first_tag == "quality: great"
    found = read(bob_client.get("/w/lab/runs?q=tag.mlflow.user:ana&columns=name,tag.mlflow.user"))
    assert run.display_name in found.text
    assert "ana" in found.text
    none = bob_client.get("/w/lab/runs?q=tag.mlflow.user:bert")
    assert f"/runs/{run.uid}" not in none.content.decode()
