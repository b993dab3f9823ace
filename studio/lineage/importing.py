"""Storing the lineage of imported runs, many runs at once, with the ids and times it had elsewhere.

All of these add what is missing and change nothing that is here: called again they do nothing. What
can't be stored comes back as `Refused`; the rest is stored, and but for points counted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.lineage.actions import (
    MOST_INPUTS,
    MOST_MODELS,
    MOST_POINTS,
    ModelPoint,
    clean_point,
    forget_old_points,
    metric_row,
)
from studio.lineage.checks import (
    CONTEXT,
    NewInput,
    checked,
    checked_labels,
    model_labels,
    model_name,
)
from studio.lineage.models import (
    Dataset,
    LoggedModel,
    ModelInput,
    ModelLabel,
    ModelMetric,
    ModelStatus,
    RunInput,
    RunOutput,
)
from studio.lineage.sorting import Refused, Sorted
from studio.runs.limits import MAX_LABELS, MAX_PARAMETERS, Invalid, clean_text
from studio.runs.models import Run
from studio.runs.rows import insert_rows
from studio.runs.turn import in_turn

GONE = "The run was deleted meanwhile."
# Kind, key, value.
Label = tuple[ModelLabel.Kind, str, str]
NOT_HERE = "It is neither in what was imported nor here; the link to it was left out."


@dataclass(frozen=True, slots=True)
class PastModel:
    """A model as another tracker had it. uid: fits `models.MODEL_UID_RULE`; step: at which the run
    made it, None when the run only keeps it. Times are aware."""

    uid: str
    name: str
    status: ModelStatus
    created_at: datetime
    model_type: str = ""
    step: int | None = 0
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    is_carried: bool = False
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastInput:
    """A data set that a run used. created_at: when it was first told of; aware, None for now."""

    used: NewInput
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastLink:
    """A model that a run made, at a step, or (step None) used. name: of the model, for people."""

    uid: str
    name: str = ""
    step: int | None = None

    @property
    def what(self) -> str:
        return f"model “{(self.name or self.uid)[:80]}”"


class Brought(NamedTuple):
    """How many were stored now, and what was left out."""

    n_new: int
    refused: list[Refused]


def import_models(
    workspace: Workspace, news: Sequence[tuple[Run, PastModel]], *, by: Actor
) -> Brought:
    """Models kept by runs of the workspace, those whose ids it does not know yet.

    Queries: at most 7, whatever the numbers.
    """
    _require(workspace, by)
    found = Sorted()
    rows: list[tuple[LoggedModel, PastModel, list[Label]]] = []
    with in_turn():
        there = _lock(workspace, (run for run, _ in news))
        uids = {past.uid for _, past in news}
        taken = LoggedModel.objects.filter(workspace=workspace, uid__in=uids)
        known = dict(taken.values_list("uid", "run_id"))
        kept = _counts(LoggedModel, there)
        for run, past in news:
            why = f"A run keeps at most {MOST_MODELS:,} models."
            with found.refusing(run, f"model {past.name[:80] or past.uid}"):
                if known.get(past.uid, run.pk) != run.pk:
                    raise Invalid("uid", "Another run here keeps a model of this id.")
                if past.uid in known:
                    continue
                _refuse_more(run, there, kept, MOST_MODELS, why)
                row = _row(run, past)
                rows.append((row, past, _labels(past)))
                known[past.uid] = run.pk
                kept[run.pk] += 1
        LoggedModel.objects.bulk_create([row for row, _, _ in rows])
        insert_rows(
            [
                ModelLabel(model=row, kind=kind, key=key, value=value)
                for row, _, labels in rows
                for kind, key, value in labels
            ]
        )
        made = [(row, past.step) for row, past, _ in rows if past.step is not None]
        insert_rows([RunOutput(run=row.run, model=row, step=step) for row, step in made])
        for kind, is_made in (("models_made", True), ("model", False)):
            told = ((row, past) for row, past, _ in rows if (past.step is not None) == is_made)
            found.tell(kind, ((row.run, row.uid, row.name) for row, _ in told))
        insert_rows(found.events(by))
    return Brought(len(rows), found.refused)


def import_inputs(
    workspace: Workspace, news: Sequence[tuple[Run, PastInput]], *, by: Actor
) -> Brought:
    """Data sets that runs of the workspace used; each use is known by the data set's name, its
    digest and the label `CONTEXT`. Queries: at most 7, whatever the numbers."""
    _require(workspace, by)
    found, clean = Sorted(), _Checked()
    fresh: list[tuple[Run, NewInput, datetime | None]] = []
    with in_turn():
        there = _lock(workspace, (run for run, _ in news))
        uses = RunInput.objects.filter(run__in=there)
        names = ("run_id", "dataset__name", "dataset__digest", "context")
        known = set(uses.values_list(*names))
        noted = Counter(run_id for run_id, *_ in known)
        for run, past in news:
            with found.refusing(run, f"data set {past.used.name[:80]}"):
                one = clean.of(past.used)
                key = (run.pk, *one.key, one.labels.get(CONTEXT, ""))
                if key in known:
                    continue
                why = f"A run notes at most {MOST_INPUTS:,} data sets it used."
                _refuse_more(run, there, noted, MOST_INPUTS, why)
                known.add(key)
                noted[run.pk] += 1
                fresh.append((run, one, past.created_at))
        datasets = _datasets(fresh)
        for run, one, _ in fresh:
            name = f"{one.name} ({one.digest})"
            found.tell("datasets", [(run, name, one.labels.get(CONTEXT, ""))])
        insert_rows(
            [
                RunInput(
                    run=run,
                    dataset_id=datasets[run.experiment_id, *one.key],
                    context=one.labels.get(CONTEXT, ""),
                    labels=dict(one.labels),
                )
                for run, one, _ in fresh
            ]
        )
        insert_rows(found.events(by))
    return Brought(len(fresh), found.refused)


def import_links(
    workspace: Workspace, news: Sequence[tuple[Run, PastLink]], *, by: Actor
) -> Brought:
    """Which models runs of the workspace used and made. Queries: at most 7, whatever the
    numbers."""
    _require(workspace, by)
    found = Sorted()
    rows: list[ModelInput | RunOutput] = []
    with in_turn():
        there = _lock(workspace, (run for run, _ in news))
        models = _models(workspace, (link.uid for _, link in news))
        known = {"used": _pairs(ModelInput, there), "made": _pairs(RunOutput, there)}
        noted = {word: Counter(run for run, _ in pairs) for word, pairs in known.items()}
        for run, link in news:
            word = "used" if link.step is None else "made"
            with found.refusing(run, f"{link.what} that it {word}"):
                model = models.get(link.uid)
                if model is None:
                    raise Invalid("model", NOT_HERE)
                if (run.pk, model.pk) in known[word]:
                    continue
                why = f"A run notes at most {MOST_MODELS:,} models it {word}."
                _refuse_more(run, there, noted[word], MOST_MODELS, why)
                known[word].add((run.pk, model.pk))
                noted[word][run.pk] += 1
                if link.step is None:
                    rows.append(ModelInput(run=run, model=model))
                else:
                    rows.append(RunOutput(run=run, model=model, step=link.step))
                found.tell(f"models_{word}", [(run, model.uid, model.name)])
        insert_rows([row for row in rows if isinstance(row, ModelInput)])
        insert_rows([row for row in rows if isinstance(row, RunOutput)])
        insert_rows(found.events(by))
    return Brought(len(rows), found.refused)


def import_points(
    workspace: Workspace, news: Sequence[tuple[Run, PastLink, Sequence[ModelPoint]]], *, by: Actor
) -> list[Refused]:
    """Points that runs of the workspace logged of models; the newest of each model are kept, as
    `actions.note_model_points` does. Queries: at most 4, and 2 for each model with too many."""
    _require(workspace, by)
    found = Sorted()
    rows: list[ModelMetric] = []
    with in_turn():
        there = _lock(workspace, (run for run, _, _ in news))
        models = _models(workspace, (link.uid for _, link, _ in news))
        for run, link, points in news:
            model = models.get(link.uid)
            for point in points:
                with found.refusing(run, f"points of the {link.what}"):
                    if model is None or run.pk not in there:
                        raise Invalid("model", NOT_HERE if model is None else GONE)
                    rows.append(metric_row(model, run, clean_point(point)))
        ModelMetric.objects.bulk_create(rows, ignore_conflicts=True)
        touched = ModelMetric.objects.filter(model__in={row.model_id for row in rows})
        counted = touched.order_by().values_list("model").annotate(n=Count("pk"))
        for pk, _ in counted.filter(n__gt=MOST_POINTS) if rows else ():
            while forget_old_points(pk):
                pass
    return found.refused


class _Checked:
    """Inputs as they will be stored; the long texts of each data set are looked through once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], NewInput] = {}

    def of(self, given: NewInput) -> NewInput:
        """Raises Invalid."""
        labels = checked_labels(given.labels)
        key = (*given.key, given.source_type, given.source, given.schema, given.profile)
        if key not in self._known:
            self._known[key] = checked(replace(given, labels={}))
        return replace(self._known[key], labels=labels)


def _require(workspace: Workspace, by: Actor) -> None:
    require(by, Permission.LOG_TO_RUN, workspace)
    if by.run_uid:
        raise NotAllowed("The token of a run can't import. Use one of a person.")


def _lock(workspace: Workspace, runs: Iterable[Run]) -> set[int]:
    """Ids of those that take something, held until the commit in one order (1 query)."""
    ids = sorted({run.pk for run in runs})
    found = Run.objects.filter(workspace=workspace, pk__in=ids, deleted_at=None).order_by("pk")
    return set(found.select_for_update(no_key=True).values_list("pk", flat=True))


def _counts(kind: type[LoggedModel], runs: set[int]) -> Counter[int]:
    """Run id -> how many it has (1 query)."""
    found = kind.objects.filter(run__in=runs).order_by().values_list("run")
    return Counter(dict(found.annotate(Count("pk"))))


def _refuse_more(run: Run, there: set[int], counts: Mapping[int, int], most: int, why: str) -> None:
    if run.pk not in there:
        raise Invalid("run", GONE)
    if counts.get(run.pk, 0) >= most:
        raise Invalid("run", why)


def _row(run: Run, past: PastModel) -> LoggedModel:
    """Raises Invalid."""
    now = timezone.now()
    created = min(past.created_at, now)
    return LoggedModel(
        workspace_id=run.workspace_id,
        experiment_id=run.experiment_id,
        run=run,
        uid=past.uid,
        name=model_name(past.name, default=f"model-{past.uid[2:10]}"),
        model_type=clean_text(past.model_type[:255], field="model_type", most=255),
        is_carried=past.is_carried,
        status=past.status,
        created_at=created,
        updated_at=max(created, min(past.updated_at or created, now)),
        deleted_at=past.deleted_at and max(created, min(past.deleted_at, now)),
    )


def _labels(past: PastModel) -> list[Label]:
    """Raises Invalid."""
    found: list[Label] = []
    for kind, given, most in (
        (ModelLabel.Kind.PARAM, past.params, MAX_PARAMETERS),
        (ModelLabel.Kind.TAG, past.tags, MAX_LABELS),
    ):
        labels = model_labels(given, what=f"model {kind.label.lower()}")
        if len(labels) > most:
            raise Invalid("model", f"A model holds at most {most:,} {kind.label.lower()}s.")
        found += [(kind, key, value) for key, value in labels.items()]
    return found


def _datasets(
    fresh: Sequence[tuple[Run, NewInput, datetime | None]],
) -> dict[tuple[int, str, str], int]:
    """(id of an experiment, name, digest) -> id of the data set, made where it is new; the first
    description stays (2 queries, none for no inputs)."""
    now = timezone.now()
    rows: dict[tuple[int, str, str], Dataset] = {}
    for run, one, created_at in fresh:
        key = (run.experiment_id, *one.key)
        if key not in rows:
            rows[key] = Dataset(
                workspace_id=run.workspace_id,
                experiment_id=run.experiment_id,
                name=one.name,
                digest=one.digest,
                source_type=one.source_type,
                source=one.source,
                schema_text=one.schema,
                profile=one.profile,
                created_at=min(created_at or now, now),
            )
    if not rows:
        return {}
    Dataset.objects.bulk_create(rows.values(), ignore_conflicts=True)
    found = Dataset.objects.filter(
        experiment__in={pk for pk, _, _ in rows},
        name__in={name for _, name, _ in rows},
        digest__in={digest for _, _, digest in rows},
    )
    return {
        (experiment, name, digest): pk
        for experiment, name, digest, pk in found.values_list(
            "experiment_id", "name", "digest", "pk"
        )
    }


def _models(workspace: Workspace, uids: Iterable[str]) -> dict[str, LoggedModel]:
    """Those of the workspace, also deleted ones: a link to one is a link (1 query)."""
    found = LoggedModel.objects.filter(workspace=workspace, uid__in=set(uids))
    return {model.uid: model for model in found}


def _pairs(kind: type[ModelInput] | type[RunOutput], runs: set[int]) -> set[tuple[int, int]]:
    """(run id, model id) of what is known (1 query)."""
    return set(kind.objects.filter(run__in=runs).values_list("run_id", "model_id"))
