"""What an archive tells of runs: facts and history as JSON lines, points as packed chunks."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from studio.accounts.models import Workspace
from studio.exports.archive_files import Held
from studio.metrics.models import Metric, MetricChunk
from studio.runs.as_json import cancel_dict, iso, parts_of, with_parts
from studio.runs.models import Dependency, Run, RunEvent

METRICS_PER_QUERY = 500
CHUNKS_PER_QUERY = 64
EVENTS_PER_QUERY = 500
# Plain columns that are told as they are.
FACTS = (
    *("uid", "number", "display_name", "type", "status", "status_reason", "duration_s"),
    *("max_duration_s", "error", "exit_code", "exit_signal", "evidence", "warnings"),
    *("script", "arguments", "snapshot"),
)
MOMENTS = ("status_at", "created_at", "started_at", "ended_at", "archived_at")


def load_runs(workspace: Workspace, ids: Sequence[int]) -> list[Run]:
    """The runs by id, with all that `run_lines` reads (4 queries)."""
    runs = Run.objects.of(workspace).filter(pk__in=ids).order_by("pk")
    return list(with_parts(runs, user=None))


def origin_of(run: Run) -> str:
    """What names a run in every studio it is brought to, as long as it keeps its uid there. The
    moment tells apart two runs that people gave the same uid."""
    return f"{run.uid}@{iso(run.created_at)}"


def run_lines(
    runs: Sequence[Run], files: Mapping[int, Sequence[Held]], has: Callable[[int], bool]
) -> list[dict[str, Any]]:
    """A line of facts for each run. has: whether a run of this id is in the archive (4 queries).

    Of people there are user names only, as pages show them.
    """
    ids = [run.pk for run in runs]
    n_events = _counts(RunEvent.objects.filter(run__in=ids), "run")
    n_chunks = _counts(MetricChunk.objects.filter(metric__run__in=ids), "metric__run")
    metrics = Metric.objects.filter(run__in=ids).order_by().values_list("run")
    n_points = dict(metrics.annotate(Sum("n_points")))
    needs: dict[int, list[str]] = {}
    found = Dependency.objects.filter(run__in=ids).select_related("needs").order_by("id")
    for one in found:
        needs.setdefault(one.run_id, []).append(origin_of(one.needs))
    return [
        {
            **_line(run, files.get(run.pk, ()), needs.get(run.pk, []), has),
            "n_events": n_events.get(run.pk, 0),
            "n_chunks": n_chunks.get(run.pk, 0),
            "n_points": n_points.get(run.pk, 0),
        }
        for run in runs
    ]


def _counts(rows: "QuerySet[Any]", of: str) -> dict[int, int]:
    """run id -> how many of the rows are its own (1 query)."""
    return dict(rows.order_by().values_list(of).annotate(Count("pk")))


def _line(
    run: Run, files: Sequence[Held], needs: list[str], has: Callable[[int], bool]
) -> dict[str, Any]:
    parts, parent = parts_of(run), run.parent
    return {
        **{name: getattr(run, name) for name in FACTS},
        **{name: iso(getattr(run, name)) for name in MOMENTS},
        "origin": origin_of(run),
        "parent": origin_of(parent) if parent is not None and has(parent.pk) else None,
        "experiment": run.experiment.name,
        "submitter": run.submitter.get_username() if run.submitter else "",
        "target": run.target.name if run.target else None,
        "cancel": cancel_dict(run),
        "tags": parts.tags,
        "properties": parts.properties,
        "parameters": parts.parameters,
        "description": parts.description,
        "definition": parts.definition,
        "depends_on": needs,
        "files": [one.line() for one in files],
    }


def event_lines(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Every change of each run, oldest first (1 query for each EVENTS_PER_QUERY)."""
    uids = {run.pk: run.uid for run in runs}
    found = RunEvent.objects.filter(run__in=uids).order_by("run_id", "id")
    last: RunEvent | None = None
    while True:
        page = found
        if last is not None:
            same = Q(run_id=last.run_id, id__gt=last.pk)
            page = found.filter(Q(run_id__gt=last.run_id) | same)
        events = list(page[:EVENTS_PER_QUERY])
        for event in events:
            yield {
                "run": uids[event.run_id],
                "at": iso(event.at),
                "kind": event.kind,
                "actor": event.actor,
                "before": event.before,
                "after": event.after,
                "message": event.message,
            }
        if len(events) < EVENTS_PER_QUERY:
            return
        last = events[-1]


def metric_pieces(runs: Sequence[Run]) -> Iterator[bytes]:
    """For each chunk of each run a line of JSON (run, name, kind, n_bytes), then so many bytes as
    `metrics.packing` describes them; chunks of a metric in the order they came.

    Queries: 1 a run, 1 for each METRICS_PER_QUERY metrics and CHUNKS_PER_QUERY chunks; none stays
    open while a slow reader takes what it found.
    """
    for run in runs:
        known = Metric.objects.filter(run=run).order_by("id").values_list("id", "name", "kind")
        metrics = list(known)
        for start in range(0, len(metrics), METRICS_PER_QUERY):
            yield from _chunks(run.uid, metrics[start : start + METRICS_PER_QUERY])


def _chunks(uid: str, metrics: Sequence[tuple[int, str, str]]) -> Iterator[bytes]:
    names = {pk: (name, kind) for pk, name, kind in metrics}
    found = MetricChunk.objects.filter(metric__in=names).order_by("metric_id", "id")
    rows: list[tuple[int, int, bytes | memoryview]] = []
    while True:
        page = found
        if rows:
            metric_id, last, _ = rows[-1]
            page = found.filter(Q(metric_id__gt=metric_id) | Q(metric_id=metric_id, id__gt=last))
        rows = list(page.values_list("metric_id", "id", "data")[:CHUNKS_PER_QUERY])
        for metric_id, _, data in rows:
            name, kind = names[metric_id]
            head = {"run": uid, "name": name, "kind": kind, "n_bytes": len(data)}
            yield f"{json.dumps(head)}\n".encode() + bytes(data)
        if len(rows) < CHUNKS_PER_QUERY:
            return
