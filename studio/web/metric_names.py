"""The list of a run's metrics to tick: searched, grouped by what stands before the last slash."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet, Sum

from studio.metrics.models import NUMERIC, Kind, Metric
from studio.runs.models import Run
from studio.web.chart_state import ChartState
from studio.web.metric_charts import last_of

MAX_NAMES_LISTED = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric in the list of names. `group` is "train/" of "train/loss" when others share it."""

    name: str
    kind: str
    last: str
    is_ticked: bool
    group: str = ""

    @property
    def rest(self) -> str:
        return self.name.removeprefix(self.group)


def metrics_of(run: Run) -> QuerySet[Metric]:
    ordinary = Metric.objects.ordinary().filter(run=run)
    return ordinary.exclude(kind=Kind.IMAGE).order_by("name")


def listed(run: Run, state: ChartState) -> tuple[list[Entry], int]:
    """Names that match the search, ticked ones that do not before them; how many match."""
    matching = found_by(run, state)
    found = list(matching[:MAX_NAMES_LISTED])
    n_found = len(found) if len(found) < MAX_NAMES_LISTED else matching.count()
    names = {metric.name for metric in found}
    missing = [name for name in state.names if name not in names]
    kept = list(metrics_of(run).filter(name__in=missing)) if missing else []
    return grouped(kept, state) + grouped(found, state), n_found


def found_by(run: Run, state: ChartState) -> QuerySet[Metric]:
    matching = metrics_of(run)
    return matching.filter(name__icontains=state.find) if state.find else matching


def grouped(metrics: Sequence[Metric], state: ChartState) -> list[Entry]:
    """Names without a group first, then group by group; a group has at least two names."""
    sizes = Counter(group_of(metric.name) for metric in metrics)
    entries = [
        Entry(
            metric.name,
            metric.get_kind_display(),
            hint_of(metric),
            metric.name in state.names,
            group_of(metric.name) if sizes[group_of(metric.name)] > 1 else "",
        )
        for metric in metrics
    ]
    return sorted(entries, key=lambda entry: entry.group)


def group_of(name: str) -> str:
    """What stands before the last slash, with it; "" without one, or with nothing behind it."""
    before, slash, rest = name.rpartition("/")
    return before + slash if before and rest else ""


def hint_of(metric: Metric) -> str:
    """What stands beside a name: its last value, or the kind where that is no short word."""
    is_short = metric.kind in NUMERIC or metric.kind == Kind.TEXT
    return last_of(metric) if is_short else metric.get_kind_display()


def news_of(run: Run, state: ChartState) -> dict[str, object]:
    """Of the names listed: their last values; and how many there are, with a version of it all (2
    queries)."""
    metrics = list(found_by(run, state)[:MAX_NAMES_LISTED])
    totals = metrics_of(run).aggregate(points=Sum("n_points"))
    n_names = metrics_of(run).count()
    return {
        "version": f"{totals['points'] or 0}-{n_names}-{'over' if run.is_terminal else 'live'}",
        "is_live": not run.is_terminal,
        "n_names": n_names,
        "last": {metric.name: hint_of(metric) for metric in metrics},
    }
