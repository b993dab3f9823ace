"""Deterministic load data: the same seed gives the same runs, whatever the machine.

Values are drawn by NumPy a piece at a time and written as plain tuples: the point is a large
database soon, and what is measured afterwards goes through the ordinary code.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import numpy as np
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models import Max

from studio.accounts.models import User, Workspace
from studio.metrics.chunks import chunk_of
from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points
from studio.runs.models import Description, Experiment, Parameter, Run, RunText, Tag
from studio.runs.searchtext import body_of
from studio.runs.status import Status

PIECE = 10_000
# Newest first in the list means nearest to this moment.
LATEST = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
STATUSES = [Status.COMPLETED.value] * 80 + [Status.FAILED.value] * 12 + [Status.CANCELED.value] * 8
# In the order of the index, which is the quickest to write.
METRIC_NAMES = ["accuracy", "loss", "lr", "seconds", "val_accuracy", "val_loss"]
OPTIMIZERS = ["adam", "sgd", "rmsprop", "lion"]
MODELS = ["resnet", "vit", "bert", "mlp", "unet"]
QUALITIES = ["great", "good", "poor", "fantastic run"]
WORDS = ["baseline", "warmup", "cosine", "dropout", "augmentation", "frozen", "tuned"]
WORDS += ["larger", "smaller", "shuffled"]
FLOATS = ("dropout", "lr", "weight_decay")
INTEGERS = (("batch", 512), ("epochs", 100), ("layers", 48), ("seed", 10_000))
RARE_ONE_IN = 5_000
# Larger than a piece's indexes, so that none of their pages is read or written twice.
LOAD_PRAGMAS = ("PRAGMA cache_size=-400000", "PRAGMA synchronous=OFF")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One piece: `first` is its first run's index; columns of `n` plain Python values each."""

    first: int
    n: int
    choices: dict[str, list[Any]]
    texts: list[str]
    seconds: list[float]
    numbers: dict[str, list[float]]

    def tags_of(self, i: int) -> list[tuple[str, str | None]]:
        """The four tags of the i-th run by key."""
        pick = self.choices
        return [
            ("model", pick["model"][i]),
            ("owner", f"team-{pick['owner'][i]}"),
            ("quality", pick["quality"][i]),
            ("worth another look", None),
        ]

    def text_of(self, i: int) -> str:
        """The description of the i-th run; every third one has one."""
        return self.texts[i] if (self.first + i) % 3 == 0 else ""


def draw(first: int, n: int, *, seed: int) -> Drawn:
    """The values of `n` runs from index `first` on; a piece begins at a multiple of PIECE."""
    rng = np.random.default_rng([seed, first])

    def pick(options: Sequence[Any]) -> list[Any]:
        return [options[k] for k in rng.integers(len(options), size=PIECE).tolist()]

    words = [pick(WORDS) for _ in range(8)]
    texts = [" ".join(one) for one in zip(*words, strict=True)]
    for i in range(-(first - 18) % RARE_ONE_IN, PIECE, RARE_ONE_IN):
        texts[i] += " zebrafish"
    experiment = rng.choice(3, PIECE, p=[0.9, 0.05, 0.05]).tolist()
    uids = rng.bytes(16 * PIECE).hex()
    choices = {
        "experiment": experiment,
        "uid": [uids[k : k + 32] for k in range(0, len(uids), 32)],
        "status": pick(STATUSES),
        "name": pick(MODELS),
        "model": pick(MODELS),
        "quality": pick(QUALITIES),
        "owner": pick(range(50)),
        "optimizer": pick(OPTIMIZERS),
    }
    numbers = {name: (10 ** rng.uniform(-5, -1, PIECE)).tolist() for name in FLOATS}
    numbers |= {name: rng.integers(1, most, PIECE).tolist() for name, most in INTEGERS}
    for name in METRIC_NAMES:
        last, spread = rng.random(PIECE), rng.random(PIECE)
        numbers[f"last {name}"] = last.tolist()
        numbers[f"min {name}"] = (last - spread).tolist()
        numbers[f"max {name}"] = (last + spread).tolist()
    return Drawn(first, n, choices, texts, rng.lognormal(6, 1, PIECE).tolist(), numbers)


class Seeder:
    """Writes `n_runs` runs of one workspace, each with tags, parameters and six metrics."""

    def __init__(self, workspace: Workspace, submitter: User, *, seed: int = 1) -> None:
        self.workspace, self.submitter, self.seed = workspace, submitter, seed
        self.first_run = (Run.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        self.first_metric = (Metric.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        self.experiments = [
            Experiment.objects.get_or_create(workspace=workspace, name=name)[0]
            for name in ("load-main", "load-side-1", "load-side-2")
        ]

    def write(self, n_runs: int) -> None:
        """All or nothing per piece of 10,000 runs."""
        with quick_writes():
            for first in range(0, n_runs, PIECE):
                piece = draw(first, min(PIECE, n_runs - first), seed=self.seed)
                with transaction.atomic():
                    self._write_piece(piece, n_runs)
        for experiment in self.experiments:
            facts = experiment.runs.aggregate(last=Max("number"), at=Max("created_at"))
            experiment.last_number, experiment.latest_run_at = facts["last"] or 0, facts["at"]
            experiment.save(update_fields=["last_number", "latest_run_at"])
        reset_sequences([Run, Metric])

    def _write_piece(self, piece: Drawn, n_runs: int) -> None:
        indexes = range(piece.n)
        run_of = range(self.first_run + piece.first, self.first_run + piece.first + piece.n)
        tags = [piece.tags_of(i) for i in indexes]
        room = self.workspace.pk
        insert(Run, *self._runs(piece, n_runs))
        owned = ("run_id", "workspace_id", "key", "value")
        rows = ((run_of[i], room, key, value) for i in indexes for key, value in tags[i])
        insert(Tag, owned, rows)
        insert(Parameter, (*owned, "number"), self._parameters(piece, run_of))
        insert(Metric, *self._metrics(piece, run_of))
        described = [(run_of[i], text) for i in indexes if (text := piece.text_of(i))]
        insert(
            Description, ("run_id", "text", "html"), ((pk, t, f"<p>{t}</p>") for pk, t in described)
        )
        names = self._names(piece)
        bodies = (body_of(names[i], piece.text_of(i), tags[i]) for i in indexes)
        insert(RunText, ("run_id", "body"), zip(run_of, bodies, strict=True))

    def _names(self, piece: Drawn) -> list[str]:
        return [f"{piece.choices['name'][i]}-{piece.first + i:07d}" for i in range(piece.n)]

    def _run(self, status: str, created: datetime, duration_s: float) -> tuple[Any, ...]:
        """The columns of a run's life: it ended long ago."""
        moment = connection.ops.adapt_datetimefield_value
        start, end = moment(created), moment(created + timedelta(seconds=duration_s))
        return status, end, start, start, end, duration_s

    def _runs(self, piece: Drawn, n_runs: int) -> tuple[Sequence[str], Iterator[tuple[Any, ...]]]:
        columns: tuple[str, ...] = (
            "id",
            "workspace_id",
            "experiment_id",
            "uid",
            "number",
            "display_name",
        )
        columns += ("submitter_id", "status", "status_at", "created_at", "started_at")
        columns += ("ended_at", "duration_s")
        names, pick = self._names(piece), piece.choices
        experiment_ids = [experiment.pk for experiment in self.experiments]

        def rows() -> Iterator[tuple[Any, ...]]:
            for i in range(piece.n):
                index = piece.first + i
                created = LATEST - timedelta(seconds=30 * (n_runs - index))
                experiment_id = experiment_ids[pick["experiment"][i]]
                yield (
                    *(self.first_run + index, self.workspace.pk, experiment_id, pick["uid"][i]),
                    *(index + 1, names[i], self.submitter.pk),
                    *self._run(pick["status"][i], created, piece.seconds[i]),
                )

        return columns, rows()

    def _parameters(self, piece: Drawn, run_of: range) -> Iterator[tuple[Any, ...]]:
        names = sorted([*FLOATS, *(name for name, _ in INTEGERS), "optimizer"])
        room, numbers = self.workspace.pk, piece.numbers
        for i in range(piece.n):
            for name in names:
                if name == "optimizer":
                    yield run_of[i], room, name, piece.choices[name][i], None
                else:
                    number = numbers[name][i]
                    yield run_of[i], room, name, str(number), float(number)

    def _metrics(
        self, piece: Drawn, run_of: range
    ) -> tuple[Sequence[str], Iterator[tuple[Any, ...]]]:
        columns: tuple[str, ...] = ("id", "workspace_id", "run_id", "name", "n_points", "next_step")
        columns += ("last", "last_step", "last_at", "min", "min_step", "max", "max_step")
        room, at, numbers = self.workspace.pk, LATEST.timestamp(), piece.numbers
        drawn = [
            (name, numbers[f"last {name}"], numbers[f"min {name}"], numbers[f"max {name}"])
            for name in METRIC_NAMES
        ]

        def rows() -> Iterator[tuple[Any, ...]]:
            pk = self.first_metric + piece.first * len(METRIC_NAMES)
            for i in range(piece.n):
                for name, last, least, most in drawn:
                    summary = (last[i], 99, at, least[i], 50, most[i], 10)
                    yield (pk, room, run_of[i], name, 100, 100, *summary)
                    pk += 1

        return columns, rows()


@contextmanager
def quick_writes() -> Iterator[None]:
    """A large cache and no waiting for the disk on SQLite; the connection's own settings after."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        before = [cursor.execute(sql.split("=")[0]).fetchone()[0] for sql in LOAD_PRAGMAS]
        for sql in LOAD_PRAGMAS:
            cursor.execute(sql)
        try:
            yield
        finally:
            for sql, value in zip(LOAD_PRAGMAS, before, strict=True):
                cursor.execute(f"{sql.split('=')[0]}={value}")


def insert(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Plain INSERTs of database values; columns not named get the model's defaults."""
    blank = model()
    others: dict[str, Any] = {
        str(field.column): field.get_db_prep_save(getattr(blank, field.attname), connection)
        for field in model._meta.concrete_fields
        if field.column not in columns and not field.primary_key
    }
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in [*columns, *others])
    marks = ", ".join(["%s"] * (len(columns) + len(others)))
    table = quote(str(model._meta.db_table))
    sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  (our own names)
    defaults = tuple(others.values())
    with connection.cursor() as cursor:
        whole = map(tuple.__add__, rows, repeat(defaults)) if defaults else rows
        cursor.executemany(sql, list(whole))


def reset_sequences(kinds: Sequence[type[models.Model]]) -> None:
    """After INSERTs with given keys, PostgreSQL's counters must be told where to go on."""

    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), list(kinds)):
            cursor.execute(sql)


def write_series(metric: Metric, n_points: int, *, seed: int = 1) -> None:
    """Points for one metric: noise around a decay with a spike every 10,000 points."""
    rng = np.random.default_rng(seed)
    steps = np.arange(n_points, dtype=np.int64)
    values = np.exp(-steps / max(1, n_points) * 5) + rng.normal(0, 0.02, n_points)
    values[5_000::10_000] += 2.0
    times = np.asarray(LATEST.timestamp() + steps * 0.1, dtype=np.float64)
    size = 8_192
    MetricChunk.objects.bulk_create(
        chunk_of(
            metric,
            Points(steps[i : i + size], times[i : i + size], values[i : i + size]),
            is_open=False,
        )
        for i in range(0, n_points, size)
    )
    Metric.objects.filter(pk=metric.pk).update(
        n_points=n_points,
        next_step=n_points,
        last=float(values[-1]),
        last_step=n_points - 1,
        min=float(values.min()),
        max=float(values.max()),
    )
