"""Who am I, what is this workspace; and a new one."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from ninja import Router

from studio import wire
from studio.accounts.models import Workspace
from studio.accounts.new_workspaces import new_workspace
from studio.accounts.permissions import role_in
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.schemas import Whoami, WorkspaceItem, answers

router = Router(tags=["workspace"])


@router.get("/whoami", response=answers(Whoami))
def whoami(request: HttpRequest) -> Any:
    """The token's person, workspace and rights."""
    actor = actor_of(request)
    room = None
    if actor.workspace_id is not None:
        room = Workspace.objects.open().filter(pk=actor.workspace_id).first()
        if room is None:
            raise NotFound("There is no workspace that this token is for.")
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


@router.post(
    "/workspaces",
    response=answers(WorkspaceItem, made=WorkspaceItem),
    openapi_extra=documented(wire.WorkspaceCreate),
)
def create_workspace(request: HttpRequest) -> Any:
    """A new workspace (201), by an admin of the studio with a token of scope admin for all
    workspaces."""
    actor, new = actor_of(request), read_body(request, wire.WorkspaceCreate)
    made = new_workspace(new.name, new.owner or actor.name, by=actor)
    role = role_in(actor.user, made) if actor.user else None
    found = {"name": made.name, "description": made.description, "role": role}
    return JsonResponse(found, status=201)


@router.get("/workspaces/{workspace}", response=answers(WorkspaceItem))
def get_workspace(request: HttpRequest, workspace: str) -> Any:
    """The workspace and the token's role in it."""
    room, actor = workspace_of(request, workspace), actor_of(request)
    role = role_in(actor.user, room) if actor.user else None
    return JsonResponse({"name": room.name, "description": room.description, "role": role})
