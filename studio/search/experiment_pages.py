"""Pages of experiments in any of their orders, cut by value and not by number: none is shown twice
or missed while others are being added."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import F, Q
from django.db.models.functions import Lower

from studio.runs.models import Experiment
from studio.runs.querysets import ExperimentQuerySet
from studio.search.cursors import Place, read_cursor, write_cursor


class Lane(NamedTuple):
    """One value experiments are sorted by; those without it come last, in either direction."""

    name: str
    descending: bool = False
    can_be_empty: bool = False


LATEST = Lane("latest_run_at", descending=True, can_be_empty=True)
# What equal experiments are told apart by: the younger one first.
YOUNGEST = Lane("pk", descending=True)
SORTS: dict[str, tuple[Lane, ...]] = {
    "-latest": (LATEST, YOUNGEST),
    "latest": (Lane("latest_run_at", can_be_empty=True), YOUNGEST),
    "name": (Lane("folded_name"), YOUNGEST),
    "-name": (Lane("folded_name", descending=True), YOUNGEST),
    "-runs": (Lane("n_runs", descending=True), YOUNGEST),
    "runs": (Lane("n_runs"), YOUNGEST),
    "starred": (Lane("is_starred", descending=True), LATEST, YOUNGEST),
}
DEFAULT_SORT = "-latest"
COUNTED = {"runs", "-runs"}


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """`previous` and `next` are cursors, empty when there is nothing there."""

    experiments: list[Experiment]
    previous: str = ""
    next: str = ""


def experiment_page(
    experiments: ExperimentQuerySet, sort: str, *, size: int, after: str = "", before: str = ""
) -> ExperimentPage:
    """One page in the order `sort` (a key of SORTS): below the cursor `after`, or above `before`,
    or the first; a made-up cursor gives the first.

    The experiments must say whether they are starred (`starred_by`). 1 query; 2 by number of runs,
    which counts every experiment's runs to 10,000: 75 ms for 2,000 experiments of 500 runs.
    """
    own = _Counted(experiments, sort) if sort in COUNTED else _Walked(experiments, sort)
    if before and (place := read_cursor(before, _scope(sort))):
        above = own.take(place, size + 1, back=True)
        if above:
            shown = above[:size][::-1]
            return ExperimentPage(
                shown,
                previous=own.cursor(shown[0]) if len(above) > size else "",
                next=own.cursor(shown[-1]),
            )
    below = read_cursor(after, _scope(sort)) if after and not before else None
    found = own.take(below, size + 1)
    shown = found[:size]
    return ExperimentPage(
        shown,
        previous=own.cursor(shown[0]) if shown and below else "",
        next=own.cursor(shown[-1]) if len(found) > size else "",
    )


def is_cursor(text: str, sort: str) -> bool:
    """Whether a text is a cursor of pages in this order."""
    return read_cursor(text, _scope(sort)) is not None


def _scope(sort: str) -> str:
    return f"experiments/{sort}"


@dataclass(frozen=True, slots=True)
class _Walked:
    """Experiments sorted and cut by the database."""

    experiments: ExperimentQuerySet
    sort: str

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return SORTS[self.sort]

    def cursor(self, experiment: Experiment) -> str:
        values = tuple(getattr(experiment, lane.name) for lane in self.lanes[:-1])
        return write_cursor(Place(values, experiment.pk), _scope(self.sort))

    def take(self, place: Place | None, n: int, *, back: bool = False) -> list[Experiment]:
        """The `n` next to a place, nearest first; from the beginning without one."""
        rows = self.experiments.annotate(folded_name=Lower("name"))
        if place is not None:
            rows = rows.filter(beyond(self.lanes, (*place.values, place.pk), back=back))
        return list(rows.order_by(*(_ordering(lane, back=back) for lane in self.lanes))[:n])


@dataclass(frozen=True, slots=True)
class _Counted(_Walked):
    """By number of runs: each is counted once, and only those shown are loaded."""

    def take(self, place: Place | None, n: int, *, back: bool = False) -> list[Experiment]:
        sign = -1 if self.lanes[0].descending else 1
        counts = self.experiments.numbers_of_runs()
        ranks = sorted((sign * count, -pk) for pk, count in counts.items())
        if place is not None:
            here = (sign * place.values[0], -place.pk)
            ranks = [rank for rank in ranks if (rank < here if back else rank > here)]
        if back:
            ranks.reverse()
        by_id = self.experiments.order_by().in_bulk([-pk for _, pk in ranks[:n]])
        found = [by_id[-pk] for _, pk in ranks[:n] if -pk in by_id]
        for experiment in found:
            vars(experiment)["n_runs"] = counts[experiment.pk]
        return found


def beyond(lanes: tuple[Lane, ...], values: tuple[Any, ...], *, back: bool = False) -> Q:
    """What follows a place with these values (`back`: what comes before it)."""
    (lane, *others), (value, *rest) = lanes, values
    if value is None:
        further = Q(**{f"{lane.name}__isnull": False}) if back else Q(pk__in=[])
        same = Q(**{f"{lane.name}__isnull": True})
    else:
        sign = "lt" if lane.descending != back else "gt"
        further = Q(**{f"{lane.name}__{sign}": value})
        if lane.can_be_empty and not back:
            further |= Q(**{f"{lane.name}__isnull": True})
        same = Q(**{lane.name: value})
    if not others:
        return further
    return further | same & beyond(tuple(others), tuple(rest), back=back)


def _ordering(lane: Lane, *, back: bool) -> Any:
    down = lane.descending != back
    empty: dict[str, Any] = {}
    if lane.can_be_empty:
        empty = {"nulls_first": True} if back else {"nulls_last": True}
    return F(lane.name).desc(**empty) if down else F(lane.name).asc(**empty)
