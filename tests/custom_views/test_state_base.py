"""A URL told against a view: only what differs, and the version it was written against."""

from dataclasses import replace

from django.http import QueryDict
from hypothesis import example, given
from hypothesis import strategies as st

from studio.custom_views.state import DEFAULT_SIZE, NO_VIEW, PASSING, TICKS, Base, ViewState
from tests.custom_views.world import CALM

UIDS = st.lists(st.integers(0, 5).map(lambda n: f"{n:032x}"), max_size=3).map(",".join)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10)
WHAT = {
    "q": st.sampled_from(["status:Failed", "is:mine lr", "status:"]) | TEXTS,
    "off": st.sampled_from(["tag.a", "("]) | TEXTS,
    "order": st.sampled_from(["-metric.loss", "newest", "name,status"]),
    "columns": st.sampled_from(["name", 'name,tag."a,b"', "metric.x:min"]),
    "widths": st.sampled_from(["name=100", "name=100,status=90"]),
    "pins": st.sampled_from(["", "0", "1", "2", "5", "6"]),
    "group": st.sampled_from(["status", "tag.quality"]),
    "charts": st.sampled_from(["kind=line&y=metric.loss", "kind=bar;kind=line"]),
    "children": st.sampled_from(["", "1", "tree", "flat", "x"]),
    "mine": st.sampled_from(["", "0", "1"]),
    "chosen": UIDS,
    "only": st.sampled_from(["", "1"]),
    "size": st.sampled_from(["", "25", "50", "200", "7"]),
}
WHERE = {
    "open": UIDS,
    "explain": st.sampled_from(["", "1"]),
    "after": st.sampled_from(["", "cursor"]),
    "before": st.sampled_from(["", "cursor"]),
}


def states(**fields: st.SearchStrategy[str]) -> st.SearchStrategy[ViewState]:
    """States that an address can say; `open` counts in a tree only."""
    return st.fixed_dictionaries({}, optional=fields).map(
        lambda query: ViewState.from_query(ViewState.from_query(query).texts())
    )


KEPT, ALL = states(**WHAT), states(**WHAT, **WHERE)
VERSIONS = st.integers(0, 9)


def sent(state: ViewState) -> dict[str, str]:
    """What a server reads of the state's link."""
    return QueryDict(state.to_query().removeprefix("?")).dict()


@CALM
@given(KEPT, ALL, VERSIONS)
@example(ViewState(pins=0, size=25, mine=True, children="flat"), ViewState(), 1)
@example(ViewState(), ViewState(pins=0, size=25, mine=True, children="flat"), 1)
@example(ViewState(pins=0), ViewState(pins=2), 0)
def test_a_link_told_against_a_view_leads_to_the_same_list(
    usual: ViewState, now: ViewState, version: int
) -> None:
    base = Base(usual, version)
    told = replace(now, base=base)

    assert ViewState.from_query(told.parameters(), base) == now
    assert ViewState.from_query(sent(told), base) == now
    assert ViewState.from_query(sent(told.whole)) == now


@CALM
@given(KEPT, ALL, st.integers(1, 9))
def test_it_says_only_what_differs_and_what_is_usual_again_as_nothing(
    usual: ViewState, now: ViewState, version: int
) -> None:
    told = replace(now, base=Base(usual, version)).parameters()
    one, other = usual.texts(), now.texts()
    differing = {name for name in {*one, *other} if one.get(name) != other.get(name)}

    assert told.keys() - {"rev"} == differing
    assert {name for name, text in told.items() if not text} == one.keys() - other.keys()


@CALM
@given(KEPT, ALL, st.integers(1, 9))
def test_it_names_the_version_exactly_when_the_list_is_another(
    usual: ViewState, now: ViewState, version: int
) -> None:
    told = replace(now, base=Base(usual, version)).parameters()
    is_edited = usual.kept(ticks=True) != now.kept(ticks=True)

    assert ("rev" in told) == is_edited
    assert told.get("rev", str(version)) == str(version)
    assert "view" not in told


@CALM
@given(KEPT, states(**WHERE), st.integers(1, 9))
def test_an_unedited_view_has_no_parameters_but_where_one_is(
    usual: ViewState, where: ViewState, version: int
) -> None:
    base = Base(usual, version)
    there = replace(usual, after=where.after, before=where.before, explain=where.explain)

    assert not ViewState.from_query({}, base).parameters()
    assert replace(there, base=base).parameters().keys() <= PASSING


@CALM
@given(KEPT, st.integers(1, 9))
def test_a_list_of_an_older_version_always_names_it(usual: ViewState, version: int) -> None:
    older = Base(usual, version, is_newest=False)

    assert replace(usual, base=older).parameters() == {"rev": str(version)}


@CALM
@given(ALL)
def test_the_usual_list_is_asked_for_by_name_where_a_view_is_the_default(now: ViewState) -> None:
    told = replace(now, base=Base(ViewState())).parameters()

    assert told == now.texts() | {"view": NO_VIEW}


@CALM
@given(KEPT, ALL)
def test_the_base_is_no_part_of_what_is_compared_or_kept(usual: ViewState, now: ViewState) -> None:
    told = replace(now, base=Base(usual, 3))

    assert told == now
    assert told.texts() == now.texts() == told.whole.parameters()
    assert told.kept(ticks=True).keys().isdisjoint(PASSING)
    assert told.kept().keys().isdisjoint(PASSING | TICKS)


def test_words_that_no_list_knows_leave_the_base_alone() -> None:
    base = Base(ViewState(q="net", size=25), 2)

    assert ViewState.from_query({"rev": "2", "view": "x", "__proto__": "1"}, base) == base.state


def test_an_unreadable_value_falls_back_to_the_usual_not_to_the_view() -> None:
    base = Base(ViewState(size=25, pins=3), 2)

    now = ViewState.from_query({"size": "7", "pins": "²"}, base)

    assert (now.size, now.pins) == (DEFAULT_SIZE, 1)
