"""Deterministic load data: the same seed gives the same runs, whatever the machine.

Rows are written by plain INSERTs, many at a time: the point is a large database soon, and what is
measured afterwards goes through the ordinary code.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.models import Max

from studio.accounts.models import User, Workspace
from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points, pack
from studio.runs.models import Description, Experiment, Parameter, Run, RunText, Tag
from studio.runs.searchtext import body_of
from studio.runs.status import TERMINAL, Status

PIECE = 5_000
# Newest first in the list means nearest to this moment.
LATEST = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
STATUSES = [Status.COMPLETED] * 80 + [Status.FAILED] * 12 + [Status.CANCELED] * 8
METRIC_NAMES = ["loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
OPTIMIZERS = ["adam", "sgd", "rmsprop", "lion"]
MODELS = ["resnet", "vit", "bert", "mlp", "unet"]
QUALITIES = ["great", "good", "poor", "fantastic run"]
WORDS = [
    "baseline",
    "warmup",
    "cosine",
    "dropout",
    "augmentation",
    "frozen",
    "tuned",
    "larger",
    "smaller",
    "shuffled",
]
RARE_ONE_IN = 5_000


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
        """All or nothing per piece of 5,000 runs."""
        for start in range(0, n_runs, PIECE):
            with transaction.atomic():
                self._write_piece(range(start, min(n_runs, start + PIECE)), n_runs)
        for experiment in self.experiments:
            facts = experiment.runs.aggregate(last=Max("number"), at=Max("created_at"))
            experiment.last_number, experiment.latest_run_at = facts["last"] or 0, facts["at"]
            experiment.save(update_fields=["last_number", "latest_run_at"])
        reset_sequences([Run, Metric])

    def _write_piece(self, indexes: range, n_runs: int) -> None:
        made = [self._make(i, n_runs) for i in indexes]
        insert(Run, [one["run"] for one in made])
        insert(Tag, [row for one in made for row in one["tags"]])
        insert(Parameter, [row for one in made for row in one["parameters"]])
        insert(Metric, [row for one in made for row in one["metrics"]])
        insert(Description, [one["description"] for one in made if one["description"]])
        insert(RunText, [one["text"] for one in made])

    def _make(self, i: int, n_runs: int) -> dict[str, Any]:
        dice = random.Random(self.seed * 1_000_003 + i)  # noqa: S311  (load data)
        pk = self.first_run + i
        created = LATEST - timedelta(seconds=30 * (n_runs - i))
        run = self._run(pk, i, dice, created)
        tags = [
            ("model", dice.choice(MODELS)),
            ("quality", dice.choice(QUALITIES)),
            ("owner", f"team-{dice.randrange(50)}"),
            ("worth another look", None),
        ]
        text = " ".join(dice.choices(WORDS, k=8))
        if i % RARE_ONE_IN == 17:
            text += " zebrafish"
        owned = {"run_id": pk, "workspace_id": self.workspace.pk}
        described = i % 3 == 0
        return {
            "run": run,
            "tags": [Tag(**owned, key=k, value=v) for k, v in tags],
            "parameters": [
                Parameter(**owned, key=k, value=str(v), number=n)
                for k, v, n in self._parameters(dice)
            ],
            "metrics": self._metrics(i, pk, dice),
            "description": Description(run_id=pk, text=text, html=f"<p>{text}</p>")
            if described
            else None,
            "text": RunText(
                run_id=pk, body=body_of(run.display_name, text if described else "", tags)
            ),
        }

    def _run(self, pk: int, i: int, dice: random.Random, created: datetime) -> Run:
        share = dice.random()
        experiment = self.experiments[0 if share < 0.9 else 1 if share < 0.95 else 2]
        status = dice.choice(STATUSES)
        duration_s = dice.lognormvariate(6, 1)
        return Run(
            pk=pk,
            workspace=self.workspace,
            experiment=experiment,
            uid=f"{dice.getrandbits(128):032x}",
            number=i + 1,
            display_name=f"{dice.choice(MODELS)}-{i:07d}",
            submitter=self.submitter,
            status=status,
            status_at=created + timedelta(seconds=duration_s),
            created_at=created,
            started_at=created,
            ended_at=created + timedelta(seconds=duration_s) if status in TERMINAL else None,
            duration_s=duration_s,
        )

    def _parameters(self, dice: random.Random) -> Iterator[tuple[str, Any, float | None]]:
        yield "optimizer", dice.choice(OPTIMIZERS), None
        for name in ("lr", "dropout", "weight_decay"):
            value = 10 ** dice.uniform(-5, -1)
            yield name, value, value
        for name, most in (("batch", 512), ("epochs", 100), ("layers", 48), ("seed", 10_000)):
            number = dice.randrange(1, most)
            yield name, number, float(number)

    def _metrics(self, i: int, run_pk: int, dice: random.Random) -> list[Metric]:
        rows = []
        for k, name in enumerate(METRIC_NAMES):
            last, spread = dice.random(), dice.random()
            rows.append(
                Metric(
                    pk=self.first_metric + i * len(METRIC_NAMES) + k,
                    workspace=self.workspace,
                    run_id=run_pk,
                    name=name,
                    n_points=100,
                    next_step=100,
                    last=last,
                    last_step=99,
                    last_at=LATEST.timestamp(),
                    min=last - spread,
                    min_step=50,
                    max=last + spread,
                    max_step=10,
                )
            )
        return rows


def insert(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Plain INSERT of every column, many rows at a time."""
    if not rows:
        return
    fields = [
        field
        for field in model._meta.concrete_fields
        if rows[0].pk is not None or not field.primary_key
    ]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(model._meta.db_table)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  (our own names)
    values = [
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


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
        MetricChunk(
            metric=metric,
            n_points=len(steps[i : i + size]),
            is_open=False,
            data=pack(Points(steps[i : i + size], times[i : i + size], values[i : i + size])),
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
