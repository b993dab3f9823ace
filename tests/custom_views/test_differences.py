"""What two states of a list differ in, and a third one made of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.custom_views.differences import (
    BOTH,
    MINE,
    PARTS,
    THEIRS,
    clashes,
    differences,
    merged,
    summary,
    words,
)
from studio.custom_views.stored import KEPT, checked
from studio.search.pills import pills
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Node, all_of, any_of, negate
from tests.custom_views.world import CALM
from tests.search.cases import FAILED, A, B, C

UIDS = ",".join(f"{n:032x}" for n in range(3))
FIELDS = {
    "order": ["", "name", "-metric.loss"],
    "columns": ["", "name", "name,status"],
    "widths": ["", "name=100"],
    "pins": ["", "0", "3"],
    "group": ["", "status", "tag.quality"],
    "charts": ["", "kind=bar", "kind=bar;kind=line"],
    "children": ["", "tree", "flat"],
    "mine": ["", "1"],
    "chosen": ["", UIDS],
    "only": ["", "1"],
    "size": ["", "25"],
}
PILLS: list[Node] = [A, B, C, FAILED, negate(A), any_of([B, C])]
QUERIES = st.lists(st.sampled_from(PILLS), max_size=4, unique=True).map(
    lambda some: print_query(all_of(some)) if some else ""
)
READABLE = st.fixed_dictionaries(
    {"q": QUERIES, "off": QUERIES}
    | {name: st.sampled_from(values) for name, values in FIELDS.items()}
).map(lambda texts: {name: text for name, text in texts.items() if text})
ANYTHING = st.dictionaries(st.sampled_from(KEPT), st.text(max_size=8))
CHOICES = st.fixed_dictionaries({part: st.sampled_from([MINE, THEIRS]) for part in PARTS})


def held(texts: dict[str, str], name: str = "q") -> set[Node]:
    return set(pills(parse(texts.get(name, ""))))


@pytest.mark.parametrize(
    ("part", "texts", "told"),
    [
        *((part, {}, "") for part in PARTS),
        ("filters", {"q": "status:Failed"}, "status:Failed"),
        ("filters", {"q": "a", "off": "b"}, "a (switched off: b)"),
        ("filters", {"off": "b"}, "(switched off: b)"),
        ("mine", {"mine": "1"}, "on"),
        ("children", {"children": "tree"}, "shown as a tree"),
        ("children", {"children": "flat"}, "shown flat"),
        ("children", {"children": "odd"}, "odd"),
        ("order", {"order": "-metric.loss:min,name"}, "min loss down, then Display name up"),
        ("order", {"order": "nothing"}, "nothing"),
        ("group", {"group": "status,tag.quality"}, "Status, then quality"),
        ("group", {"group": "name"}, "name"),
        ("columns", {"columns": "name,metric.loss"}, "Display name, loss"),
        ("columns", {"widths": "name=9"}, "own widths"),
        ("columns", {"pins": "0"}, "none stays at the left"),
        ("columns", {"columns": "name", "pins": "3"}, "Display name; first 3 stay at the left"),
        ("columns", {"columns": "nothing"}, "nothing"),
        ("charts", {"charts": "kind=bar"}, "1 chart"),
        ("charts", {"charts": "kind=bar;kind=line"}, "2 charts"),
        ("size", {"size": "25"}, "25"),
        ("ticks", {"chosen": UIDS}, "3 runs"),
        ("ticks", {"chosen": "a", "only": "1"}, "1 run, only these"),
        ("ticks", {"only": "1"}, "0 runs, only these"),
    ],
)
def test_a_part_is_told_as_a_person_would(part: str, texts: dict[str, str], told: str) -> None:
    assert words(part, texts) == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {}, ""),
        ({}, {"q": "a"}, "+1 filter"),
        ({}, {"q": "a b"}, "+2 filters"),
        ({"q": "a b"}, {"q": "a"}, "−1 filter"),
        ({"q": "a b"}, {"q": "a c"}, "+1 filter, −1 filter"),
        ({"q": "a b"}, {"q": "b a"}, "filters"),
        ({"q": "a"}, {"q": "status:"}, "filters"),
        ({"q": "a"}, {"q": "a", "off": "b"}, "filters"),
        ({"order": "name"}, {"q": "a", "size": "25"}, "+1 filter, sort, page size"),
        ({}, {"columns": "name", "widths": "name=9"}, "columns"),
        ({"chosen": UIDS}, {}, "chosen runs"),
    ],
)
def test_what_was_changed_is_summed_up(
    before: dict[str, str], after: dict[str, str], told: str
) -> None:
    assert summary(differences(before, after)) == told


def test_every_part_of_a_view_belongs_to_one_thing_that_people_know() -> None:
    names = [name for _, own in PARTS.values() for name in own]

    assert sorted(names) == list(KEPT)


@CALM
@given(ANYTHING | READABLE, ANYTHING | READABLE)
def test_differences_are_those_parts_that_differ(one: dict[str, str], two: dict[str, str]) -> None:
    assert differences(one, one) == []
    found = {each.part: each for each in differences(one, two)}
    back = {each.part: each for each in differences(two, one)}

    assert list(found) == list(back) == [part for part in PARTS if part in found]
    for part, (_, names) in PARTS.items():
        is_same = all(one.get(name, "") == two.get(name, "") for name in names)
        assert is_same == (part not in found)
    assert all(each.before == back[part].after and each.summary for part, each in found.items())


@CALM
@given(READABLE, READABLE)
def test_what_one_side_has_changed_is_taken(base: dict[str, str], now: dict[str, str]) -> None:
    assert merged(base, now, base, {}) == now
    assert merged(base, base, now, {}) == now
    assert merged(base, now, now, {}) == now


@CALM
@given(READABLE, READABLE, READABLE, CHOICES)
def test_two_clash_only_where_both_have_changed_something_differently(
    base: dict[str, str], mine: dict[str, str], theirs: dict[str, str], choices: dict[str, str]
) -> None:
    both = clashes(base, mine, theirs)
    found = merged(base, mine, theirs, choices)

    for part, (_, names) in PARTS.items():
        old, own, other, new = (
            [texts.get(name, "") for name in names] for texts in (base, mine, theirs, found)
        )
        assert (part in both) == (old != own and old != other and own != other)
        by_choice = own if choices[part] == MINE else other
        assert new == (by_choice if part in both else own if own != old else other)
    assert all(found.values())


@CALM
@given(READABLE, READABLE, READABLE)
def test_of_filters_both_can_be_taken_and_no_condition_is_lost(
    base: dict[str, str], mine: dict[str, str], theirs: dict[str, str]
) -> None:
    choices = dict.fromkeys(PARTS, MINE) | {"filters": BOTH}
    found = merged(base, mine, theirs, choices)

    for name in ("q", "off"):
        old, own, other, new = (held(texts, name) for texts in (base, mine, theirs, found))
        assert own - old <= new
        assert other - old <= new
        assert not new & (old - own - other)
        # What one of both took away is gone unless the other has it anew.
        assert new == (own | other) - (old - own) - (old - other)
    assert checked(found) == found


@CALM
@given(ANYTHING, ANYTHING, ANYTHING, CHOICES, st.sampled_from([MINE, THEIRS, BOTH]))
def test_texts_that_can_not_be_read_never_stop_it(
    base: dict[str, str],
    mine: dict[str, str],
    theirs: dict[str, str],
    choices: dict[str, str],
    whose: str,
) -> None:
    assert all(words(part, mine) is not None for part in PARTS)
    assert summary(differences(mine, theirs)) is not None
    merged(base, mine, theirs, choices | {"filters": whose})


@pytest.mark.parametrize("texts", [{"q": 1}, {"order": None}, {"charts": [], "chosen": {}}])
def test_nor_do_values_that_are_no_texts(texts: dict[str, str]) -> None:
    assert differences(texts, {}) == []
    assert merged({}, texts, {"q": "a"}, {}) == {"q": "a"}


def test_what_can_not_be_read_of_both_is_kept_to_be_seen() -> None:
    choices = {"filters": BOTH}

    assert merged({"q": "a"}, {"q": "b ("}, {"q": "a c"}, choices) == {"q": "a c b ("}


@pytest.mark.parametrize("choices", [{}, {"order": ""}, {"order": BOTH}, {"order": "ours"}])
def test_where_two_clash_somebody_has_to_say_whose_counts(choices: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        merged({}, {"order": "name"}, {"order": "status"}, choices)


def test_a_condition_that_i_switched_off_stays_off_when_they_add_another() -> None:
    found = merged({"q": "a"}, {"off": "a"}, {"q": "a b"}, {"filters": BOTH})

    assert found == {"q": "b", "off": "a"}
