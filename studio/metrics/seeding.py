"""Deterministic load data: the same seed gives the same runs, whatever the machine.

What is measured afterwards goes through the ordinary code. Not made: lines of history and
definitions of runs, which no list reads.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Max

from studio.accounts.actions import set_member
from studio.accounts.models import Role, User, Workspace
from studio.accounts.permissions import Actor
from studio.compute.actions import ensure_local_target
from studio.metrics import made_rows
from studio.metrics.chunks import chunk_of, outline
from studio.metrics.loading import (
    Tell,
    insert,
    insert_selected,
    quick_writes,
    reset_sequences,
    temporary_table,
    without_indexes,
)
from studio.metrics.made_rows import Round
from studio.metrics.made_up import (
    EXPERIMENTS,
    LATEST,
    N_SUBMITTERS,
    ROUND,
    Columns,
    draw,
    turn_of,
    uid_moves,
    wide,
)
from studio.metrics.models import Metric, MetricChunk
from studio.metrics.packing import Points
from studio.runs.markdown import RENDERER_VERSION
from studio.runs.models import (
    Description,
    Experiment,
    Parameter,
    Property,
    Run,
    RunText,
    Star,
    Tag,
)

FILLED = [Run, Tag, Property, Parameter, Metric, Description, RunText, Star]
# With so many runs there already, indexes are kept up row by row and others may go on writing.
MANY = 1_000
# What the summaries of all metrics say alike.
SUMMARY: dict[str, Any] = {"n_points": 100, "next_step": 100, "last_step": 99}
SUMMARY |= {"last_at": LATEST.timestamp(), "min_step": 50, "max_step": 10}


class Seeder:
    """Writes `n_runs` runs of one workspace: four tags, a property, eight parameters and six
    metrics each, a third with a description, 8 % of them child runs, every 200th starred."""

    def __init__(self, workspace: Workspace, submitter: User, *, seed: int = 1) -> None:
        self.workspace, self.submitter, self.seed = workspace, submitter, seed
        self.first_run = (Run.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        self.submitter_ids = [submitter.pk, *(one.pk for one in self._others())]
        self.target_id = ensure_local_target().pk
        self.experiments = [
            Experiment.objects.get_or_create(workspace=workspace, name=name)[0]
            for name in EXPERIMENTS
        ]
        self.templates = self._with_keys(draw(seed).tables)

    def write(self, n_runs: int, tell: Tell = lambda text: None) -> None:
        """All or nothing when there were less than `MANY` runs before, else all or nothing per
        `ROUND` runs.

        `tell` hears how far it is.
        """
        rounds = (self._round(number, n_runs) for number in range(-(-n_runs // ROUND)))
        with quick_writes(), ExitStack() as stack:
            if Run.objects.count() < MANY:
                stack.enter_context(transaction.atomic())
                stack.enter_context(without_indexes(FILLED, tell))
            for name, columns in self.templates.items():
                stack.enter_context(temporary_table(f"load_{name}", columns))
            for one in rounds:
                with transaction.atomic():
                    self._write_round(one)
                    self._write_counters(one)
                tell(f"{one.first + one.n:,} of {n_runs:,} runs")
        reset_sequences([Run])

    def _others(self) -> list[User]:
        """More people who submit, members of the workspace without a password."""
        by = Actor.of_user(self.submitter)
        found = []
        for number in range(1, N_SUBMITTERS):
            name = f"load-{number}"
            user = User.objects.filter(username=name).first() or User.objects.create_user(name)
            set_member(self.workspace, user, Role.CONTRIBUTOR, by=by)
            found.append(user)
        return found

    def _with_keys(self, tables: Any) -> dict[str, Columns]:
        """The templates with what is a position in them as a key of this database."""
        frame, facts = tables["frame"], tables["facts"]
        positions, nth = np.array(frame["experiment"]), np.array(frame["nth"])
        before = np.array([experiment.last_number for experiment in self.experiments])
        sizes = np.bincount(positions, minlength=len(EXPERIMENTS))
        frame = {
            "i": frame["i"],
            "up": frame["up"],
            "experiment_id": [self.experiments[k].pk for k in frame["experiment"]],
            "number": (before[positions] + nth).tolist(),
            "in_a_round": sizes[positions].tolist(),
        }
        facts = {
            **facts,
            "submitter_id": [self.submitter_ids[k] for k in facts["submitter"]],
            "target_id": [self.target_id if on else None for on in facts["on_target"]],
        }
        return {**tables, "frame": frame, "facts": facts}

    def _round(self, number: int, n_runs: int) -> Round:
        first = number * ROUND
        return Round(
            number=number,
            first=first,
            n=min(ROUND, n_runs - first),
            of=n_runs,
            key=self.first_run + first,
            uid_moves=uid_moves(self.seed, number),
        )

    def _write_round(self, one: Round) -> None:
        room = {"workspace_id": self.workspace.pk}
        insert_selected(Run, **made_rows.runs(one), **room)
        for name, kind, model, more in (
            ("tags", "labels", Tag, {}),
            ("properties", "inputs", Property, {}),
            ("parameters", "inputs", Parameter, {}),
            ("metrics", "facts", Metric, SUMMARY),
        ):
            for start, end, key in self._turned(name, kind, one):
                source = f"FROM load_{name} t WHERE t.n >= {start} AND t.n < {end} ORDER BY t.n"
                expressions = made_rows.BY_TABLE[name](one, key)
                insert_selected(model, expressions, source, **room, **more)
        if one.number == 0:
            found = wide(one.n)
            found["run_id"] = [one.key + index for index in found.pop("i")]
            insert(Metric, found, **room, **SUMMARY)
        insert_selected(
            Description,
            **made_rows.descriptions(one),
            renderer_version=RENDERER_VERSION,
            edited_by=Actor.of_user(self.submitter).name,
            edited_at=connection.ops.adapt_datetimefield_value(LATEST),
        )
        insert_selected(RunText, **made_rows.texts(one))
        insert_selected(Star, **made_rows.stars(one), user_id=self.submitter.pk)

    def _turned(self, name: str, kind: str, one: Round) -> Iterator[tuple[int, int, int]]:
        """The rows of a template for a round in the order of its runs: (first row, row after the
        last, what to add to a row's `i` to get the run's key)."""
        rows_of, turn = self.templates[name]["i"], turn_of(kind, one.number)
        for start, end, key in (
            (turn, min(ROUND, turn + one.n), one.key - turn),
            (0, max(0, turn + one.n - ROUND), one.key - turn + ROUND),
        ):
            if start < end:
                yield bisect_left(rows_of, start), bisect_left(rows_of, end), key

    def _write_counters(self, one: Round) -> None:
        """`last_number` and `latest_run_at` of the experiments after a round."""
        ids = np.array(self.templates["frame"]["experiment_id"][: one.n])
        numbers = np.array(self.templates["frame"]["number"][: one.n])
        numbers += one.number * np.array(self.templates["frame"]["in_a_round"][: one.n])
        for experiment in self.experiments:
            (mine,) = np.nonzero(ids == experiment.pk)
            if not mine.size:
                continue
            latest = int(mine[-1])
            made = one.created_at(latest)
            experiment.last_number = int(numbers[latest])
            experiment.latest_run_at = max(experiment.latest_run_at or made, made)
            experiment.save(update_fields=["last_number", "latest_run_at"])


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
    outline({metric.pk})
    Metric.objects.filter(pk=metric.pk).update(
        n_points=n_points,
        next_step=n_points,
        last=float(values[-1]),
        last_step=n_points - 1,
        min=float(values.min()),
        min_step=int(values.argmin()),
        max=float(values.max()),
        max_step=int(values.argmax()),
    )
