"""The order of a list of runs: several keys, each up or down, runs without a value always last.

Runs of equal values are told apart by their id, newest first where the last key goes up and oldest
first where it goes down: the way its index runs. `-submitted` is newest first throughout. Where the
last key has few values, as a status, they are told apart by their submission before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import F

from studio.accounts.models import User, Workspace
from studio.runs.querysets import RunQuerySet
from studio.search.columns import Column, in_field, items_of, parse_item, print_column
from studio.search.lanes import SHARED, Lane, lanes_of

MAX_KEYS = 5


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column and its direction; written with a minus before it when it goes down."""

    column: Column
    descending: bool = False

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{print_column(self.column)}"

    @property
    def newest_first(self) -> bool:
        """How runs of equal values follow each other, if this is the last key."""
        return self.descending == (self.column.family == "submitted")


SUBMITTED = Column("submitted")
NEWEST = (SortKey(SUBMITTED, descending=True),)


def parse_order(text: str) -> tuple[SortKey, ...]:
    """Return the keys of `-metric.loss:min,submitted`; `newest` and an empty text: NEWEST.

    A column that comes again changes nothing and is left out. Raises SearchSyntaxError, its
    position counted in the whole text.
    """
    if text.strip().lower() in ("", "newest"):
        return NEWEST
    found: dict[Column, SortKey] = {}
    for position, item in items_of(text):
        bare = item.removeprefix("-").lstrip()
        column = parse_item("order", position + len(item) - len(bare), bare)
        if not column.can_sort:
            message = (
                f"A list shows {column.family}.NAME:{column.stat}(…) but is not sorted by it. "
                "Sort by the last value, :min or :max."
            )
            raise in_field("order", position, len(item), message)
        found.setdefault(column, SortKey(column, item.startswith("-")))
        if len(found) > MAX_KEYS:
            raise in_field("order", position, len(item), f"At most {MAX_KEYS} columns sort.")
    return tuple(found.values())


def print_order(keys: Iterable[SortKey]) -> str:
    """Return the text of the keys, "" for NEWEST: it parses to the same keys."""
    some = tuple(keys)
    return "" if some == NEWEST else ",".join(map(str, some))


@dataclass(frozen=True, slots=True)
class Step:
    """One lane of a key."""

    lane: Lane
    key: SortKey

    @property
    def descending(self) -> bool:
        return self.key.descending

    def by(self, value: Any) -> Any:
        """The ORDER BY of `value`, where some may be missing."""
        make = value.desc if self.descending else value.asc
        return make(nulls_last=True)


@dataclass(frozen=True)
class Order:
    """Keys in one workspace for one person: `user` None has no stars."""

    keys: tuple[SortKey, ...]
    workspace: Workspace
    user: User | None = None

    @property
    def newest_first(self) -> bool:
        """How runs of equal values follow each other."""
        return self.keys[-1].newest_first

    @cached_property
    def all_keys(self) -> tuple[SortKey, ...]:
        """The keys, and the time of submission behind a last key with few values: runs that share
        one of them have an index by time."""
        last = self.keys[-1:]
        if not last or last[0].column.family not in SHARED or SUBMITTED in self._columns:
            return self.keys
        return (*self.keys, SortKey(SUBMITTED, self.newest_first))

    @property
    def _columns(self) -> set[Column]:
        return {key.column for key in self.keys}

    @cached_property
    def steps(self) -> list[Step]:
        """The lanes of all keys, in their order."""
        return [
            Step(lane, key)
            for key in self.all_keys
            for lane in lanes_of(key.column, self.workspace, self.user)
        ]


def order_by(queryset: RunQuerySet, order: Order) -> RunQuerySet:
    """The runs in the order, for reading all of them; pages are cut by `keyset.page`."""
    named = {f"key{i}": step.lane.value("") for i, step in enumerate(order.steps)}
    ordered = queryset.annotate(**named)
    by = [step.by(F(name)) for name, step in zip(named, order.steps, strict=True)]
    return ordered.order_by(*by, "-pk" if order.newest_first else "pk")
