"""The views that a person has pinned to the sidebar."""

from studio.custom_views.finding import pinned_views
from studio.custom_views.models import CustomView
from studio.web.access import Request


def pins_of(request: Request) -> list[CustomView]:
    """The pins of the person in their order (as `pinned_views`)."""
    return pinned_views(request.workspace, request.user, request.actor)
