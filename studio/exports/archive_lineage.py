"""What an archive tells of lineage: the models that runs keep, what each run used and made."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

from django.db.models import Count, Q, QuerySet

from studio.exports.archive_runs import origin_of
from studio.lineage.models import (
    Dataset,
    LoggedModel,
    ModelInput,
    ModelLabel,
    ModelMetric,
    RunInput,
    RunOutput,
)
from studio.runs.as_json import iso
from studio.runs.models import Run

MODELS_PER_QUERY = 200
ROWS_PER_QUERY = 500
POINTS_PER_QUERY = 5_000
POINTS_PER_LINE = 500
# Of the long texts of data sets, so much is read at once.
CHARS_PER_QUERY = 4_000_000
# Who reads an archive holds what was told of data sets; after so much it is told again.
CHARS_TOLD = 16_000_000

M = TypeVar("M", LoggedModel, RunInput, ModelInput, RunOutput, ModelMetric)
Line = dict[str, Any]


def model_lines(runs: Sequence[Run]) -> Iterator[Line]:
    """A line for each model that these runs keep, also deleted ones (2 queries for each
    MODELS_PER_QUERY)."""
    kept = LoggedModel.objects.filter(run__in=runs).prefetch_related("labels")
    origins = _origins(runs)
    for page in _pages(kept, MODELS_PER_QUERY):
        for model in page:
            yield _model(model, origins[model.run_id])


def _model(model: LoggedModel, origin: str) -> Line:
    labels: dict[str, dict[str, str]] = {kind: {} for kind in ModelLabel.Kind.values}
    for label in model.labels.all():
        labels[label.kind][label.key] = label.value
    return {
        **{name: getattr(model, name) for name in ("uid", "name", "model_type", "status")},
        **{name: iso(getattr(model, name)) for name in ("created_at", "updated_at", "deleted_at")},
        "run": origin,
        "is_carried": model.is_carried,
        "params": labels[ModelLabel.Kind.PARAM],
        "tags": labels[ModelLabel.Kind.TAG],
    }


def lineage_lines(runs: Sequence[Run], has: Callable[[int], bool]) -> Iterator[Line]:
    """What these runs used and made, each kind in the order it was logged. has: whether a run of
    this id is in the archive.

    Queries: 5, 1 more when a data set was used; more for more than ROWS_PER_QUERY rows of a kind,
    POINTS_PER_QUERY points or CHARS_PER_QUERY of long texts. None stays open meanwhile.
    """
    yield from _Inputs(runs).lines()
    origins = _origins(runs)
    used = ModelInput.objects.filter(run__in=runs).select_related("model")
    for page in _pages(used, ROWS_PER_QUERY):
        for use in page:
            yield {"kind": "model_input", "run": origins[use.run_id], **_named(use.model)}
    made = RunOutput.objects.filter(run__in=runs).select_related("model")
    for outputs in _pages(made, ROWS_PER_QUERY):
        for one in outputs:
            line = {"kind": "output", "run": origins[one.run_id], **_named(one.model)}
            yield {**line, "step": one.step}
    yield from _points(runs, origins)
    yield from _other_points(runs, has)


class _Inputs:
    """The data sets that runs used, each told before its first use."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs, self._origins = runs, _origins(runs)
        # id of a data set -> the number under which it was told.
        self._told: dict[int, int] = {}
        self._n_told = self._n_chars = 0

    def lines(self) -> Iterator[Line]:
        for page in _pages(RunInput.objects.into(self._runs), ROWS_PER_QUERY):
            for part in self._parts(page):
                yield from self._lines(part)

    def _parts(self, uses: Sequence[RunInput]) -> Iterator[list[RunInput]]:
        """The uses in parts whose data sets can be read at once."""
        part: list[RunInput] = []
        n_chars, seen = 0, set(self._told)
        for use in uses:
            if use.dataset_id not in seen:
                seen.add(use.dataset_id)
                n_chars += getattr(use, "n_chars", 0)
            part.append(use)
            if n_chars > CHARS_PER_QUERY:
                yield part
                part, n_chars, seen = [], 0, set(self._told)
        if part:
            yield part

    def _lines(self, uses: Sequence[RunInput]) -> Iterator[Line]:
        wanted = {use.dataset_id for use in uses} - self._told.keys()
        found = Dataset.objects.in_bulk(wanted) if wanted else {}
        for use in uses:
            if use.dataset_id not in self._told:
                if use.dataset_id not in found:
                    # Removed meanwhile, with its uses.
                    continue
                yield self._tell(found[use.dataset_id])
            yield {
                "kind": "input",
                "run": self._origins[use.run_id],
                "dataset": self._told[use.dataset_id],
                "labels": use.labels,
            }
        if self._n_chars > CHARS_TOLD:
            self._told, self._n_chars = {}, 0

    def _tell(self, one: Dataset) -> Line:
        self._n_told += 1
        self._told[one.pk] = self._n_told
        self._n_chars += len(one.source) + len(one.schema_text) + len(one.profile)
        return {
            **{name: getattr(one, name) for name in ("name", "digest", "source_type", "source")},
            "kind": "dataset",
            "number": self._n_told,
            "schema": one.schema_text,
            "profile": one.profile,
            "created_at": iso(one.created_at),
        }


def _points(runs: Sequence[Run], origins: dict[int, str]) -> Iterator[Line]:
    """The points that these runs logged of models, those of one model together."""
    logged = ModelMetric.objects.filter(run__in=runs).select_related("model")
    for page in _pages(logged, POINTS_PER_QUERY):
        for (run_id, _), group in groupby(page, key=lambda row: (row.run_id, row.model_id)):
            rows = list(group)
            line = {"kind": "points", "run": origins[run_id], **_named(rows[0].model)}
            for at in range(0, len(rows), POINTS_PER_LINE):
                yield {**line, "points": [_point(row) for row in rows[at : at + POINTS_PER_LINE]]}


def _point(row: ModelMetric) -> list[Any]:
    value: Any = row.value
    if value is not None and math.isinf(value):
        value = "Infinity" if value > 0 else "-Infinity"
    return [row.name, value, row.step, row.at_ms, row.dataset_name, row.dataset_digest]


def _other_points(runs: Sequence[Run], has: Callable[[int], bool]) -> Iterator[Line]:
    """How many points of models that these runs keep were logged by runs that are not in the
    archive (1 query)."""
    found = ModelMetric.objects.filter(model__run__in=runs).exclude(run__in=runs).order_by()
    names = ("run_id", "run__uid", "run__created_at", "model__uid", "model__name")
    for run_id, uid, at, model, name, n in found.values_list(*names).annotate(Count("pk")):
        if not has(run_id):
            origin = origin_of(Run(uid=uid, created_at=at))
            line = {"kind": "other_points", "run": origin, "model": model, "name": name}
            yield {**line, "n_points": n}


def _named(model: LoggedModel) -> Line:
    return {"model": model.uid, "name": model.name}


def _origins(runs: Sequence[Run]) -> dict[int, str]:
    return {run.pk: origin_of(run) for run in runs}


def _pages(rows: "QuerySet[M]", size: int) -> Iterator[list[M]]:
    """The rows, which have a run, by run and id, in lists of up to `size` (1 query each)."""
    found = rows.order_by("run_id", "id")
    page = list(found[:size])
    while page:
        yield page
        if len(page) < size:
            return
        last = page[-1]
        behind = Q(run_id__gt=last.run_id) | Q(run_id=last.run_id, id__gt=last.pk)
        page = list(found.filter(behind)[:size])
