"""What a list of runs is grouped by: its text, and how it becomes SQL."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Case, F, Min, Model, Q, TextField, Value, When
from django.db.models.functions import Coalesce

from studio.accounts.models import User
from studio.compute.models import Target
from studio.runs.models import Experiment
from studio.search.columns import Column, in_field, items_of, parse_item, print_columns
from studio.search.tree import Key, Node, Op, Term, negate

MAX_KEYS = 2
FAMILIES = ("experiment", "status", "submitter", "target", "tag", "param")


def parse_group(text: str) -> tuple[Column, ...]:
    """Return the one or two keys of `experiment,tag.quality`, each once; none for an empty text.

    Raises SearchSyntaxError, its position counted in the whole text.
    """
    found: dict[Column, None] = {}
    if not text.strip():
        return ()
    for position, item in items_of(text):
        column = parse_item("group", position, item)
        if column.family not in FAMILIES:
            message = (
                "A list is grouped by experiment, status, submitter, target, tag.NAME or "
                f"param.NAME, not by {column.family}."
            )
            raise in_field("group", position, len(item), message)
        found[column] = None
        if len(found) > MAX_KEYS:
            message = f"A list is grouped by at most {MAX_KEYS} keys."
            raise in_field("group", position, len(item), message)
    return tuple(found)


def print_group(keys: Iterable[Column]) -> str:
    """Return the text of the keys, which parses to the same keys."""
    return print_columns(keys)


class Held(NamedTuple):
    """A value that runs of a group share, None for those without one, and its place in the order:
    numbers, texts, none."""

    text: str | None
    place: tuple[int, float, str]


Row = dict[str, Any]
# What a run is joined with, and which of its rows: a FilteredRelation serves one query only.
Join = tuple[str, Q]


@dataclass(frozen=True, slots=True)
class Part:
    """A key in SQL.

    relations: name -> the joins it needs; by: name -> expression, which together make the groups;
    also: what is read of a group besides; read: the value of each group.
    """

    relations: dict[str, Join]
    by: dict[str, Any]
    also: dict[str, Any]
    read: Callable[[Sequence[Row]], list[Held]]


def part_of(key: Column, index: int) -> Part:
    """The key in SQL; `index` keeps the names of two keys apart."""
    name = f"key{index}"
    if key.family == "tag":
        return _tag(key, name)
    if key.family == "param":
        return _parameter(key, name)
    if key.family == "status":
        return Part({}, {name: F("status")}, {}, lambda rows: [_held(row[name]) for row in rows])
    model, column = _POINTING[key.family]

    def read(rows: Sequence[Row]) -> list[Held]:
        ids = {row[name] for row in rows}
        names = dict(model._default_manager.filter(pk__in=ids).values_list("pk", column))
        return [_held(names.get(row[name])) for row in rows]

    return Part({}, {name: F(f"{key.family}_id")}, {}, read)


_POINTING: dict[str, tuple[type[Model], str]] = {
    "experiment": (Experiment, "name"),
    "submitter": (User, "username"),
    "target": (Target, "name"),
}


def _tag(key: Column, name: str) -> Part:
    """A tag without a value has the value ""."""
    own = f"{name}_row"
    value = Coalesce(f"{own}__value", Value(""), output_field=TextField())
    by = Case(When(Q(**{f"{own}__isnull": False}), then=value), output_field=TextField())
    return Part(
        {own: ("tags", Q(tags__key=key.name))},
        {name: by},
        {},
        lambda rows: [_held(row[name]) for row in rows],
    )


def _parameter(key: Column, name: str) -> Part:
    """Texts that are the same number are one value, as in a query; shown is the first of them."""
    own, number, first = f"{name}_row", f"{name}_number", f"{name}_first"
    is_text = When(Q(**{f"{own}__number__isnull": True}), then=F(f"{own}__value"))
    return Part(
        {own: ("parameters", Q(parameters__key=key.name))},
        {name: Case(is_text, output_field=TextField()), number: F(f"{own}__number")},
        {first: Min(f"{own}__value")},
        lambda rows: [_held(row[first], row[number]) for row in rows],
    )


def _held(text: str | None, number: float | None = None) -> Held:
    if number is not None:
        return Held(text, (0, number, ""))
    return Held(text, (2, 0.0, "") if text is None else (1, 0.0, text))


def term_of(key: Column, value: str | None) -> Node:
    """The condition that holds for the runs of a group."""
    asked = Key(key.family, key.name)
    if value is None:
        return negate(Term(asked, Op.HAS))
    return Term(asked, Op.EQ, (value,))
