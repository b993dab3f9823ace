"""What clients ask about the server itself, and the workspaces they may name."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.mlflow_api.answers import as_json
from studio.mlflow_api.errors import missing
from studio.mlflow_api.gate import open_to_all

# The protocol that is spoken: that of this release of MLflow.
VERSION = "3.17.2"
MOST_WORKSPACES = 1_000
NOTHING_OF_ANYBODY = "it tells what the server speaks, and nothing of anybody's"


@open_to_all(NOTHING_OF_ANYBODY)
def health(request: HttpRequest) -> HttpResponse:
    """GET /health."""
    return HttpResponse("OK", content_type="text/plain; charset=utf-8")


@open_to_all(NOTHING_OF_ANYBODY)
def version(request: HttpRequest) -> HttpResponse:
    """GET /version."""
    return HttpResponse(VERSION, content_type="text/plain; charset=utf-8")


@open_to_all(NOTHING_OF_ANYBODY)
def server_info(request: HttpRequest) -> HttpResponse:
    """GET server-info: what is missing is false."""
    return as_json({"store_type": "SqlStore", "workspaces_enabled": True})


def list_workspaces(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """GET workspaces: those that the asker may see (1 query)."""
    return {"workspaces": [{"name": name} for name in _names(actor)]}


def get_workspace(request: HttpRequest, actor: Actor, name: str) -> dict[str, Any]:
    """GET workspaces/{name}."""
    if name not in _names(actor):
        raise missing(f"There is no workspace “{name[:80]}” that you can see.")
    return {"workspace": {"name": name}}


def _names(actor: Actor) -> list[str]:
    if actor.user is None:
        return []
    rooms = Workspace.objects.visible_to(actor.user)
    if actor.workspace_id is not None:
        rooms = rooms.filter(pk=actor.workspace_id)
    return list(rooms.order_by("name").values_list("name", flat=True)[:MOST_WORKSPACES])
