"""Making runs: one, or many child runs in one call. Part of the router of `runs`: one address, one
router."""

import logging
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path

from studio import wire
from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.api.access import actor_of, run_of, visible_runs, workspace_of
from studio.api.body import documented, read_body
from studio.api.errors import error
from studio.api.runs import router, run_answer
from studio.api.schemas import RunItem, RunPage, answers
from studio.api.serialize import Parts, listed_dict, run_dict, with_parts
from studio.artifacts.models import Snapshot
from studio.runs import actions
from studio.runs.limits import Invalid, clean_labels
from studio.runs.models import Experiment, Run
from studio.runs.turn import in_turn

logger = logging.getLogger(__name__)


@router.post(
    "/runs", response=answers(RunItem, made=RunItem), openapi_extra=documented(wire.RunCreate)
)
def create_run(request: HttpRequest, workspace: Path[str]) -> Any:
    """A new run (201); the same uid sent again by the same person gives the existing one (200)."""
    room, actor = workspace_of(request, workspace), actor_of(request)
    new = read_body(request, wire.RunCreate)
    parent = run_of(request, workspace, new.parent) if new.parent else None
    if (
        new.submit
        and not Snapshot.objects.filter(workspace=room, digest=new.submit.snapshot).exists()
    ):
        return error(
            409,
            "conflict",
            "This snapshot is not stored here. Send its files and POST it to /snapshots first.",
            field="submit.snapshot",
        )
    made = _new_run(new)
    try:
        run = _made(room, new, made, by=actor, parent=parent)
    except actions.UidTaken:
        return run_answer(request, _sent_before(request, workspace, new.uid))
    if new.description:
        return run_answer(request, run, status=201)
    # All is known: reading it back would double the time of the call.
    return JsonResponse(run_dict(run, parts=_parts(new, made)), status=201)


def _made(
    room: Workspace, new: wire.RunCreate, made: actions.NewRun, *, by: Actor, parent: Run | None
) -> Run:
    """The run with its description, and its experiment if that is new: all or nothing."""
    known = actions.known_experiment(room, new.experiment)
    if known is not None and not new.description:
        try:
            # The usual case: others wait only while it is written.
            return actions.create_run(known, made, by=by, parent=parent)
        except Experiment.DoesNotExist:
            logger.info("the experiment “%s” was purged meanwhile, and is made anew", known.name)
    with in_turn():
        experiment, _ = actions.ensure_experiment(room, new.experiment, by=by)
        experiment.workspace = room
        run = actions.create_run(experiment, made, by=by, parent=parent)
        if new.description:
            actions.describe_run(run, new.description, by=by)
    return run


def _parts(new: wire.RunCreate, made: actions.NewRun) -> Parts:
    def stored(labels: Mapping[str, Any], what: str) -> dict[str, str | None]:
        return dict(sorted(clean_labels(labels, what=what, nullable=what == "tag").items()))

    return Parts(
        tags=stored(new.tags, "tag"),
        properties=stored(new.properties, "property"),
        parameters=stored(new.parameters, "parameter"),
        definition=actions.definition_of(made),
    )


def _sent_before(request: HttpRequest, workspace: str, uid: str) -> Run:
    """The run this person made by the same request; raises UidTaken if it is another's."""
    run = visible_runs(request, workspace).filter(uid=uid).first()
    actor = actor_of(request)
    if run is None or actor.user is None or run.submitter_id != actor.user.pk:
        raise actions.UidTaken(f"Another run has the id {uid}. Make a new id for this one.")
    return run


def _new_run(new: wire.RunCreate) -> actions.NewRun:
    return actions.NewRun(
        uid=new.uid,
        display_name=new.display_name or "",
        type=new.type or "interactive",
        tags=new.tags,
        properties=new.properties,
        parameters=new.parameters,
        definition=new.definition,
        start=new.start,
        max_duration_s=new.max_run_duration_s,
        submit=_submission(new.submit) if new.submit else None,
        depends_on=new.depends_on,
    )


def _submission(submit: wire.Submit) -> actions.Submission:
    return actions.Submission(
        target=submit.target,
        snapshot=submit.snapshot,
        script=submit.script or "",
        arguments=submit.arguments,
        command=submit.command or (),
        environment=submit.environment.dump(),
        grace_s=submit.grace_s,
    )


@router.post(
    "/runs/{uid}/children", response=answers(RunPage), openapi_extra=documented(wire.ChildrenCreate)
)
def create_children(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Up to 1,000 child runs, all or none."""
    parent = run_of(request, workspace, uid)
    asked = read_body(request, wire.ChildrenCreate)
    news = [
        actions.NewRun(
            uid=child.uid,
            display_name=child.display_name or "",
            type=child.type or "interactive",
            tags=child.tags,
            start=asked.start,
            depends_on=child.depends_on,
        )
        for child in asked.children
    ]
    uids = [new.uid for new in news]
    if len(set(uids)) < len(uids):
        raise Invalid("children", "Two of the child runs have the same uid.")
    try:
        actions.create_children(parent, news, by=actor_of(request))
    except actions.UidTaken:
        if Run.objects.filter(parent=parent, uid__in=uids).count() != len(uids):
            raise
    mine = with_parts(Run.objects.filter(parent=parent, uid__in=uids), user=actor_of(request).user)
    return JsonResponse({"items": [listed_dict(run) for run in mine.order_by("number")]})
