"""Who am I, what is this workspace, where can runs run."""

from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest, JsonResponse
from ninja import Router

from studio.accounts.models import Workspace
from studio.accounts.permissions import role_in
from studio.api.access import actor_of, workspace_of
from studio.api.schemas import TargetPage, Whoami, WorkspaceItem, answers
from studio.compute.models import Target, Worker

router = Router(tags=["workspace"])


@router.get("/whoami", response=answers(Whoami))
def whoami(request: HttpRequest) -> Any:
    """The token's person, workspace and rights."""
    actor = actor_of(request)
    room = Workspace.objects.filter(pk=actor.workspace_id).first() if actor.workspace_id else None
    role = role_in(actor.user, room) if actor.user and room else None
    return JsonResponse(
        {
            "user": actor.name,
            "workspace": room.name if room else None,
            "scope": actor.scope,
            "role": role,
            "run_uid": actor.run_uid or None,
            "version": settings.STUDIO_VERSION,
        }
    )


@router.get("/workspaces/{workspace}", response=answers(WorkspaceItem))
def get_workspace(request: HttpRequest, workspace: str) -> Any:
    """The workspace and the token's role in it."""
    room, actor = workspace_of(request, workspace), actor_of(request)
    role = role_in(actor.user, room) if actor.user else None
    return JsonResponse({"name": room.name, "description": room.description, "role": role})


@router.get("/workspaces/{workspace}/targets", response=answers(TargetPage))
def list_targets(request: HttpRequest, workspace: str) -> Any:
    """Compute targets this workspace may use, with how many workers serve each."""
    room = workspace_of(request, workspace)
    live = Q(workers__in=Worker.objects.live())
    targets = (
        Target.objects.filter(Q(workspace=None) | Q(workspace=room))
        .annotate(n_live=Count("workers", filter=live))
        .order_by("name")
    )
    items = [
        {
            "name": target.name,
            "description": target.description,
            "enabled": target.is_enabled,
            "n_workers": target.n_live,
            "grace_s": target.effective_grace_s(),
        }
        for target in targets
    ]
    return JsonResponse({"items": items, "next": None})
