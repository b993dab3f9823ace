"""What people and programs do to logged models. Their files are put as files of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission
from studio.lineage.actions import MOST_MODELS
from studio.lineage.checks import model_labels, model_name, refuse_deleted, refuse_in_trash
from studio.lineage.models import LoggedModel, ModelLabel, ModelStatus, new_model_uid
from studio.runs.actions import NewRun, complete_run, create_run
from studio.runs.actions.rights import require_on
from studio.runs.lifecycle import record_event
from studio.runs.limits import MAX_LABELS, MAX_PARAMETERS, Invalid, clean_text
from studio.runs.models import Experiment, Run

PARAM, TAG = ModelLabel.Kind.PARAM, ModelLabel.Kind.TAG


@dataclass(frozen=True, slots=True)
class NewModel:
    """What a model can be born with."""

    name: str = ""
    model_type: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def create_model(
    experiment: Experiment, new: NewModel, *, source: Run | None, by: Actor
) -> LoggedModel:
    """A model that waits for its files.

    Without a source run, the run whose token this is made it; for everybody else a run is made
    that carries it, called after the model and Completed. Raises Invalid.
    """
    uid = new_model_uid()
    name = model_name(new.name, default=f"model-{uid[2:10]}")
    kind = clean_text(new.model_type, field="model_type", most=255)
    params, tags = _clean(new.params, PARAM), _clean(new.tags, TAG)
    if source is None and by.run_uid:
        source = Run.objects.of(experiment.workspace).filter(uid=by.run_uid).first()
    if source is not None:
        require_on(by, Permission.LOG_TO_RUN, source)
        refuse_in_trash(source)
        if source.experiment_id != experiment.pk:
            raise Invalid("source_run_id", f"The run {source.uid} is of another experiment.")
        if LoggedModel.objects.filter(run=source).count() >= MOST_MODELS:
            raise Invalid("source_run_id", f"A run keeps at most {MOST_MODELS:,} models.")
    with transaction.atomic():
        run = source or _carrier(experiment, name, by=by)
        model = LoggedModel.objects.create(
            workspace=experiment.workspace,
            experiment=experiment,
            run=run,
            uid=uid,
            name=name,
            model_type=kind,
            is_carried=source is None,
        )
        _put(model, params, PARAM)
        _put(model, tags, TAG)
        record_event(run, "model", by=by, after={model.uid: name})
    return model


def _carrier(experiment: Experiment, name: str, *, by: Actor) -> Run:
    run = create_run(experiment, NewRun(display_name=name, start=True), by=by)
    return complete_run(run, by=by)


def finish_model(model: LoggedModel, status: ModelStatus, *, by: Actor) -> LoggedModel:
    """Say that the model's files are there, or failed to come; said again changes nothing."""
    require_on(by, Permission.LOG_TO_RUN, model.run)
    refuse_deleted(model)
    if status == ModelStatus.PENDING:
        raise Invalid("status", "A model is finished as ready or as failed.")
    with transaction.atomic():
        before = LoggedModel.objects.select_for_update(of=("self",)).get(pk=model.pk).status
        if before != status:
            _change(model, status=status)
            then = {model.name: status.label}
            was = {model.name: ModelStatus(before).label}
            record_event(model.run, "model", by=by, before=was, after=then)
    return model


def delete_model(model: LoggedModel, *, by: Actor) -> None:
    """Take the model out of what clients find. Its files stay with the run until that is purged."""
    require_on(by, Permission.DELETE_RUN, model.run)
    refuse_deleted(model)
    with transaction.atomic():
        _change(model, deleted_at=timezone.now())
        record_event(model.run, "model", by=by, before={model.uid: model.name}, after={})


def add_model_params(model: LoggedModel, params: Mapping[str, str], *, by: Actor) -> None:
    """Add parameters, which are written once: the same value again is fine, another is Invalid."""
    require_on(by, Permission.LOG_TO_RUN, model.run)
    refuse_deleted(model)
    with transaction.atomic():
        _put(model, _clean(params, PARAM), PARAM)
        _change(model)


def put_model_tags(model: LoggedModel, tags: Mapping[str, str], *, by: Actor) -> None:
    """Set tags, over those of the same keys. Raises Invalid."""
    require_on(by, Permission.EDIT_RUN, model.run)
    refuse_deleted(model)
    new = _clean(tags, TAG)
    with transaction.atomic():
        before = _put(model, new, TAG)
        _change(model)
        _tell_tags(model, before, {**before, **new}, by=by)


def remove_model_tag(model: LoggedModel, key: str, *, by: Actor) -> bool:
    """Remove a tag; whether it was there."""
    require_on(by, Permission.EDIT_RUN, model.run)
    refuse_deleted(model)
    with transaction.atomic():
        before = _labels(model, TAG)
        if key not in before:
            return False
        ModelLabel.objects.filter(model=model, kind=TAG, key=key).delete()
        _change(model)
        after = {name: value for name, value in before.items() if name != key}
        _tell_tags(model, before, after, by=by)
    return True


def _tell_tags(
    model: LoggedModel, before: Mapping[str, str], after: Mapping[str, str], *, by: Actor
) -> None:
    if before == after:
        return
    named = {f"{model.name}: {key}": value for key, value in before.items()}
    then = {f"{model.name}: {key}": value for key, value in after.items()}
    record_event(model.run, "model_tags", by=by, before=named, after=then)


def _clean(labels: Mapping[str, str], kind: ModelLabel.Kind) -> dict[str, str]:
    what = "model parameter" if kind == PARAM else "model tag"
    return model_labels(labels, what=what)


def _put(model: LoggedModel, new: Mapping[str, str], kind: ModelLabel.Kind) -> dict[str, str]:
    """Store labels; returns those of that kind that were there. Raises Invalid."""
    if not new:
        return _labels(model, kind) if kind == TAG else {}
    LoggedModel.objects.select_for_update(of=("self",)).get(pk=model.pk)
    before = _labels(model, kind)
    most = MAX_PARAMETERS if kind == PARAM else MAX_LABELS
    if len(before.keys() | new.keys()) > most:
        raise Invalid(kind.label, f"A model holds at most {most:,} {kind.label.lower()}s.")
    if kind == PARAM:
        _refuse_changes(before, new)
    ModelLabel.objects.bulk_create(
        [ModelLabel(model=model, kind=kind, key=key, value=value) for key, value in new.items()],
        update_conflicts=True,
        unique_fields=["model", "kind", "key"],
        update_fields=["value"],
    )
    return before


def _refuse_changes(before: Mapping[str, str], new: Mapping[str, str]) -> None:
    for key, value in new.items():
        if key in before and before[key] != value:
            raise Invalid(
                "params",
                f"The parameter “{key[:80]}” of the model is “{before[key][:80]}” and can't be "
                f"changed to “{value[:80]}”.",
            )


def _labels(model: LoggedModel, kind: ModelLabel.Kind) -> dict[str, str]:
    found = ModelLabel.objects.filter(model=model, kind=kind)
    return dict(found.values_list("key", "value"))


def _change(model: LoggedModel, **facts: object) -> None:
    facts["updated_at"] = timezone.now()
    for name, value in facts.items():
        setattr(model, name, value)
    model.save(update_fields=list(facts))
