"""Steps of a pipeline through the API: what a step may depend on, and how it is told."""

from typing import Any

import pytest

from studio.runs.models import Run
from tests import make

BASE = {"experiment": "vision", "start": True}


@pytest.fixture
def pipeline(api: make.Api) -> str:
    assert api.post("/runs", {**BASE, "uid": "pipe", "type": "pipeline"}).status_code == 201
    return "pipe"


def child(uid: str, *needs: str, **other: Any) -> dict[str, Any]:
    step = {"uid": uid, "parent": "pipe", "type": "step", "depends_on": list(needs)}
    return BASE | step | other


def test_steps_are_told_with_what_they_depend_on(api: make.Api, pipeline: str) -> None:
    for body in (child("a"), child("b", "a"), child("c", "a", "b", "a")):
        assert api.post("/runs", body).status_code == 201
    together = [{"uid": "d", "depends_on": ["e"], "type": "step"}, {"uid": "e"}]
    assert api.post(f"/runs/{pipeline}/children", {"children": together}).status_code == 200

    steps = api.get(f"/runs/{pipeline}/steps").json()["items"]
    assert {step["uid"]: step["depends_on"] for step in steps} == {
        "a": [], "b": ["a"], "c": ["a", "b"], "d": ["e"], "e": [],
    }  # fmt: skip
    assert (steps[0]["type"], steps[0]["status"]) == ("step", "Running")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (child("b", "nothing"), "There is no run “nothing” to depend on"),
        (child("b", "pipe"), "is no child run of"),
        (child("b", "other"), "depends on steps of its own pipeline only"),
        (child("b", "b"), "wait for each other for ever: b → b"),
        (child("b", "a", parent=None), "Name its parent too"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_in_words(
    api: make.Api, pipeline: str, experiment: Any, body: dict[str, Any], words: str
) -> None:
    assert api.post("/runs", child("a")).status_code == 201
    make.run(experiment, uid="other", parent=make.run(experiment))
    answer = api.post("/runs", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "depends_on"
    assert words in answer.json()["error"]["message"]
    assert not Run.objects.filter(uid="b").exists()


def test_steps_made_together_may_not_wait_in_a_circle(api: make.Api, pipeline: str) -> None:
    circle = [{"uid": "a", "depends_on": ["b"]}, {"uid": "b", "depends_on": ["a"]}]
    answer = api.post(f"/runs/{pipeline}/children", {"children": circle})

    assert answer.status_code == 422
    assert "wait for each other for ever" in answer.json()["error"]["message"]
    assert not Run.objects.filter(parent__uid=pipeline).exists()
