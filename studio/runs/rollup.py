"""How the child runs of a page of parents stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from studio.queries.fixed import fixed
from studio.queries.ids import Ids, IdsField
from studio.runs.models import Run
from studio.runs.status import Status


@dataclass(frozen=True, slots=True)
class Rollup:
    """Child runs by how they stand; grandchildren are not counted."""

    n: int
    n_completed: int
    n_failed: int
    n_canceled: int

    @property
    def n_unfinished(self) -> int:
        return self.n - self.n_completed - self.n_failed - self.n_canceled

    @property
    def words(self) -> str:
        """Such as: 3 of 5 completed, 1 failed."""
        parts = [f"{self.n_completed:,} of {self.n:,} completed"]
        if self.n_failed:
            parts.append(f"{self.n_failed:,} failed")
        if self.n_canceled:
            parts.append(f"{self.n_canceled:,} canceled")
        return ", ".join(parts)


def rollups(parent_ids: Sequence[int]) -> dict[int, Rollup]:
    """Roll-ups by parent id, for parents that have children (1 query)."""
    if not parent_ids:
        return {}
    counts: dict[int, dict[str, int]] = {}
    for parent_id, status, n in _counted(parents=parent_ids):
        counts.setdefault(parent_id, {})[status] = n
    return {parent_id: _rollup(of) for parent_id, of in counts.items()}


@fixed(parents=IdsField())
def _counted(parents: Any) -> "QuerySet[Run, Any]":
    rows = Run.objects.filter(parent__in=Ids(parents), deleted_at=None).order_by()
    return rows.values_list("parent_id", "status").annotate(n=Count("id"))


def _rollup(counts: dict[str, int]) -> Rollup:
    completed, failed, canceled = (
        counts.get(status, 0) for status in (Status.COMPLETED, Status.FAILED, Status.CANCELED)
    )
    return Rollup(sum(counts.values()), completed, failed, canceled)
