"""What two states of a list differ in, in words, and a third one made of both. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from studio.custom_views.charts import parse_charts
from studio.search import pills
from studio.search.columns import parse_columns
from studio.search.errors import SearchSyntaxError
from studio.search.grouping import parse_group
from studio.search.order import parse_order
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Node, all_of

# A part of the state that people think of as one thing: its label and its parameters.
PARTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "filters": ("Filters", ("q", "off")),
    "mine": ("Only my runs", ("mine",)),
    "children": ("Child runs", ("children",)),
    "order": ("Sort", ("order",)),
    "group": ("Grouping", ("group",)),
    "columns": ("Columns", ("columns", "widths", "pins")),
    "charts": ("Charts", ("charts",)),
    "size": ("Page size", ("size",)),
    "ticks": ("Chosen runs", ("chosen", "only")),
}
MINE, THEIRS, BOTH = "mine", "theirs", "both"
Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that differs. before, after: in words, "" where nothing was set; `summary`: such as
    "+1 filter" or "sort"."""

    part: str
    label: str
    before: str
    after: str
    summary: str


def differences(before: Texts, after: Texts) -> list[Difference]:
    """What to change in `before` to get `after`, in the order of PARTS."""
    found = []
    for part, (label, names) in PARTS.items():
        if not _differs(names, before, after):
            continue
        summary = _filter_summary(before, after) if part == "filters" else label.lower()
        found.append(Difference(part, label, words(part, before), words(part, after), summary))
    return found


def summary(found: Iterable[Difference]) -> str:
    return ", ".join(one.summary for one in found)


def words(part: str, texts: Texts) -> str:
    """One part of a state as a person would say it, "" for the usual."""
    own = [_text(texts, name) for name in PARTS[part][1]]
    if not any(own):
        return ""
    if part == "filters":
        return f"{own[0]} (switched off: {own[1]})".strip() if own[1] else own[0]
    try:
        return _IN_WORDS[part](own) if part in _IN_WORDS else own[0]
    except SearchSyntaxError:
        return own[0]


def clashes(base: Texts, mine: Texts, theirs: Texts) -> list[str]:
    """The parts that both have changed since `base`, each otherwise."""
    return [
        part
        for part, (_, names) in PARTS.items()
        if _differs(names, base, mine)
        and _differs(names, base, theirs)
        and _differs(names, mine, theirs)
    ]


def merged(base: Texts, mine: Texts, theirs: Texts, choices: Mapping[str, str]) -> dict[str, str]:
    """Both changes of `base` in one state. A part that one has changed is taken from there; of one
    that both have, `choices` says whose: MINE, THEIRS, or for filters BOTH. Raises KeyError where a
    choice is missing or there is no such one."""
    both = set(clashes(base, mine, theirs))
    found: dict[str, str] = {}
    for part, (_, names) in PARTS.items():
        whose = _whose(part, choices) if part in both else ""
        if whose == BOTH:
            found |= _both_filters(base, mine, theirs)
            continue
        is_mine = whose == MINE if whose else _differs(names, base, mine)
        source = mine if is_mine else theirs
        found |= {name: text for name in names if (text := _text(source, name))}
    return found


def _whose(part: str, choices: Mapping[str, str]) -> str:
    whose = choices[part]
    if whose in (MINE, THEIRS) or (whose == BOTH and part == "filters"):
        return whose
    raise KeyError(part)


def _text(texts: Texts, name: str) -> str:
    """A part of the state, "" also for what somebody else's program has put there."""
    text: object = texts.get(name)
    return text if isinstance(text, str) else ""


def _differs(names: Iterable[str], one: Texts, other: Texts) -> bool:
    return any(_text(one, name) != _text(other, name) for name in names)


def _pills(texts: Texts, name: str) -> tuple[Node, ...] | None:
    """The conditions of a query, None when it can't be read."""
    try:
        return pills.pills(parse(_text(texts, name)))
    except SearchSyntaxError:
        return None


def _filter_summary(before: Texts, after: Texts) -> str:
    one, other = _pills(before, "q"), _pills(after, "q")
    if one is None or other is None:
        return "filters"
    n_more = sum(pill not in one for pill in other)
    n_less = sum(pill not in other for pill in one)
    told = [
        f"{sign}{n} {'filter' if n == 1 else 'filters'}"
        for sign, n in (("+", n_more), ("−", n_less))
        if n
    ]
    return ", ".join(told) or "filters"


def _both_filters(base: Texts, mine: Texts, theirs: Texts) -> dict[str, str]:
    """Theirs without what I took away, and with what I added. What can't be read stays in one text
    with the other: it is shown as wrong, and nothing is lost."""
    found = {}
    for name in PARTS["filters"][1]:
        old, own, other = (_pills(texts, name) for texts in (base, mine, theirs))
        if own is None or other is None:
            both = dict.fromkeys((_text(theirs, name), _text(mine, name)))
            found[name] = " ".join(text for text in both if text)
            continue
        known = old or ()
        kept = [pill for pill in other if pill in own or pill not in known]
        together = [*kept, *(pill for pill in own if pill not in known and pill not in kept)]
        if together:
            found[name] = print_query(all_of(together))
    return found


def _column_words(own: list[str]) -> str:
    columns, widths, pins = own
    told = [", ".join(column.label for column in parse_columns(columns)) if columns else ""]
    told += ["own widths" if widths else ""]
    told += [f"first {pins} stay at the left" if pins and pins != "0" else ""]
    told += ["none stays at the left" if pins == "0" else ""]
    return "; ".join(text for text in told if text)


def _tick_words(own: list[str]) -> str:
    n = sum(1 for uid in own[0].split(",") if uid)
    return ", ".join([_count(n, "run"), *(["only these"] if own[1] else [])])


def _order_words(own: list[str]) -> str:
    keys = parse_order(own[0])
    return ", then ".join(
        f"{key.column.label} {'down' if key.descending else 'up'}" for key in keys
    )


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


_IN_WORDS: dict[str, Callable[[list[str]], str]] = {
    "mine": lambda own: "on",
    "children": lambda own: {"tree": "shown as a tree", "flat": "shown flat"}.get(own[0], own[0]),
    "order": _order_words,
    "group": lambda own: ", then ".join(key.label for key in parse_group(own[0])),
    "columns": _column_words,
    "charts": lambda own: _count(len(parse_charts(own[0])), "chart"),
    "ticks": _tick_words,
}
