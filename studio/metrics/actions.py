"""Storing metric points: one transaction a batch, the same number of queries for any batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.metrics import chunks, summary
from studio.metrics.models import Batch, Metric
from studio.metrics.summary import MAX_STEP, Series
from studio.queries.reading import columns, read, read_values
from studio.runs.actions import warn_run
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import beat
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.rows import insert_rows, update_rows
from studio.runs.turn import in_turn
from studio.wire import Batch as BatchMessage
from studio.wire import Series as SeriesMessage

AnySeries = Series | SeriesMessage
MAX_NAMES = 10_000
# A run that sends many batches a second is heard of once a second.
BEAT_EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a batch: `n_points` stored now or, for a `duplicate`, earlier."""

    n_points: int
    duplicate: bool


def record_batch(run: Run, batch: BatchMessage, *, by: Actor) -> Accepted:
    """Store the points of a batch, all or none; a batch sent again is answered, not stored.

    `run` is brought up to date (status and cancel request), so that the answer can tell the client
    of a cancel. A finished run takes points too: a flush may race with the end. Of two kinds under
    one name the later is dropped, with a warning on the run. Raises Invalid beyond 10,000 names.
    Queries: at most 9 and the right's, plus 3 when open chunks are merged.
    """
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    try:
        with in_turn():
            _lock(run)
            insert_rows([Batch(run=run, batch_id=batch.batch)])
            if misfits := _store(run, batch.metrics):
                warn_run(run, f"Dropped values: {_misfit_text(misfits)}")
            _hear(run)
    except IntegrityError:
        # The unique (run, batch id) decided: another request stored this batch, whole.
        if not Batch.objects.filter(run=run, batch_id=batch.batch).exists():
            raise
        return Accepted(batch.n_points, duplicate=True)
    return Accepted(batch.n_points, duplicate=False)


def record_points(run: Run, batch_id: str, sent: Sequence[Series], *, by: Actor) -> bool:
    """Store points, all or none; False when this run has a batch of that id already.

    As `record_batch`, for clients that give their batches no id: `batch_id` says what the points
    are. May be a part of the caller's transaction. Raises Invalid beyond 10,000 names and for a
    metric of another kind. Queries: as `record_batch`.
    """
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    with in_turn():
        _lock(run)
        if not _is_first(run, batch_id):
            return False
        if misfits := _store(run, sent):
            raise Invalid("metrics", f"Nothing was stored. {_misfit_text(misfits)}")
        _hear(run)
    return True


NOTE_BATCH = """
INSERT INTO metrics_batch (run_id, batch_id, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""


def _is_first(run: Run, batch_id: str) -> bool:
    """Note the batch; False when it is stored already. Inside a transaction a failed INSERT would
    spoil what else belongs to it."""
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(NOTE_BATCH, [run.pk, batch_id, at])
        n_stored: int = cursor.rowcount
    return n_stored == 1


FRESH = (
    *("status", "status_before_silence", "last_beat_at"),
    *("cancel_requested_at", "cancel_requested_by", "cancel_reason"),
)
RUN_ROW = f"SELECT {', '.join(FRESH)} FROM runs_run WHERE id = %s"  # noqa: S608


def _lock(run: Run) -> None:
    """Hold the run's row until the commit, so that its batches are stored one after the other.

    NO KEY: rows that only point at the run (a tag, an event) need not wait for us. On SQLite the
    transaction itself is the lock.
    """
    has_row_locks = connection.features.has_select_for_no_key_update
    suffix = " FOR NO KEY UPDATE" if has_row_locks else ""
    for fresh in read_values(Run, FRESH, RUN_ROW + suffix, [run.pk]):
        for name, value in zip(FRESH, fresh, strict=True):
            setattr(run, name, value)
        return
    raise Run.DoesNotExist(f"run {run.uid} was purged")


def _hear(run: Run) -> None:
    now = timezone.now()
    if run.is_terminal or (run.last_beat_at and now - run.last_beat_at < BEAT_EVERY):
        return
    beat(run)


def _store(run: Run, sent: Iterable[AnySeries]) -> dict[str, str]:
    """Store the points but those of another kind than their metric: name -> kind of them."""
    sent = list(sent)
    metrics = _metrics_of(run, list({series.name for series in sent}))
    series, misfits = _by_name(sent, metrics)
    new = [_new_metric(run, one) for one in series.values() if one.name not in metrics]
    if new:
        _add_names(run, new)
        metrics |= _metrics_of(run, [metric.name for metric in new])
    for one in series.values():
        summary.add_to(metrics[one.name], one)
    touched = [metrics[name] for name in series]
    chunks.append([(metrics[one.name], one) for one in series.values()])
    update_rows(touched, SUMMARY)
    return misfits


METRIC, METRIC_COLUMNS = columns(Metric)
METRICS = f"SELECT {METRIC_COLUMNS} FROM metrics_metric WHERE run_id = %s AND name IN "  # noqa: S608


def _metrics_of(run: Run, names: list[str]) -> dict[str, Metric]:
    marks = ", ".join(["%s"] * len(names))
    found = read(Metric, METRIC, f"{METRICS}({marks})", [run.pk, *names])
    return {metric.name: metric for metric, _ in found}


SUMMARY = (
    *("n_points", "n_open_chunks", "next_step", "last", "last_text", "last_step", "last_at"),
    *("min", "min_step", "max", "max_step"),
)


def _by_name(
    sent: Iterable[AnySeries], metrics: dict[str, Metric]
) -> tuple[dict[str, Series], dict[str, str]]:
    """One series per name with its steps filled in; and name -> kind of what doesn't fit."""
    found: dict[str, Series] = {}
    misfits: dict[str, str] = {}
    for one in sent:
        known = found.get(one.name) or metrics.get(one.name)
        if known is not None and known.kind != one.kind:
            misfits[one.name] = one.kind
            continue
        earlier = found.get(one.name)
        steps = one.steps or _numbered(len(one.values), earlier, metrics.get(one.name))
        if earlier is None:
            found[one.name] = Series(one.name, one.kind, steps, one.times, one.values)
        else:
            earlier.steps = earlier.steps + steps
            earlier.times = earlier.times + one.times
            earlier.values = earlier.values + one.values
    return found, misfits


def _numbered(n: int, earlier: Series | None, metric: Metric | None) -> list[int]:
    """Steps that go on after the greatest known one."""
    first = metric.next_step if metric else 0
    if earlier is not None:
        first = max(first, max(earlier.steps) + 1)
    if first + n - 1 > MAX_STEP:
        raise Invalid("metrics", "The steps of this metric have reached 2^63; give steps yourself.")
    return list(range(first, first + n))


def _new_metric(run: Run, series: Series) -> Metric:
    return Metric(run=run, workspace_id=run.workspace_id, name=series.name, kind=series.kind)


def _add_names(run: Run, new: list[Metric]) -> None:
    n_names = Metric.objects.filter(run=run).count() + len(new)
    if n_names > MAX_NAMES:
        raise Invalid(
            "metrics",
            f"A run holds at most {MAX_NAMES:,} metric names, and this batch would make it "
            f"{n_names:,}. Put what varies into steps or child runs, not into names.",
        )
    insert_rows(new)


def _misfit_text(misfits: dict[str, str]) -> str:
    shown = ", ".join(f"“{name}” ({kind})" for name, kind in list(misfits.items())[:5])
    more = f" and {len(misfits) - 5} more" if len(misfits) > 5 else ""
    return f"their kind differs from that of their metric: {shown}{more}."


def merge_chunks(runs: Iterable[Run]) -> int:
    """Merge what is still open in the metrics of finished runs; returns how many metrics."""
    n = 0
    for run in runs:
        with transaction.atomic():
            _lock(run)
            metrics = list(Metric.objects.filter(run=run, n_open_chunks__gt=1))
            chunks.append([(m, Series(m.name, m.kind, [], [], [])) for m in metrics], merge=True)
            update_rows(metrics, ("n_open_chunks",))
            n += len(metrics)
    return n
