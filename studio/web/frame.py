"""What the frame around every page shows: the workspaces to switch to, and where one is."""

from typing import Any

from studio.accounts.models import Workspace
from studio.accounts.permissions import Permission
from studio.web.access import Request

MAX_WORKSPACES = 100


def frame(request: Request, *, active: str) -> dict[str, Any]:
    """Context for base.html (1 query). `may` answers permissions by name, never roles."""
    visible = Workspace.objects.visible_to(request.user).order_by("name")
    return {
        "workspace": request.workspace,
        "workspaces": visible[:MAX_WORKSPACES],
        "active": active,
        "may": {permission.value: permission in request.permissions for permission in Permission},
    }
