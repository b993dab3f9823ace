"""Experiments: groups of runs."""

from typing import Any, Literal

from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest, JsonResponse
from ninja import Path, Router

from studio.api.access import actor_of, experiment_of, workspace_of
from studio.api.body import documented, read_body, read_json
from studio.api.paging import Limit, page
from studio.api.schemas import EventPage, ExperimentItem, ExperimentPage, answers
from studio.api.serialize import event_dict, experiment_dict
from studio.runs.actions import ensure_experiment
from studio.runs.actions.experiments import (
    archive_experiment,
    describe_experiment,
    reactivate_experiment,
    rename_experiment,
)
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run
from studio.wire.changes import ExperimentEdit, NothingToSay

router = Router(tags=["experiments"])


@router.get("/experiments", response=answers(ExperimentPage))
def list_experiments(
    request: HttpRequest,
    workspace: Path[str],
    archived: Literal["active", "archived", "all"] = "active",
    cursor: str = "",
    limit: int = Limit,
) -> Any:
    """Experiments, the one with the newest run first."""
    room = workspace_of(request, workspace)
    experiments = Experiment.objects.of(room).order_by(
        F("latest_run_at").desc(nulls_last=True), "-id"
    )
    if archived != "all":
        experiments = experiments.filter(archived_at__isnull=archived == "active")
    if cursor:
        experiments = experiments.filter(_after(experiment_of(room, cursor)))
    return page(
        list(experiments[: limit + 1]),
        limit=limit,
        item=experiment_dict,
        cursor=lambda one: one.name,
    )


def _after(seen: Experiment) -> Q:
    """What follows `seen`: older latest runs, then those without any run."""
    if seen.latest_run_at is None:
        return Q(latest_run_at=None, id__lt=seen.pk)
    return (
        Q(latest_run_at__lt=seen.latest_run_at)
        | Q(latest_run_at=seen.latest_run_at, id__lt=seen.pk)
        | Q(latest_run_at=None)
    )


BODY: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "description": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@router.post(
    "/experiments",
    response=answers(ExperimentItem, made=ExperimentItem),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": BODY}}}
    },
)
def create_experiment(request: HttpRequest, workspace: Path[str]) -> Any:
    """The experiment of that name: made now (201), or there already (200)."""
    room = workspace_of(request, workspace)
    body = read_json(request)
    if not isinstance(body, dict):
        raise Invalid("name", 'Send {"name": "…"}.')
    for key, value in body.items():
        if key not in BODY["properties"]:
            raise Invalid(key[:255], f"{key[:80]} is not a known field.")
        if not isinstance(value, str):
            raise Invalid(key, f"{key} must be a string.")
    try:
        experiment, created = ensure_experiment(
            room,
            body.get("name", ""),
            by=actor_of(request),
            description=body.get("description", ""),
        )
    except Invalid as refused:
        # The action speaks of "experiment"; here the field is called "name".
        field = "name" if refused.field == "experiment" else refused.field
        raise Invalid(field, str(refused)) from refused
    return JsonResponse(experiment_dict(experiment), status=201 if created else 200)


@router.get("/experiments/{name}", response=answers(ExperimentItem))
def get_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """One experiment with its number of runs."""
    experiment = experiment_of(workspace_of(request, workspace), name)
    n_runs = Run.objects.filter(experiment=experiment, deleted_at=None).count()
    return JsonResponse(experiment_dict(experiment) | {"n_runs": n_runs})


def _found(request: HttpRequest, workspace: str, name: str) -> Experiment:
    room = workspace_of(request, workspace)
    experiment = experiment_of(room, name)
    experiment.workspace = room
    return experiment


@router.patch(
    "/experiments/{name}",
    response=answers(ExperimentItem),
    openapi_extra=documented(ExperimentEdit),
)
def edit_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Rename or describe an experiment; its runs stay in it."""
    experiment = _found(request, workspace, name)
    asked, by = read_body(request, ExperimentEdit), actor_of(request)
    with transaction.atomic():
        if asked.description is not None:
            describe_experiment(experiment, asked.description, by=by)
        if asked.name is not None:
            rename_experiment(experiment, asked.name, by=by)
    return JsonResponse(experiment_dict(experiment))


@router.post(
    "/experiments/{name}/archive",
    response=answers(ExperimentItem),
    openapi_extra=documented(NothingToSay),
)
def hide_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Hide an experiment from lists; a run written to it brings it back."""
    experiment = _found(request, workspace, name)
    read_body(request, NothingToSay)
    return JsonResponse(experiment_dict(archive_experiment(experiment, by=actor_of(request))))


@router.post(
    "/experiments/{name}/reactivate",
    response=answers(ExperimentItem),
    openapi_extra=documented(NothingToSay),
)
def show_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Show an archived experiment in lists again."""
    experiment = _found(request, workspace, name)
    read_body(request, NothingToSay)
    return JsonResponse(experiment_dict(reactivate_experiment(experiment, by=actor_of(request))))


@router.get("/experiments/{name}/events", response=answers(EventPage))
def list_experiment_events(
    request: HttpRequest, workspace: Path[str], name: str, cursor: str = "", limit: int = Limit
) -> Any:
    """The experiment's own history, oldest first."""
    if cursor and not cursor.isdecimal():
        raise Invalid("cursor", "This cursor is not one of this list.")
    events = _found(request, workspace, name).events.order_by("pk")
    found = list(events.filter(pk__gt=int(cursor[:18] or 0))[: limit + 1])
    return page(found, limit=limit, item=event_dict, cursor=lambda event: str(event.pk))
