"""The table that an export writes: every run of a list, once, in its order, a block at a time."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from studio.accounts.models import User
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.column_values import Cell, values_for
from studio.search.columns import Column
from studio.search.order import NEWEST, Order, order_by

BLOCK_ROWS = 500
UID = Column("uid")
# Long texts of a run that no column shows.
_NOT_SHOWN = (
    *("status_reason", "cancel_reason", "cancel_requested_by", "error", "warnings"),
    *("script", "arguments", "snapshot", "deleted_by"),
)

Row = list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, the first of them the uid, and the ids of the rows in their order: 8 MB a million.

    user: whose stars.
    """

    columns: tuple[Column, ...]
    ids: "array[int]"
    user: User | None = None
    block_rows: int = field(default=BLOCK_ROWS, kw_only=True)

    def __len__(self) -> int:
        return len(self.ids)

    def blocks(self) -> Iterator[list[Row]]:
        """The rows in blocks, with the values of the moment at which each block is read; runs
        deleted meanwhile are left out.

        Queries: one a block and those of `values_for`. No transaction or cursor stays open between
        two blocks, so a slow reader holds up nobody.
        """
        for start in range(0, len(self.ids), self.block_rows):
            yield self._block(self.ids[start : start + self.block_rows])

    def _block(self, ids: Sequence[int]) -> list[Row]:
        runs = Run.objects.filter(pk__in=ids, deleted_at=None).defer(*_NOT_SHOWN).order_by()
        by_id = {run.pk: run for run in runs}
        there = [by_id[pk] for pk in ids if pk in by_id]
        values = values_for(there, self.columns, user=self.user)
        return [[values[run.pk][column] for column in self.columns] for run in there]


def table_of(runs: RunQuerySet, columns: Sequence[Column], order: Order) -> Table:
    """The table of the list's runs as it is now: what is added later is not in it, and a run whose
    values change keeps its place (1 query for all ids)."""
    bare = runs.select_related(None).prefetch_related(None)
    ordered = bare.newest() if order.keys == NEWEST else order_by(bare, order)
    ids = array("q", ordered.values_list("pk", flat=True).iterator(chunk_size=BLOCK_ROWS))
    return Table((UID, *(column for column in columns if column != UID)), ids, order.user)


def iso(at: datetime) -> str:
    """Such as 2026-11-21T04:00:00.123456Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
