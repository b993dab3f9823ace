"""Submitting a run again, and the steps of a pipeline."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router

from studio.api.access import actor_of, run_of
from studio.api.body import documented, read_body
from studio.api.runs import run_answer
from studio.api.schemas import Closed, RunItem, answers
from studio.execution.resubmitting import Changes, resubmit_run
from studio.runs.dependencies import needs_of
from studio.runs.models import Run
from studio.wire.changes import ResubmitRequest

router = Router(tags=["submitting"])

MAX_STEPS = 10_000


class StepItem(Closed):
    uid: str
    display_name: str
    type: str
    status: str
    duration_s: float | None
    depends_on: list[str]


class StepList(Closed):
    items: list[StepItem]


@router.post(
    "/runs/{uid}/resubmit",
    response=answers(RunItem, made=RunItem),
    openapi_extra=documented(ResubmitRequest),
)
def resubmit(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """A new run of the same source and definition (201), with the property `resubmitted_from`; the
    same `uid` asked again by the same person gives the existing one (200)."""
    run = run_of(request, workspace, uid)
    asked = read_body(request, ResubmitRequest)
    changes = Changes(
        uid=asked.uid or "",
        display_name=asked.display_name or "",
        experiment=asked.experiment or "",
        target=asked.target or "",
        argv=asked.arguments,
        max_duration_s=asked.max_run_duration_s,
    )
    made, is_new = resubmit_run(run, changes, by=actor_of(request))
    return run_answer(request, made, status=201 if is_new else 200)


@router.get("/runs/{uid}/steps", response=answers(StepList))
def list_steps(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """The child runs of a run, oldest first, at most 10,000, each with those it depends on."""
    parent = run_of(request, workspace, uid)
    children = Run.objects.of(parent.workspace).filter(parent=parent)
    steps = list(children.order_by("number", "id")[:MAX_STEPS])
    names, needs = {run.pk: run.uid for run in steps}, needs_of([run.pk for run in steps])
    items = [
        {
            "uid": run.uid,
            "display_name": run.display_name,
            "type": run.type,
            "status": run.status,
            "duration_s": run.elapsed_s(),
            "depends_on": [names[pk] for pk in needs.get(run.pk, []) if pk in names],
        }
        for run in steps
    ]
    return JsonResponse({"items": items})
