"""The values of a key that somebody can pick from."""

from typing import Any

import pytest

from studio.search.facets import values_of
from studio.search.fields import FIELDS
from studio.search.syntax import parse_key
from studio.search.tree import NAMED_KEYS, Key
from tests import make

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.data,
    pytest.mark.usefixtures("lasting_people", "lasting_workspace"),
]


@pytest.fixture(scope="module")
def thirty(lasting_lab: Any, everybody: Any) -> None:
    workspace, people = lasting_lab, everybody
    for name in ("vision", "audio-Vision", "text"):
        experiment = make.experiment(workspace, name)
    for i in range(30):
        make.run(
            experiment,
            tags={"quality": ("good", "Fairly good", "poor")[i % 3], "bare": None},
            parameters={"lr": f"0.{i:02d}"},
            properties={"dataset": "v3"},
        )
    other = make.workspace("other", owner=people.dave)
    theirs = make.experiment(other, "secret-vision", by=people.dave)
    make.run(theirs, by=people.dave, tags={"quality": "good secret"})


@pytest.fixture
def lab(thirty: None, workspace: Any) -> Any:
    return workspace


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("experiment", "", ["audio-Vision", "text", "vision"]),
        ("experiment", "VIS", ["vision", "audio-Vision"]),
        ("submitter", "", ["alice", "bob", "carol"]),
        ("submitter", "o", ["bob", "carol"]),
        ("target", "", ["local"]),
        ("status", "fail", ["Failed"]),
        ("status", "que", ["Queued", "CancelRequested"]),
        ("type", "s", ["script", "step"]),
        ("is", "", ["starred", "archived", "mine"]),
        ("submitted", "-7", ["-7d"]),
        ("tag.quality", "", ["Fairly good", "good", "poor"]),
        ("tag.quality", "Good", ["good", "Fairly good"]),
        ("tag.bare", "", []),
        ("property.dataset", "", ["v3"]),
        ("param.lr", "0.2", [f"0.2{i}" for i in range(10)]),
        ("metric.loss", "", []),
        ("name", "", []),
        ("description", "x", []),
        ("tag.nope", "", []),
        ("experiment", "100%", []),
        ("experiment", "\0", []),
    ],
)
def test_values_there_are_come_with_those_that_begin_as_typed_first(
    lab: Any, key: str, text: str, expected: list[str]
) -> None:
    assert values_of(lab, parse_key(key), text) == expected


def test_no_more_come_than_are_asked_for(lab: Any) -> None:
    assert values_of(lab, Key("param", "lr"), limit=3) == ["0.00", "0.01", "0.02"]
    assert values_of(lab, Key("experiment"), "vision", 1) == ["vision"]


def test_a_name_is_meant_in_the_form_in_which_it_is_stored(lab: Any, experiment: Any) -> None:
    make.run(experiment, tags={"gr\u00f6\u00dfe": "xl"})
    assert values_of(lab, Key("tag", "gro\u0308\u00dfe")) == ["xl"]


@pytest.mark.parametrize("text", ["", "a", '"', "\\", "\ud800", "%_"])
def test_no_key_and_no_text_is_refused(
    lab: Any, django_assert_max_num_queries: Any, text: str
) -> None:
    for family in sorted(FIELDS):
        with django_assert_max_num_queries(2):
            values_of(lab, Key(family, "quality" if family in NAMED_KEYS else ""), text)

    for family in sorted(NAMED_KEYS):
        assert values_of(lab, Key(family), text) == [], family
