"""The versions of a description by the API, of runs and of experiments."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import make


@pytest.fixture(params=["run", "experiment"])
def path(request: Any, run: Any) -> str:
    """Something with a description: each test is of a run and of an experiment."""
    return f"/runs/{run.uid}" if request.param == "run" else f"/experiments/{run.experiment.name}"


@pytest.fixture
def written(path: str, api: make.Api) -> str:
    for text in ("first", "second", "third"):
        assert api.patch(path, {"description": text}).status_code == 200
    return f"{path}/description"


def test_every_text_is_told_the_newest_first(written: str, api: make.Api) -> None:
    found = api.get(f"{written}/versions").json()

    assert [(one["version"], one["text"], one["actor"]) for one in found["items"]] == [
        (3, "third", "bob"),
        (2, "second", "bob"),
        (1, "first", "bob"),
    ]
    assert (found["newest"], found["next"]) == (3, None)


def test_what_was_never_described_has_none(path: str, api: make.Api) -> None:
    none: dict[str, Any] = {"items": [], "next": None, "newest": 0}
    assert api.get(f"{path}/description/versions").json() == none


def test_an_earlier_text_comes_back_as_the_newest(path: str, written: str, api: make.Api) -> None:
    answer = api.post(f"{written}/restore", {"version": 1, "description_version": 3})

    assert answer.status_code == 200, answer.content
    assert (answer.json()["description"], answer.json()["description_version"]) == ("first", 4)
    assert api.get(path).json()["description"] == "first"
    newest = api.get(f"{written}/versions", limit=1).json()["items"][0]
    assert (newest["version"], newest["text"], bool(newest["note"])) == (4, "first", True)


def test_nobody_is_overwritten_unseen(written: str, api: make.Api) -> None:
    answer = api.post(f"{written}/restore", {"version": 1, "description_version": 2})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert answer.json()["error"]["current"] == {"version": 3, "text": "third"}


@pytest.mark.parametrize(
    ("body", "field"),
    [({"version": 9}, "version"), ({}, "version"), ({"version": 1, "text": "x"}, "text")],
)
def test_what_can_not_come_back_is_named(
    body: dict[str, Any], field: str, written: str, api: make.Api
) -> None:
    answer = api.post(f"{written}/restore", body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)


def test_readers_and_reading_tokens_bring_nothing_back(
    written: str, people: Any, workspace: Any
) -> None:
    for who, scope in ((people.carol, "admin"), (people.bob, "read")):
        program = make.Api(who, workspace, scope=scope)
        assert program.get(f"{written}/versions").status_code == 200
        assert program.post(f"{written}/restore", {"version": 1}).status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_versions(
    path: str, written: str, api: make.Api, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    few = count_queries(lambda: api.get(f"{written}/versions"))
    for i in range(5):
        assert api.patch(path, {"description": str(i)}).status_code == 200

    assert count_queries(lambda: api.get(f"{written}/versions")) == few <= 5
