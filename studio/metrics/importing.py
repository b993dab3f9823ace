"""Storing points of imported runs: those of many runs in one transaction."""

from collections.abc import Sequence

from django.db.models import Count

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.metrics import chunks, summary
from studio.metrics.actions import MAX_NAMES, SUMMARY
from studio.metrics.models import Metric
from studio.metrics.summary import Series
from studio.runs.models import Run
from studio.runs.rows import insert_rows, update_rows
from studio.runs.turn import in_turn

Key = tuple[int, str]


def add_points(
    workspace: Workspace, news: Sequence[tuple[Run, Series]], *, by: Actor
) -> list[tuple[Run, Series, str]]:
    """Store series of runs of the workspace, at most one for each run and name, all or none but
    those that come back: (run, series, why it was left out).

    Queries: 6, and at most 5 more when chunks become full or are merged.
    """
    require(by, Permission.LOG_TO_RUN, workspace)
    with in_turn():
        ids = sorted({run.pk for run, _ in news})
        # In one order, and until the commit: batches of these runs wait.
        locked = Run.objects.filter(workspace=workspace, pk__in=ids).order_by("pk")
        there = set(locked.select_for_update(no_key=True).values_list("pk", flat=True))
        known = _metrics_of(ids, sorted({series.name for _, series in news}))
        fitting, refused = _sorted_out(news, known, there)
        new = [
            Metric(run=run, workspace_id=workspace.pk, name=series.name, kind=series.kind)
            for run, series in fitting
            if (run.pk, series.name) not in known
        ]
        insert_rows(new)
        if new:
            known |= _metrics_of(ids, sorted({metric.name for metric in new}))
        touched = [(known[run.pk, series.name], series) for run, series in fitting]
        for metric, series in touched:
            summary.add_to(metric, series)
        chunks.append(touched)
        update_rows([metric for metric, _ in touched], SUMMARY)
    return refused


def _metrics_of(run_ids: Sequence[int], names: Sequence[str]) -> dict[Key, Metric]:
    found = Metric.objects.filter(run__in=run_ids)
    if len(names) <= MAX_NAMES:
        found = found.filter(name__in=names)
    return {(metric.run_id, metric.name): metric for metric in found}


def _sorted_out(
    news: Sequence[tuple[Run, Series]], known: dict[Key, Metric], there: set[int]
) -> tuple[list[tuple[Run, Series]], list[tuple[Run, Series, str]]]:
    """What can be stored, and what not and why."""
    counted = Metric.objects.filter(run__in=sorted(there)).values("run").annotate(n=Count("pk"))
    n_names = {row["run"]: row["n"] for row in counted.order_by()}
    fitting: list[tuple[Run, Series]] = []
    refused: list[tuple[Run, Series, str]] = []
    for run, series in news:
        metric = known.get((run.pk, series.name))
        if run.pk not in there:
            refused.append((run, series, "The run was purged meanwhile."))
        elif metric is not None and metric.kind != series.kind:
            why = f"Points of the kind {series.kind}, where {metric.kind} is stored already."
            refused.append((run, series, why))
        elif metric is None and n_names.get(run.pk, 0) >= MAX_NAMES:
            refused.append((run, series, f"A run holds at most {MAX_NAMES:,} metric names."))
        else:
            if metric is None:
                n_names[run.pk] = n_names.get(run.pk, 0) + 1
            fitting.append((run, series))
    return fitting, refused
