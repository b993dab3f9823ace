"""Searching runs, by example: hostile text, refusals, free text, scope and number of queries."""

from typing import Any

import pytest

from studio.search.apply import asks_for_archived, search
from studio.search.errors import SearchSyntaxError
from studio.search.syntax import parse
from studio.search.tree import NAMED_KEYS, PLAIN_KEYS, Key, Op, Term, Word, negate
from tests import make
from tests.search import world

pytestmark = [pytest.mark.django_db, pytest.mark.data]


def one(workspace: Any, text: str, user: Any = None) -> list[str]:
    from studio.runs.models import Run

    runs = search(Run.objects.of(workspace), text, user=user, now=world.NOW)
    return sorted(runs.values_list("display_name", flat=True))


def named(experiment: Any, name: str, **facts: Any) -> Any:
    from studio.runs import searchtext

    made = make.run(experiment, display_name=name, **facts)
    searchtext.refresh(made)
    return made


HOSTILE = [
    "%",
    "_",
    "\\",
    '"',
    "'",
    "*",
    "NEAR(",
    "a OR b",
    "^a",
    "-a",
    "{x}",
    "--;",
    "%%%",
    "a:b",
    "%s",
]


@pytest.mark.parametrize("text", [*HOSTILE, *(f"x{text}yz" for text in HOSTILE)])
def test_signs_of_like_and_of_full_text_search_stand_for_themselves(
    workspace: Any, experiment: Any, text: str
) -> None:
    from studio.search.printer import print_query

    named(experiment, f"run {text} end")
    named(experiment, "another")
    for query in (Word(text), *(Term(Key("name"), op, (text,)) for op in (Op.CONTAINS,))):
        assert one(workspace, print_query(query)) == [f"run {text} end"]
    assert one(workspace, print_query(negate(Word(text)))) == ["another"]


VALUES = [
    "5",
    "failed",
    "-7d",
    "2h",
    "nan",
    "inf",
    "1e999",
    '"\\"%\'"',
    "abcdef12",
    '""',
    "..5",
    "5..",
]
VALUES += [
    "a..b",
    "starred",
    "9" * 30,
    "script",
    "now",
    "9999-12-31",
    "0001-01-01",
    "-900000d",
    "-0",
]
ALL_KEYS = [*PLAIN_KEYS, *(f"{key}.q" for key in NAMED_KEYS), "metric.q:min", "metric.q:max"]


def refusal(workspace: Any, text: str, user: Any) -> SearchSyntaxError | None:
    try:
        one(workspace, text, user)
    except SearchSyntaxError as error:
        return error
    return None


@pytest.mark.parametrize("key", ALL_KEYS)
def test_every_operator_and_value_works_or_is_refused_with_its_place(
    workspace: Any, people: Any, run: Any, key: str
) -> None:
    for sign in (":", "!=", "<", "<=", ">", ">=", "~", "^="):
        for value in VALUES:
            text = f"resnet -{key}{sign}{value}"
            error = refusal(workspace, text, people.bob)
            if error:
                assert 0 <= error.position <= error.position + error.length <= len(text)
                assert error.message.endswith((".", "?"))
                parse(error.example)


@pytest.mark.parametrize(
    ("text", "wrong", "says"),
    [
        ("a status<failed", "status<failed", "status does not go with <; it takes : != ~ ^=."),
        ("tag.q>3", "tag.q>3", "belong in a parameter"),
        ("status:faild", "faild", 'There is no status "faild". There are NotStarted'),
        ("type:x", "x", "There are interactive, script, pipeline, step."),
        ("metric.loss<x", "x", '"x" is not a number'),
        ("metric.loss<nan", "nan", "Nothing is less or more than nan"),
        ("metric.loss:min~x", "metric.loss:min~x", "The min of a metric is a number"),
        ("number:1.5", "1.5", "not a whole number"),
        ("submitted:-7d", "-7d", "Write submitted>-7d for since then"),
        ("duration>soon", "soon", "is not a duration"),
        ("ended<soon", "soon", "is not a time"),
    ],
)
def test_a_term_that_cannot_be_asked_is_refused(
    workspace: Any, text: str, wrong: str, says: str
) -> None:
    with pytest.raises(SearchSyntaxError, match=r".") as caught:
        one(workspace, text)
    error = caught.value
    assert text[error.position :][: error.length] == wrong
    assert says in error.message


def test_a_bare_word_names_experiment_submitter_status_or_the_beginning_of_an_id(
    workspace: Any, experiment: Any, people: Any
) -> None:
    named(make.experiment(workspace, "audio"), "x", by=people.alice, uid="3f2a9c" + "0" * 26)
    named(experiment, "y")
    for word in ("AUDIO", "alic", "3f2a9c", "3F2A9C00"):
        assert one(workspace, word) == ["x"]
    assert one(workspace, "3f2a9") == []
    assert one(workspace, "runn") == ["x", "y"]
    assert one(workspace, "uid:3f2a9c") == ["x"]


def test_metrics_that_are_not_finite_are_found(workspace: Any, experiment: Any) -> None:
    from studio.metrics.models import Metric

    for name, text, value in (("nan", "NaN", None), ("up", "Infinity", None), ("one", "", 1.0)):
        made = named(experiment, name)
        Metric.objects.create(
            workspace=workspace, run=made, name="loss", last=value, last_text=text
        )
    assert one(workspace, "metric.loss:nan") == ["nan"]
    assert one(workspace, "metric.loss!=nan") == ["one", "up"]
    assert one(workspace, "metric.loss>0.5") == ["one", "up"]
    assert one(workspace, "metric.loss:inf|1") == ["one", "up"]
    assert one(workspace, "-metric.loss<inf") == ["nan", "up"]


def test_a_running_run_has_lasted_until_now(workspace: Any, experiment: Any) -> None:
    from datetime import timedelta

    made = named(experiment, "long")
    type(made).objects.filter(pk=made.pk).update(started_at=world.NOW - timedelta(hours=3))
    assert one(workspace, "duration>2h") == ["long"]
    assert one(workspace, "duration:1h..2h") == []


def test_a_search_stays_inside_its_queryset(workspace: Any, experiment: Any, people: Any) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.bob)
    named(make.experiment(other, "vision", by=people.bob), "theirs", tags={"q": "x"})
    named(experiment, "ours", tags={"q": "x"})
    for text in ("tag.q:x", "experiment:vision", "vision", "-tag.z:1", "submitter:bob"):
        assert one(workspace, text, people.bob) == ["ours"]


def test_archived_runs_are_spoken_of_or_not() -> None:
    assert asks_for_archived(parse("a OR -is:archived"))
    assert not asks_for_archived(parse("is:starred archived"))
    assert not asks_for_archived(None)


def test_the_longest_query_runs(workspace: Any, people: Any, run: Any) -> None:
    words = " ".join(f"w{i}" for i in range(200))
    for text in (words, " OR ".join(words.split()), "-" * 50 + "a", "tag.a:" + "|".join("b" * 199)):
        one(workspace, text, people.bob)
    nested = "(" * 49 + "tag.a:1" + " OR tag.b:2) tag.c:3" * 24 + ")" * 25
    one(workspace, nested, people.bob)


def test_queries_are_bounded(
    workspace: Any, people: Any, run: Any, django_assert_max_num_queries: Any
) -> None:
    text = "a1 b2 abc def status:failed tag.q:x metric.loss<1 experiment:e -submitter:bob"
    with django_assert_max_num_queries(11):
        one(workspace, text, people.bob)
    with django_assert_max_num_queries(24 + 4):
        one(workspace, " ".join(f"tag.q{i}:x" for i in range(100)), people.bob)


def test_many_experiments_may_match(workspace: Any, people: Any, run: Any) -> None:
    from studio.runs.models import Experiment

    Experiment.objects.bulk_create(
        Experiment(workspace=workspace, name=f"sweep-{i}") for i in range(600)
    )
    assert one(workspace, "experiment~sweep", people.bob) == []
    assert one(workspace, "sweep", people.bob) == []
