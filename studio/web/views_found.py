"""A custom view by the last part of its address; 404 alike for none and for one not shared."""

from django.http import Http404

from studio.custom_views.finding import find_view
from studio.custom_views.models import CustomView
from studio.web.access import Request


def found_view(request: Request, address: str) -> CustomView:
    """The view with what its pages say about it (1 query)."""
    view = find_view(request.workspace, request.actor, address)
    if view is None:
        raise Http404("There is no such view, or it is not shared with you.")
    return view
