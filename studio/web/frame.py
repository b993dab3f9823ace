"""What the frame around every page shows: workspaces to switch to, the active entry."""

from typing import Any

from studio.accounts.models import Workspace
from studio.accounts.permissions import Permission
from studio.web.access import Request


def frame(request: Request, *, active: str) -> dict[str, Any]:
    """Context for base.html (1 query). `may` answers permissions by name, never roles."""
    return {
        "workspace": request.workspace,
        "workspaces": list(Workspace.objects.visible_to(request.user).order_by("name")[:100]),
        "active": active,
        "may": {permission.value: permission in request.permissions for permission in Permission},
    }
