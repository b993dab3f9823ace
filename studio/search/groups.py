"""A list of runs in groups: how many runs each has, how they stand, and what their metrics say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, FilteredRelation, FloatField, Max, Min, Q, Sum, Value

from studio.runs.querysets import RunQuerySet
from studio.runs.status import COUNTERS
from studio.search.columns import Column
from studio.search.grouping import Part, Row, part_of, term_of
from studio.search.newest import newest_of
from studio.search.tree import Node, all_of

MAX_GROUPS = 1_000
# So many runs are put into groups in a blink; of a longer list the newest.
MAX_RUNS = 50_000
# A tag, a parameter or a metric is looked up for every run: so many look-ups at most.
MAX_LOOKUPS = 100_000
# No database joins as many tables as a list may show columns.
METRICS_PER_QUERY = 10
# A power of two, which changes no digit: the sum of MAX_RUNS large numbers stays a number.
SCALE = 2.0**17


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric over a group: of its `n` runs with a finite value, all None without one."""

    n: int = 0
    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that share the value of each key.

    values: one for each key, None for "no value", "" for a tag without one; counters: name of the
    status counter -> number of runs, zeros left out; newest_at: the latest submission; query: the
    condition that narrows the list to this group.
    """

    values: tuple[str | None, ...]
    n: int
    counters: dict[str, int]
    newest_at: datetime
    measures: dict[Column, Measure]
    query: Node


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some of the groups, the largest first; `newer` and `older` are the `after` of the pages
    above and below, "" when there is none.

    n_groups: of all pages, is_cut when there are more than these; n_runs: how many were put into
    groups, the newest of the list when is_sampled: then every number is about them alone.
    """

    groups: list[Group]
    n_groups: int
    is_cut: bool
    n_runs: int
    is_sampled: bool
    newer: str
    older: str


def group_page(
    runs: RunQuerySet,
    keys: Sequence[Column],
    metrics: Sequence[Column] = (),
    *,
    size: int,
    after: str = "",
) -> GroupPage:
    """One page of the groups that `keys`, one or two of `parse_group`, make of `runs`.

    The groups with most runs come first, of equal ones the smaller value; numbers before texts
    before no value. metrics: the last, lowest and highest values get a measure in each group, other
    columns are passed over. after: what no page gave means the first page.
    At most 1,000 groups are told apart, the largest; and of a list of more than 50,000 runs, or
    fewer with many metrics, the newest alone are grouped, so that the time has a bound: 100,000
    look-ups of a tag, a parameter or a metric. Of a filter that no index answers these are the ones
    among the newest 50,000 of all runs, if they are 1,000.
    Queries: those of `newest_of` and one, one for each further 10 metrics, one for each key that
    names a row, and one more when there are more groups.
    """
    parts = [part_of(key, index) for index, key in enumerate(keys)]
    wanted = {
        column: f"m{index}"
        for index, column in enumerate(dict.fromkeys(metrics))
        if column.family == "metric" and not column.of
    }
    n_lookups = len({c.name for c in wanted}) + sum(bool(part.relations) for part in parts)
    bare = runs.select_related(None).prefetch_related(None).order_by()
    some, is_all = newest_of(bare, min(MAX_RUNS, MAX_LOOKUPS // max(n_lookups, 1)))
    rows = _rows(some, parts, wanted)
    is_cut = len(rows) > MAX_GROUPS
    rows = rows[:MAX_GROUPS]
    helds = list(zip(*(part.read(rows) for part in parts), strict=True))
    order = sorted(
        range(len(rows)), key=lambda i: (-rows[i]["n"], [held.place for held in helds[i]])
    )
    start = _start(after, size, len(rows))
    shown = [
        _group(keys, [h.text for h in helds[i]], rows[i], wanted) for i in order[start:][:size]
    ]
    return GroupPage(
        shown,
        n_groups=len(rows),
        is_cut=is_cut,
        n_runs=some.count() if is_cut else sum(row["n"] for row in rows),
        is_sampled=not is_all,
        newer=str(max(0, start - size)) if start else "",
        older=str(start + size) if start + size < len(rows) else "",
    )


def _start(after: str, size: int, n_groups: int) -> int:
    """Where the page begins; 0 for what is no number of a group."""
    start = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
    return start if start < n_groups else 0


# Metric -> what the names of its sums begin with: its own name may hold anything.
Metrics = dict[Column, str]


def _rows(runs: RunQuerySet, parts: Sequence[Part], metrics: Metrics) -> list[Row]:
    """A row for each group, with its counts and the sums of its metrics, the largest first."""
    first, *others = _portions(metrics)
    own: dict[str, Any] = {"n": Count("pk"), "newest_at": Max("created_at")}
    for name, statuses in COUNTERS.items():
        own[f"n_{name}"] = Count("pk", filter=Q(status__in=sorted(statuses)))
    rows = _grouped(runs, parts, first, own)
    by = [name for part in parts for name in part.by]
    found = {tuple(row[name] for name in by): row for row in rows}
    for portion in others:
        for row in _grouped(runs, parts, portion, {"n": Count("pk")}):
            known = found.get(tuple(row[name] for name in by), {})
            known |= {name: value for name, value in row.items() if name not in known}
    return rows


def _portions(metrics: Metrics) -> list[Metrics]:
    """The metrics in portions of 10 names; one empty portion for none."""
    names = list(dict.fromkeys(column.name for column in metrics))
    starts = range(0, max(len(names), 1), METRICS_PER_QUERY)
    portions = [names[start:][:METRICS_PER_QUERY] for start in starts]
    return [{c: text for c, text in metrics.items() if c.name in portion} for portion in portions]


def _grouped(
    runs: RunQuerySet, parts: Sequence[Part], metrics: Metrics, more: dict[str, Any]
) -> list[Row]:
    """1 query."""
    relations = {name: relation for part in parts for name, relation in part.relations.items()}
    by = {name: each for part in parts for name, each in part.by.items()}
    also = {name: each for part in parts for name, each in part.also.items()}
    joined: dict[str, str] = {}
    for column, prefix in metrics.items():
        relation = joined.setdefault(column.name, f"{prefix}_row")
        relations[relation] = ("metrics", Q(metrics__name=column.name))
        also |= _aggregates(prefix, f"{relation}__{column.stat or 'last'}")
    joins = {name: FilteredRelation(to, condition=on) for name, (to, on) in relations.items()}
    rows = runs.annotate(**joins, **by).values(*by).annotate(**more, **also)
    return list(rows.order_by("-n", *by)[: MAX_GROUPS + 1])


def _aggregates(prefix: str, value: str) -> dict[str, Any]:
    return {
        f"{prefix}_n": Count(value),
        f"{prefix}_sum": Sum(F(value) * Value(1 / SCALE), output_field=FloatField()),
        f"{prefix}_low": Min(value),
        f"{prefix}_high": Max(value),
    }


def _group(
    keys: Sequence[Column], values: Sequence[str | None], row: Row, metrics: Metrics
) -> Group:
    counters = {name: row[f"n_{name}"] for name in COUNTERS}
    terms = [term_of(key, value) for key, value in zip(keys, values, strict=True)]
    return Group(
        tuple(values),
        row["n"],
        {name: n for name, n in counters.items() if n},
        row["newest_at"],
        {column: _measure(row, prefix) for column, prefix in metrics.items()},
        all_of(terms),
    )


def _measure(row: Row, prefix: str) -> Measure:
    # A group that came into being between two queries is not in the second.
    n = row.get(f"{prefix}_n", 0)
    if not n:
        return Measure()
    low, high = row[f"{prefix}_low"], row[f"{prefix}_high"]
    # Rounding must not lead out of the range.
    return Measure(n, min(max(row[f"{prefix}_sum"] / n * SCALE, low), high), low, high)
