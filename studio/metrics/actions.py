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
# Series that are not stored, in words, by why they are not.
Dropped = dict[str, dict[str, None]]
OTHER_KIND = "their kind differs from that of their metric"
NO_STEP = "the steps of these metrics have reached 2^63, so give steps yourself"
TOO_MANY = (
    f"a run holds at most {MAX_NAMES:,} metric names, so put what varies into steps or child runs. "
    "More came, from these on"
)
N_SHOWN = 5
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
    of a cancel. A finished run takes points too: a flush may race with the end. A series that can't
    be stored (of another kind than its metric, beyond 10,000 names, beyond the greatest step) is
    dropped alone, with a warning on the run: its neighbours are of other parts of a training.
    Queries: at most 9 and the right's, plus 3 when open chunks are merged.
    """
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    try:
        with in_turn():
            _lock(run)
            insert_rows([Batch(run=run, batch_id=batch.batch)])
            _warn(run, _store(run, batch.metrics))
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
    are. May be a part of the caller's transaction. Raises Invalid for what `record_batch` drops.
    Queries: as `record_batch`.
    """
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    with in_turn():
        _lock(run)
        if not _is_first(run, batch_id):
            return False
        if dropped := _store(run, sent):
            told = " ".join(f"{why}: {_some(series)}." for why, series in dropped.items())
            raise Invalid("metrics", f"Nothing was stored. {told}")
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


def _store(run: Run, sent: Iterable[AnySeries]) -> Dropped:
    """Store the points but those that can't be, which are returned."""
    sent = list(sent)
    metrics = _metrics_of(run, list({series.name for series in sent}))
    series, dropped = _by_name(sent, metrics)
    new = [_new_metric(run, one) for one in series.values() if one.name not in metrics]
    if new:
        added, beyond = _add_names(run, new)
        metrics |= _metrics_of(run, added)
        for name in beyond:
            dropped.setdefault(TOO_MANY, {})[f"“{name}”"] = None
            del series[name]
    for one in series.values():
        summary.add_to(metrics[one.name], one)
    touched = [metrics[name] for name in series]
    chunks.append([(metrics[one.name], one) for one in series.values()])
    update_rows(touched, SUMMARY)
    return dropped


def _warn(run: Run, dropped: Dropped) -> None:
    """Which metrics lost values and why; of too many names only the first ones, since each batch
    may bring others."""
    for why, series in dropped.items():
        told = f"Dropped values: {why}: "
        warn_run(run, f"{told}{_some(series)}.", once_for=told if why == TOO_MANY else "")


METRIC, METRIC_COLUMNS = columns(Metric)
METRICS = f"SELECT {METRIC_COLUMNS} FROM metrics_metric WHERE run_id = %s AND name IN "  # noqa: S608


def _metrics_of(run: Run, names: list[str]) -> dict[str, Metric]:
    if not names:
        return {}
    marks = ", ".join(["%s"] * len(names))
    found = read(Metric, METRIC, f"{METRICS}({marks})", [run.pk, *names])
    return {metric.name: metric for metric, _ in found}


SUMMARY = (
    *("n_points", "n_open_chunks", "next_step", "last", "last_text", "last_step", "last_at"),
    *("min", "min_step", "max", "max_step"),
)


def _by_name(
    sent: Iterable[AnySeries], metrics: dict[str, Metric]
) -> tuple[dict[str, Series], Dropped]:
    """One series per name with its steps filled in; and what can't be stored."""
    found: dict[str, Series] = {}
    dropped: Dropped = {}
    for one in sent:
        earlier, metric = found.get(one.name), metrics.get(one.name)
        known = earlier or metric
        if known is not None and known.kind != one.kind:
            dropped.setdefault(OTHER_KIND, {})[f"“{one.name}” ({one.kind})"] = None
            continue
        steps = one.steps or _numbered(len(one.values), earlier, metric)
        if not steps:
            dropped.setdefault(NO_STEP, {})[f"“{one.name}”"] = None
        elif earlier is None:
            found[one.name] = Series(one.name, one.kind, steps, one.times, one.values)
        else:
            earlier.steps = earlier.steps + steps
            earlier.times = earlier.times + one.times
            earlier.values = earlier.values + one.values
    return found, dropped


def _numbered(n: int, earlier: Series | None, metric: Metric | None) -> list[int]:
    """Steps that go on after the greatest known one; none when so many do not fit any more."""
    first = metric.next_step if metric else 0
    if earlier is not None:
        first = max(first, max(earlier.steps) + 1)
    return list(range(first, first + n)) if first + n - 1 <= MAX_STEP else []


def _new_metric(run: Run, series: Series) -> Metric:
    return Metric(run=run, workspace_id=run.workspace_id, name=series.name, kind=series.kind)


def _add_names(run: Run, new: list[Metric]) -> tuple[list[str], list[str]]:
    """Make the metrics that the run has room for: the names of these, and of the others."""
    room = max(0, MAX_NAMES - Metric.objects.filter(run=run).count())
    if fitting := new[:room]:
        insert_rows(fitting)
    return [metric.name for metric in fitting], [metric.name for metric in new[room:]]


def _some(series: Iterable[str]) -> str:
    """The first few of them."""
    words = list(series)
    more = f" and {len(words) - N_SHOWN} more" if len(words) > N_SHOWN else ""
    return ", ".join(words[:N_SHOWN]) + more


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
