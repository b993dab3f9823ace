"""What the frame around every page shows: the workspaces to switch to, and where one is."""

from functools import partial
from typing import Any

from django.utils.functional import SimpleLazyObject

from studio.accounts.models import Workspace
from studio.accounts.permissions import Permission
from studio.web.access import Request
from studio.web.pins import pins_of
from studio.web.tray import tray_of

MAX_WORKSPACES = 100


def frame(request: Request, *, active: str) -> dict[str, Any]:
    """Context for base.html (3 queries, when a whole page is drawn). `may` answers permissions by
    name, never roles."""
    visible = Workspace.objects.visible_to(request.user).order_by("name")
    return {
        "workspace": request.workspace,
        "workspaces": visible[:MAX_WORKSPACES],
        "active": active,
        "pinned_views": SimpleLazyObject(partial(pins_of, request)),
        "tray": SimpleLazyObject(partial(tray_of, request)),
        "may": {permission.value: permission in request.permissions for permission in Permission},
    }
