"""What is said of a run while it is logged: the data sets and models it used, the models it made,
and points that belong to a model."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import Q

from studio.accounts.permissions import Actor, Permission, require
from studio.lineage.checks import (
    CONTEXT,
    MAX_NAME,
    MAX_WORD,
    NewInput,
    NoSuchModel,
    checked,
    indexed,
    refuse_in_trash,
)
from studio.lineage.models import (
    Dataset,
    LoggedModel,
    ModelInput,
    ModelMetric,
    RunInput,
    RunOutput,
)
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import record_event
from studio.runs.limits import Invalid, clean_key, clean_text
from studio.runs.models import Experiment, Run

# Of one run.
MOST_INPUTS = MOST_MODELS = 1_000
# Of one model; what is older stays with the run only.
MOST_POINTS = 1_000


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A point that belongs to a model besides the run. at_ms: since 1970; dataset: name and digest
    of what it was measured on, or ""."""

    model: str
    name: str
    value: float
    step: int
    at_ms: int
    dataset_name: str = ""
    dataset_digest: str = ""


def note_inputs(
    run: Run, inputs: Sequence[NewInput], *, models: Sequence[str] = (), by: Actor
) -> int:
    """Note which data sets and models a run used; what is known already is stored once. Returns how
    many uses of data sets are new.

    One data set may be used for several things, each told by the label `CONTEXT`; said without one,
    a data set that is noted already is no other use. The first description of a data set stays.
    Raises Invalid, NoSuchModel; nothing is stored then.
    Queries: at most 12, whatever the numbers.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    refuse_in_trash(run)
    clean = [checked(one) for one in inputs]
    with transaction.atomic():
        _lock(run)
        told = _store_inputs(run, clean)
        used = _models(run, models)
        known = set(run.models_used.values_list("model__uid", flat=True))
        new = [one for uid, one in used.items() if uid not in known]
        if len(known) + len(new) > MOST_MODELS:
            raise Invalid("models", f"A run notes at most {MOST_MODELS:,} models it used.")
        ModelInput.objects.bulk_create([ModelInput(run=run, model=one) for one in new])
        if told:
            after = {name: ", ".join(filter(None, contexts)) for name, contexts in told.items()}
            record_event(run, "datasets", by=by, after=after)
        if new:
            record_event(run, "models_used", by=by, after=_by_uid(new))
    return sum(map(len, told.values()))


def _store_inputs(run: Run, given: Sequence[NewInput]) -> dict[str, list[str]]:
    """The uses noted for the first time: what for, by name and digest of the data set."""
    if not given:
        return {}
    datasets = _datasets(run, given)
    uses = {(use.dataset_id, use.context): use for use in run.inputs.all()}
    told: dict[str, list[str]] = {}
    for one in given:
        dataset, context = datasets[one.key], one.labels.get(CONTEXT, "")
        use = uses.get((dataset.pk, context))
        if use is None and not context:
            use = next((use for (pk, _), use in uses.items() if pk == dataset.pk), None)
        if use is None:
            use = uses[dataset.pk, context] = RunInput(run=run, dataset=dataset, context=context)
            told.setdefault(str(dataset), []).append(context)
        use.labels = {**use.labels, **one.labels}
    if len(uses) > MOST_INPUTS:
        raise Invalid("datasets", f"A run notes at most {MOST_INPUTS:,} data sets it used.")
    RunInput.objects.bulk_create(
        [
            RunInput(run=run, dataset_id=use.dataset_id, context=use.context, labels=use.labels)
            for use in uses.values()
        ],
        update_conflicts=True,
        unique_fields=["run", "dataset", "context"],
        update_fields=["labels"],
    )
    return told


def _datasets(run: Run, given: Sequence[NewInput]) -> dict[tuple[str, str], Dataset]:
    """The data sets of the run's experiment by name and digest, made where they are new."""
    first = {one.key: one for one in reversed(given)}
    Dataset.objects.bulk_create(
        [
            Dataset(
                workspace_id=run.workspace_id,
                experiment_id=run.experiment_id,
                name=one.name,
                digest=one.digest,
                source_type=one.source_type,
                source=one.source,
                schema_text=one.schema,
                profile=one.profile,
            )
            for one in first.values()
        ],
        ignore_conflicts=True,
    )
    found = Dataset.objects.filter(
        experiment=run.experiment_id,
        name__in={name for name, _ in first},
        digest__in={digest for _, digest in first},
    )
    return {(one.name, one.digest): one for one in found.only("name", "digest")}


def note_outputs(run: Run, outputs: Mapping[str, int], *, by: Actor) -> None:
    """Note which models came out of a run: uid -> step. Said again, the step is the later one.

    Raises Invalid, NoSuchModel; nothing is stored then. Queries: at most 8.
    """
    require_on(by, Permission.LOG_TO_RUN, run)
    refuse_in_trash(run)
    with transaction.atomic():
        _lock(run)
        made = _models(run, outputs)
        known = set(run.models_made.values_list("model__uid", flat=True))
        if len(known | set(outputs)) > MOST_MODELS:
            raise Invalid("models", f"A run notes at most {MOST_MODELS:,} models it made.")
        RunOutput.objects.bulk_create(
            [RunOutput(run=run, model=one, step=outputs[uid]) for uid, one in made.items()],
            update_conflicts=True,
            unique_fields=["run", "model"],
            update_fields=["step"],
        )
        if new := [one for uid, one in made.items() if uid not in known]:
            record_event(run, "models_made", by=by, after=_by_uid(new))


def note_model_points(run: Run, points: Sequence[ModelPoint], *, by: Actor) -> None:
    """Keep points of a run with the models they tell of; a point that is there is stored once.

    The newest `MOST_POINTS` of each model are kept. The run's own metrics are not touched. Raises
    Invalid, NoSuchModel; nothing is stored then. Queries: 2, 1 more for a model that has more.
    """
    if not points:
        return
    require_on(by, Permission.LOG_TO_RUN, run, upwards=True)
    refuse_in_trash(run)
    clean = [clean_point(point) for point in points]
    with transaction.atomic():
        models = _models(run, [point.model for point in clean])
        rows = [metric_row(models[point.model], run, point) for point in clean]
        ModelMetric.objects.bulk_create(rows, ignore_conflicts=True)
        for model in models.values():
            forget_old_points(model.pk)


def clean_point(point: ModelPoint) -> ModelPoint:
    """The point as it will be stored. Raises Invalid."""
    name = clean_key(point.name, what="metric")
    dataset = clean_text(point.dataset_name, field="dataset_name", most=MAX_NAME)
    digest = clean_text(point.dataset_digest, field="dataset_digest", most=MAX_WORD)
    indexed(name, dataset, digest, field="metric name, dataset name and digest")
    return replace(point, name=name, dataset_name=dataset, dataset_digest=digest)


def metric_row(model: LoggedModel, run: Run, point: ModelPoint) -> ModelMetric:
    """A clean point that `run` logged of `model`, not stored yet."""
    return ModelMetric(
        model=model,
        run=run,
        name=point.name,
        value=None if math.isnan(point.value) else point.value,
        step=point.step,
        at_ms=point.at_ms,
        dataset_name=point.dataset_name,
        dataset_digest=point.dataset_digest,
    )


def forget_old_points(model: int) -> bool:
    """Remove points of the model beyond the newest, up to `MOST_POINTS` of them; whether there were
    any (1 query, 2 when there were)."""
    found = ModelMetric.objects.filter(model=model).order_by("-at_ms", "-pk")
    old = list(found.values_list("pk", flat=True)[MOST_POINTS : 2 * MOST_POINTS])
    if old:
        ModelMetric.objects.filter(pk__in=old).delete()
    return bool(old)


def move_models(experiment: Experiment, runs: Sequence[Run], *, by: Actor) -> None:
    """Let the models of runs that were moved to `experiment`, and of those below them, follow (1
    query)."""
    require(by, Permission.EDIT_RUN, experiment.workspace)
    ids = [run.pk for run in runs]
    moved = LoggedModel.objects.filter(Q(run__in=ids) | Q(run__root__in=ids))
    moved.filter(run__experiment=experiment).update(experiment=experiment)


def _lock(run: Run) -> None:
    """Hold the run's row until the commit, so that two requests don't both count to the limit."""
    Run.objects.select_for_update(no_key=True).only("pk").get(pk=run.pk)


def _models(run: Run, uids: Iterable[str]) -> dict[str, LoggedModel]:
    """Those models of the run's workspace (1 query, none for no uids). Raises NoSuchModel."""
    wanted = set(uids)
    if not wanted:
        return {}
    found = {
        model.uid: model
        for model in LoggedModel.objects.of(run.workspace).filter(uid__in=wanted).order_by("pk")
    }
    if gone := sorted(wanted - set(found)):
        raise NoSuchModel(gone[0])
    return found


def _by_uid(models: Iterable[LoggedModel]) -> dict[str, str]:
    return {model.uid: model.name for model in models}
