"""What the search bar offers, and the words on a pill."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.search.errors import SearchSyntaxError
from studio.search.suggest import MAX_SUGGESTIONS, suggest
from studio.search.syntax import parse
from studio.search.words import describe
from tests import make

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.data,
    pytest.mark.usefixtures("lasting_people", "lasting_workspace"),
]


@pytest.fixture(scope="module")
def thirty(lasting_lab: Any, everybody: Any) -> None:
    from studio.metrics.models import Metric

    workspace, people = lasting_lab, everybody
    experiment = make.experiment(workspace, "vision")
    make.experiment(workspace, "audio-Vision")
    tags = {"quality": "good", "worth another look": "yes", "Größe": 'say "hi" now'}
    for i in range(30):
        made = make.run(
            experiment,
            tags={**tags, f"n{i:02d}": None},
            parameters={"lr": f"0.{i}"},
            properties={"dataset": "v3"},
        )
        Metric.objects.create(workspace=workspace, run=made, name=f"val/acc{i % 3}", last=0.5)
    other = make.workspace("other", owner=people.dave)
    theirs = make.experiment(other, "secret-experiment", by=people.dave)
    make.run(theirs, by=people.dave, tags={"quality": "secret", "secret": "x"})


@pytest.fixture
def lab(thirty: None, workspace: Any) -> Any:
    return workspace


def offered(workspace: Any, text: str, cursor: int | None = None) -> list[str]:
    """The whole text after each suggestion was taken."""
    found = suggest(workspace, text, len(text) if cursor is None else cursor)
    return [text[: one.start] + one.insert + text[one.end :] for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sta", "status:"),
        ("has", "has:"),
        ("created tag", "created tag."),
        ("compute", "target:"),
        ("fail", "status:Failed"),
        ("vis", "experiment:vision"),
        ("VIS", "experiment:audio-Vision"),
        ("bo", "submitter:bob"),
        ("status:fa", "status:Failed"),
        ("status:Failed|canc", "status:Failed|Canceled"),
        ("-status:fa", "-status:Failed"),
        ("(status:fa", "(status:Failed"),
        ("status", "status!="),
        ("type=s", "type=script"),
        ("is:st", "is:starred"),
        ("submitted>", "submitted>-7d"),
        ("duration>", "duration>1h"),
        ("children>", "children>0"),
        ("submitter:a", "submitter:alice"),
        ("target:l", "target:local"),
        ("experiment~au", "experiment~audio-Vision"),
        ("tag.qu", "tag.quality"),
        ("tag.WORTH", 'tag."worth another look"'),
        ('tag."worth an', 'tag."worth another look"'),
        ("tags.grös", "tag.Größe"),
        ("tag.quality", "tag.quality:"),
        ("tag.quality:", "tag.quality:good"),
        ('tag."worth another look":y', 'tag."worth another look":yes'),
        ("tag.Größe:hi", 'tag.Größe:"say \\"hi\\" now"'),
        ("param.lr:0.2", "param.lr:0.29"),
        ("property.dataset!=", "property.dataset!=v3"),
        ("metric.val", "metric.val/acc0"),
        ("metric.val/acc0", "metric.val/acc0<"),
        ("metric.val/acc0", "metric.val/acc0:min<"),
        ("metric.val/acc0:min", "metric.val/acc0:min>="),
        ("has:ta", "has:tag."),
        ("has:tag.qua", "has:tag.quality"),
        ("has:ch", "has:children"),
    ],
)
def test_typing_is_completed(lab: Any, text: str, expected: str) -> None:
    assert expected in offered(lab, text)


def test_what_stands_after_the_cursor_stays(lab: Any) -> None:
    assert "a status:Failed b" in offered(lab, "a status:fa b", 11)
    assert "a status:Failed b" in offered(lab, "a status:faxx b", 11)


def test_a_value_offered_makes_a_query(lab: Any) -> None:
    for text in ("st", "status:", "tag.", "tag.Größe:", "has:", "is:", "metric.", "submitted<"):
        for one in suggest(lab, text, len(text)):
            if one.kind == "value":
                assert parse(one.insert) is not None


def test_nothing_of_another_workspace_is_offered(lab: Any) -> None:
    for text in (
        "secret",
        "tag.sec",
        "tag.quality:",
        "experiment:",
        "submitter:",
        "dav",
        "has:tag.s",
    ):
        assert not [text for text in offered(lab, text) if "secret" in text or "dave" in text]


def test_the_number_of_queries_is_fixed(lab: Any, django_assert_max_num_queries: Any) -> None:
    for text in ("vi", "tag.qu", "tag.quality:g", "metric.val/acc0", "submitter:b", "has:tag.q"):
        with django_assert_max_num_queries(4):
            suggest(lab, text, len(text))


def test_nothing_typed_is_too_strange(lab: Any) -> None:
    characters = st.text(st.sampled_from('abt .:"\\()-|<>=~!^%\x00é'), max_size=12)

    starts = st.sampled_from(["", "tag.", "tag.quality:", "has:", "status:"])

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(starts, characters, st.integers(-2, 30))
    def check(start: str, typed: str, cursor: int) -> None:
        text = start + typed
        found = suggest(lab, text, cursor)
        assert len(found) <= MAX_SUGGESTIONS
        assert all(0 <= one.start <= one.end <= len(text) for one in found)

    check()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("status:failed", "status: failed"),
        ("status:failed|canceled", "status: failed or canceled"),
        ("metric.loss<0.3", "loss < 0.3"),
        ("metric.loss:min>=0.3", "min loss ≥ 0.3"),
        ("metric.loss:0.1..0.3", "loss from 0.1 to 0.3"),
        ("metric.loss:0.1..", "loss ≥ 0.1"),
        ("metric.loss<-2", "loss < -2"),
        ("submitted>-7d", "submitted after 7d ago"),
        ("submitted:..2026-11-01", "submitted until 2026-11-01"),
        ("tag.quality:bad", "tag quality: bad"),
        ("tag.quality!=bad", "tag quality is not bad"),
        ('tag.note:""', "tag note: (empty)"),
        ("has:tag.quality", "has tag quality"),
        ("-has:tag.quality", "no tag quality"),
        ("-status:failed", "not status: failed"),
        ("is:starred", "starred"),
        ("name~res", "display name contains res"),
        ("uid^=3f", "run id starts with 3f"),
        ('"first try"', "“first try”"),
        ("experiment:a OR (experiment:b is:mine)", "experiment: a or (experiment: b and mine)"),
    ],
)
def test_a_pill_speaks_in_words(text: str, words: str) -> None:
    node = parse(text)
    assert node is not None
    assert describe(node) == words


def test_every_error_of_the_fields_names_an_example_that_parses() -> None:
    from studio.search.fields import FIELDS
    from studio.search.tree import NAMED_KEYS, PLAIN_KEYS
    from studio.search.wrong import EXAMPLES

    assert set(FIELDS) == {*PLAIN_KEYS, *NAMED_KEYS}
    for family in FIELDS:
        try:
            assert parse(EXAMPLES[family]) is not None
        except SearchSyntaxError:
            pytest.fail(family)
