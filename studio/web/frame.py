"""What the frame around every page shows: the workspaces to switch to, and where one is."""

from functools import partial
from typing import Any

from django.db.models import BigIntegerField, QuerySet
from django.utils.functional import SimpleLazyObject

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Permission
from studio.queries.fixed import fixed
from studio.web.access import Request
from studio.web.pins import pins_of
from studio.web.tray import tray_of

MAX_WORKSPACES = 100


def frame(request: Request, *, active: str) -> dict[str, Any]:
    """Context for base.html (3 queries, when a whole page is drawn). `may` answers permissions by
    name, never roles."""
    return {
        "workspace": request.workspace,
        "workspaces": SimpleLazyObject(partial(_workspaces, request.user)),
        "active": active,
        "pinned_views": SimpleLazyObject(partial(pins_of, request)),
        "tray": SimpleLazyObject(partial(tray_of, request)),
        "may": {permission.value: permission in request.permissions for permission in Permission},
    }


def _workspaces(user: User) -> list[Workspace]:
    """Those to switch to, by name (1 query)."""
    return _all_open() if user.is_superuser else _open_to(user=user.pk)


@fixed()
def _all_open() -> "QuerySet[Workspace]":
    return Workspace.objects.open().order_by("name")[:MAX_WORKSPACES]


@fixed(user=BigIntegerField())
def _open_to(user: Any) -> "QuerySet[Workspace]":
    return Workspace.objects.of_member(user).order_by("name")[:MAX_WORKSPACES]
