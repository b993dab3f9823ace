"""Values that very many runs share, one after the other: experiments, people, statuses.

Of each, the index of its runs is walked by itself, so that a page in the order of names is filled
without sorting all runs by the name of what they point at.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from studio.runs.querysets import RunQuerySet

# So many keys are asked for at once: each fills a part of a page.
AT_ONCE = 50


class Shared(NamedTuple):
    """A column of runs with few values. rows and name: what it points at and the column there with
    the name, which is then the value."""

    column: str
    rows: "QuerySet[Any] | None" = None
    name: str = ""


class Block(NamedTuple):
    """The runs with one value: `value` as a list is sorted by it, `key` as the run holds it."""

    value: str
    column: str
    key: Any

    @property
    def runs(self) -> Q:
        return Q(**{self.column: self.key})

    @property
    def tested(self) -> Q:
        """The same as a test of each run: given an index for it, SQLite would begin there and sort
        all of them, however many."""
        if connection.vendor != "sqlite":
            return self.runs
        is_text = isinstance(self.key, str)
        kind = TextField() if is_text else BigIntegerField()
        held = Coalesce(F(self.column), Value("" if is_text else 0), output_field=kind)
        return Q(Exact(held, self.key))


def blocks(
    shared: Shared, runs: RunQuerySet, *, start: str | None, descending: bool
) -> Iterator[Block]:
    """The blocks that hold any of `runs` in the order of their values, from `start` on.

    Queries: one for each value, or for each 50 that are keys, as far as the caller reads.
    """
    read = _own if shared.rows is None else _pointed
    bound = "lte" if descending else "gte"
    while True:
        found = read(shared, runs, {} if start is None else {bound: start}, descending)
        yield from found
        if len(found) < (1 if shared.rows is None else AT_ONCE):
            return
        start, bound = found[-1].value, "lt" if descending else "gt"


def _own(
    shared: Shared, runs: RunQuerySet, bounds: dict[str, str], descending: bool
) -> list[Block]:
    """The next value, from the index in which it stands."""
    beyond = runs.filter(**{f"{shared.column}__{sign}": text for sign, text in bounds.items()})
    by = f"{'-' if descending else ''}{shared.column}"
    values = beyond.order_by(by).values_list(shared.column, flat=True)[:1]
    return [Block(value, shared.column, value) for value in values]


def _pointed(
    shared: Shared, runs: RunQuerySet, bounds: dict[str, str], descending: bool
) -> list[Block]:
    """The next rows that any of the runs points at."""
    has_run = Exists(runs.filter(**{shared.column: OuterRef("pk")}))
    beyond = {f"{shared.name}__{sign}": text for sign, text in bounds.items()}
    rows: QuerySet[Any] = shared.rows.filter(has_run, **beyond)  # type: ignore[union-attr]
    rows = rows.order_by(f"{'-' if descending else ''}{shared.name}")
    named = rows.values_list(shared.name, "pk")[:AT_ONCE]
    return [Block(name, shared.column, pk) for name, pk in named]
