"""Experiments: groups of runs."""

from collections.abc import Callable
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

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
    star_experiment,
    tag_experiment,
)
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run
from studio.runs.querysets import ExperimentQuerySet
from studio.search.experiment_pages import experiment_page, is_cursor
from studio.wire.changes import ExperimentEdit, ExperimentTags, NothingToSay, StarRequest
from studio.wire.checks import MAX_NAME

router = Router(tags=["experiments"])


Sort = Literal["-latest", "latest", "name", "-name", "-runs", "runs", "starred"]


@router.get("/experiments", response=answers(ExperimentPage))
def list_experiments(
    request: HttpRequest,
    workspace: Path[str],
    archived: Literal["active", "archived", "all"] = "active",
    starred: bool = False,
    q: str = Query("", max_length=MAX_NAME),
    sort: Sort = "-latest",
    cursor: str = "",
    limit: int = Limit,
) -> Any:
    """Experiments, the one with the newest run first; `starred`: only the person's favourites;
    `q`: part of the name."""
    room = workspace_of(request, workspace)
    experiments = told_to(request, Experiment.objects.of(room)).named_like(q)
    if archived != "all":
        experiments = experiments.listed(archived=archived == "archived")
    user = actor_of(request).user
    if starred and user is not None:
        experiments = experiments.only_starred_by(user)
    if cursor and not is_cursor(cursor, sort):
        raise Invalid("cursor", "This cursor is not one of this list.")
    found = experiment_page(experiments, sort, size=limit, after=cursor)
    items = [experiment_dict(experiment) for experiment in found.experiments]
    return JsonResponse({"items": items, "next": found.next or None})


def told_to(request: HttpRequest, experiments: ExperimentQuerySet) -> ExperimentQuerySet:
    """The experiments, each saying whether it is a favourite of the token's person."""
    user = actor_of(request).user
    return experiments.starred_by(user) if user is not None else experiments


def experiment_answer(request: HttpRequest, experiment: Experiment) -> JsonResponse:
    """The experiment as it is stored now (1 query)."""
    found = told_to(request, Experiment.objects.all()).get(pk=experiment.pk)
    return JsonResponse(experiment_dict(found))


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
    answer = experiment_answer(request, experiment)
    answer.status_code = 201 if created else 200
    return answer


@router.get("/experiments/{name}", response=answers(ExperimentItem))
def get_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """One experiment with its number of runs."""
    found = _found(request, workspace, name)
    experiment = told_to(request, Experiment.objects.all()).get(pk=found.pk)
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
    """Rename or describe an experiment; its runs stay in it. `description_version` guards against
    overwriting somebody's text."""
    experiment = _found(request, workspace, name)
    asked, by = read_body(request, ExperimentEdit), actor_of(request)
    with transaction.atomic():
        if asked.description is not None:
            version = asked.description_version
            describe_experiment(experiment, asked.description, by=by, expected_version=version)
        if asked.name is not None:
            rename_experiment(experiment, asked.name, by=by)
    return experiment_answer(request, experiment)


@router.post(
    "/experiments/{name}/archive",
    response=answers(ExperimentItem),
    openapi_extra=documented(NothingToSay),
)
def hide_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Hide an experiment from lists; a run written to it brings it back."""
    return _changed(request, workspace, name, archive_experiment)


@router.post(
    "/experiments/{name}/reactivate",
    response=answers(ExperimentItem),
    openapi_extra=documented(NothingToSay),
)
def show_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Show an archived experiment in lists again."""
    return _changed(request, workspace, name, reactivate_experiment)


def _changed(
    request: HttpRequest, workspace: str, name: str, change: Callable[..., Experiment]
) -> JsonResponse:
    """The experiment after a change that needs no more told than its name."""
    experiment = _found(request, workspace, name)
    read_body(request, NothingToSay)
    return experiment_answer(request, change(experiment, by=actor_of(request)))


@router.post(
    "/experiments/{name}/star",
    response=answers(ExperimentItem),
    openapi_extra=documented(StarRequest),
)
def mark_experiment(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Make the experiment a favourite of the token's person, or no longer."""
    experiment = _found(request, workspace, name)
    asked = read_body(request, StarRequest)
    star_experiment(experiment, by=actor_of(request), starred=asked.starred)
    return experiment_answer(request, experiment)


@router.post(
    "/experiments/{name}/tags",
    response=answers(ExperimentItem),
    openapi_extra=documented(ExperimentTags),
)
def change_experiment_tags(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """Set some tags of the experiment (null: no value) and remove others."""
    experiment = _found(request, workspace, name)
    asked, by = read_body(request, ExperimentTags), actor_of(request)
    changed = tag_experiment(experiment, by=by, put=asked.set, remove=asked.remove)
    return experiment_answer(request, changed)


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
