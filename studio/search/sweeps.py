"""What the child runs of a sweep share: the metric that it is about, and parameters that differ.

A sweep is a run whose property or tag `primary_metric` names a metric of its child runs, and
`primary_metric_goal` says `minimize` or `maximize`.
"""

from dataclasses import dataclass

from django.db.models import Count, Max, Min

from studio.accounts.models import Workspace
from studio.metrics.models import NUMERIC, Metric
from studio.runs.models import Parameter, Run
from studio.runs.querysets import RunQuerySet
from studio.search.columns import Column

METRIC, GOAL = "primary_metric", "primary_metric_goal"
# So many of the newest child runs are looked at: the answer costs the same of thousands.
LOOKED_AT = 200
MAX_METRICS = 12
# From so many times the least value on an axis is better logarithmic.
SPREAD = 100
MAX_PARAMETERS = 11


@dataclass(frozen=True, slots=True)
class Primary:
    """The metric by which runs are told better from worse; goal: "min" or "max", "" where nobody
    said: then it is the last value, and no run is the best."""

    name: str
    goal: str = ""

    @property
    def column(self) -> Column:
        return Column("metric", self.name, self.goal)


@dataclass(frozen=True, slots=True)
class Best:
    """The best run, and its best value."""

    run: Run
    value: float


@dataclass(frozen=True, slots=True)
class Shared:
    """metrics: names of those that two runs or more have, the most common first; parameters: keys
    of those that differ, those with most values first, numbers: the ones of them that are some;
    has_lines: the metrics with several points; spread: the parameters over two powers of ten."""

    metrics: tuple[str, ...]
    has_lines: frozenset[str]
    parameters: tuple[str, ...]
    numbers: tuple[str, ...]
    spread: frozenset[str]


def primary_of(run: Run) -> Primary | None:
    """What the run's properties, or else its tags, name; None for no sweep (2 queries)."""
    said: dict[str, str | None] = {}
    for rows in (run.tags, run.properties):
        said |= dict(rows.filter(key__in=(METRIC, GOAL)).values_list("key", "value"))
    name, goal = said.get(METRIC), (said.get(GOAL) or "").strip().casefold()[:3]
    return Primary(name, goal if goal in ("min", "max") else "") if name else None


def best_of(runs: RunQuerySet, primary: Primary, workspace: Workspace) -> Best | None:
    """The run with the least or greatest value, the newest of equal ones; None where no run has
    one, or there is no goal (1 query)."""
    if not primary.goal:
        return None
    found = Metric.objects.filter(
        workspace=workspace,
        name=primary.name,
        run__in=runs.select_related(None).prefetch_related(None).order_by().values("pk"),
        **{f"{primary.goal}__isnull": False},
    )
    by = primary.goal if primary.goal == "min" else f"-{primary.goal}"
    metric = found.select_related("run").order_by(by, "-run").first()
    return None if metric is None else Best(metric.run, getattr(metric, primary.goal))


def shared_of(runs: RunQuerySet) -> Shared:
    """What the newest LOOKED_AT of the runs have in common (3 queries)."""
    some = list(runs.newest().values_list("pk", flat=True)[:LOOKED_AT])
    metrics = list(
        Metric.objects.filter(run__in=some, kind__in=NUMERIC)
        .order_by()
        .values("name")
        .annotate(n=Count("pk"), n_points=Max("n_points"))
        .filter(n__gt=1)
        .order_by("-n", "name")
        .values_list("name", "n_points")[:MAX_METRICS]
    )
    parameters = list(
        Parameter.objects.filter(run__in=some)
        .order_by()
        .values("key")
        .annotate(n=Count("value", distinct=True), n_numbers=Count("number", distinct=True))
        .annotate(low=Min("number"), high=Max("number"))
        .filter(n__gt=1)
        .order_by("-n", "key")
        .values_list("key", "n_numbers", "low", "high")[:MAX_PARAMETERS]
    )
    return Shared(
        tuple(name for name, _ in metrics),
        frozenset(name for name, n_points in metrics if n_points > 1),
        tuple(key for key, *_ in parameters),
        tuple(key for key, n_numbers, *_ in parameters if n_numbers > 1),
        frozenset(key for key, n, low, high in parameters if n > 1 and 0 < SPREAD * low <= high),
    )
