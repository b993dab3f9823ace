"""What may be stored as a view, and what is read of what others have stored."""

from typing import Any

import pytest
from django.db.models import JSONField, Value
from hypothesis import given
from hypothesis import strategies as st

from studio.custom_views.charts import MAX_CHARTS
from studio.custom_views.models import CustomView
from studio.custom_views.state import KNOWN, MAX_CHOSEN, ViewState
from studio.custom_views.stored import KEPT, checked, state_of
from studio.runs.limits import Invalid
from studio.search.scanner import MAX_CHARACTERS
from tests import make
from tests.custom_views.world import CALM

UID = "0123456789abcdef" * 2
LOSS = "kind=line&y=metric.loss"
GOOD: list[tuple[dict[str, str], dict[str, str]]] = [
    ({}, {}),
    ({"q": ""}, {}),
    ({"q": "  status:Failed "}, {"q": "status:Failed"}),
    ({"q": "u\u0308"}, {"q": "ü"}),
    ({"off": "has:tag.a"}, {"off": "has:tag.a"}),
    ({"order": "-metric.loss:min,name"}, {"order": "-metric.loss:min,name"}),
    ({"columns": 'name,tag."a,b"'}, {"columns": 'name,tag."a,b"'}),
    ({"widths": "name=200"}, {"widths": "name=200"}),
    ({"group": "status,tag.a"}, {"group": "status,tag.a"}),
    ({"charts": LOSS}, {"charts": LOSS}),
    ({"charts": ";".join([LOSS] * MAX_CHARTS)}, {"charts": ";".join([LOSS] * MAX_CHARTS)}),
    ({"pins": "0"}, {"pins": "0"}),
    ({"pins": "1", "size": "50", "mine": "0", "only": "0"}, {}),
    ({"size": " 25 ", "children": " tree", "mine": "1 "}, None),  # type: ignore[list-item]
    ({"children": "1"}, {"children": "flat"}),
    ({"chosen": f"{UID}, trial-7, {UID}", "only": "1"}, {"chosen": f"{UID},trial-7", "only": "1"}),
    ({"q": "a" * MAX_CHARACTERS}, {"q": "a" * MAX_CHARACTERS}),
]
WRONG: list[tuple[Any, str]] = [
    *((shape, "state") for shape in (None, [], "q=1", 1, [("q", "a")], {1}, b"q")),
    *(({name: "1"}, "state") for name in ("x", "__proto__", "constructor", "Q", "", "q ")),
    *(({name: "1"}, "state") for name in ("open", "after", "before", "explain", "rev", "view")),
    *(({name: ""}, "state") for name in ("\x00", "\ud800", "a" * 10_000)),
    *(({name: ""}, "state") for name in (None, 1, 10**5_000, 2.5, (), b"q", float("nan"))),
    *(({"q": text}, "q") for text in (None, 1, True, 2.5, [], {}, b"a", ["a"], {"q": {"q": 1}})),
    *(({"q": text}, "q") for text in ("a\x00", "\ud800", "a" * (MAX_CHARACTERS + 1))),
    *(({"q": text}, "q") for text in ("status:", "(", '"', "a OR", "tag.a", "(" * 3_000)),
    ({"q": "x" * 10_000_000}, "q"),
    ({"off": "status:"}, "off"),
    *(({"order": text}, "order") for text in ("nothing", ",", "-", "metric.a:at-min(b)")),
    *(({"columns": text}, "columns") for text in ("nothing", "name,", "metric.", '"')),
    *(({"group": text}, "group") for text in ("name", "status,tag.a,tag.b", ",")),
    *(({"charts": text}, "charts") for text in ("kind=pie", ";", f"{LOSS};x", "loss")),
    ({"charts": ";".join(["kind=bar"] * (MAX_CHARTS + 1))}, "charts"),
    *(({"widths": text}, "widths") for text in ("name", "name=wide", "=9", "\U0001d15e" * 4_000)),
    *(({"size": text}, "size") for text in ("7", "0", "-25", "²", "25.0", "9" * 100)),
    *(({"pins": text}, "pins") for text in ("6", "-1", "01", "x")),
    *(({"children": text}, "children") for text in ("x", "0", "TREE")),
    *(({name: text}, name) for name in ("mine", "only") for text in ("yes", "2", "true")),
    *(({"chosen": text}, "chosen") for text in ("x y", f"{UID},x/y", f"{UID},", "x" * 257)),
    ({"chosen": ",".join(f"{n:032x}" for n in range(MAX_CHOSEN + 1))}, "chosen"),
    ({"q": "a", "order": "nothing"}, "order"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda held: st.lists(held, max_size=3) | st.dictionaries(st.text(max_size=5), held),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted(KNOWN)) | st.text(max_size=5)


@pytest.mark.parametrize(("texts", "stored"), GOOD)
def test_what_a_list_can_show_is_stored_without_the_usual(
    texts: dict[str, str], stored: dict[str, str] | None
) -> None:
    # Blanks around a value are none of it.
    expected = {name: text.strip() for name, text in texts.items()} if stored is None else stored

    assert checked(texts) == expected
    assert checked(checked(texts)) == checked(texts)


@pytest.mark.parametrize(
    ("texts", "field"), WRONG, ids=[f"{n}-{field}" for n, (_, field) in enumerate(WRONG)]
)
def test_what_is_no_state_is_refused_in_words_that_can_be_shown(texts: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked(texts)

    told = str(refused.value)
    assert refused.value.field == field
    assert 10 < len(told) < 600
    assert told.encode()
    assert told.replace("\n", " ").isprintable()


@CALM
@given(st.dictionaries(NAMES, ANYTHING, max_size=4) | ANYTHING)
def test_whatever_is_sent_is_stored_for_good_or_refused(texts: Any) -> None:
    try:
        stored = checked(texts)
    except Invalid:
        return
    assert set(stored) <= set(KEPT)
    assert checked(stored) == stored == state_of(stored).kept(ticks=True)


@CALM
@given(st.dictionaries(st.sampled_from(KEPT), st.text(max_size=12), max_size=4))
def test_nothing_that_is_accepted_is_lost(texts: dict[str, str]) -> None:
    try:
        stored = checked(texts)
    except Invalid:
        return
    for name in ("q", "off", "order", "columns", "group", "charts", "widths"):
        assert bool(stored.get(name)) == bool(texts.get(name, "").strip())


@CALM
@given(ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=5))
def test_whatever_is_stored_can_be_read(texts: Any) -> None:
    state = state_of(texts)

    assert state_of(state.kept(ticks=True)) == state
    assert state.column_widths is not None
    assert state.to_query().isascii()


@pytest.mark.data
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        *((shape, ViewState()) for shape in (None, [], 1, "q", True, ["q"], {}, {"q": None})),
        ({"q": 1, "size": 25, "mine": True, "pins": [0], "columns": {}}, ViewState()),
        ({"q": "net", "__proto__": {"q": "x"}, "": "", "a" * 3_000: "b"}, ViewState(q="net")),
        ({"q": "status:", "size": "7", "open": UID, "after": "x"}, ViewState(q="status:")),
        ({"q": "a" * 9_000, "chosen": "x y," + UID}, ViewState(chosen=(UID,))),
    ],
)
def test_a_view_that_was_edited_by_hand_still_opens(
    people: Any, workspace: Any, state: Any, expected: ViewState
) -> None:
    from studio.custom_views.actions import Draft, create_view
    from studio.custom_views.finding import base_of, find_view

    bob = make.actor(people.bob)
    view = create_view(workspace, Draft("Mine", {}), by=bob)
    CustomView.objects.filter(pk=view.pk).update(state=Value(state, JSONField()))

    found = find_view(workspace, bob, view.uid)

    assert found is not None
    assert base_of(found).state == expected


def test_a_text_with_half_a_letter_in_the_database_is_left_out() -> None:
    assert state_of({"q": "a\ud800", "off": "a\x00", "order": "name"}) == ViewState(order="name")
