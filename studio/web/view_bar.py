"""What a list says about the custom view that is open: its name, what differs, what can be done."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from studio.alerts.actions import subscription
from studio.custom_views.differences import differences, summary
from studio.custom_views.finding import kind_of_sharing
from studio.custom_views.models import CustomView, Place
from studio.custom_views.rights import rights
from studio.custom_views.state import TICKS, Base
from studio.web.access import Request
from studio.web.run_rows import Listing


def place_of(listing: Listing) -> str:
    if listing.experiment is not None:
        return Place.EXPERIMENT
    return Place.PIPELINES if listing.type == "pipeline" else Place.RUNS


def view_context(request: Request, listing: Listing) -> dict[str, Any]:
    """Context of `views/_bar.html` and of the button that saves a new view (1 query)."""
    # What is too long goes to the form, too: it refuses in words what would be lost.
    form = reverse("view-new", args=[request.workspace.name])
    new = listing.aside(form, **listing.state.too_long)
    view, base = listing.view, listing.state.base
    if view is None or base is None:
        return {"view": None, "new_view_url": new}
    changes, held = changes_of(listing, base), rights(request.actor, view)
    return {
        "view": view,
        "view_version": base.version,
        "view_rights": held,
        "is_subscribed": subscription(view, by=request.actor) is not None,
        "view_seen_by": seen_by(view, is_own=held.is_own),
        "view_changes": changes,
        "view_summary": summary(changes),
        "view_is_old": base.version != view.version,
        "view_keeps_ticks": keeps_ticks(base),
        "view_lost_experiment": view.place == Place.EXPERIMENT and view.experiment is None,
        "usual_list_url": usual_url(request, listing),
        "new_view_url": new,
        "lost_url": listing.aside(reverse("view-lost", args=[request.workspace.name])),
    }


def changes_of(listing: Listing, base: Base) -> list[Any]:
    """What differs from the view. Ticks count only in one that keeps them."""
    ticks = keeps_ticks(base)
    return differences(base.state.kept(ticks=ticks), listing.state.kept(ticks=ticks))


def keeps_ticks(base: Base) -> bool:
    return bool(TICKS & set(base.state.texts()))


def usual_url(request: Request, listing: Listing) -> str:
    """The list without any view, also where one is the default."""
    here = [request.workspace.name]
    if listing.experiment is not None:
        address = reverse("experiment-runs", args=[*here, listing.experiment.name])
    else:
        is_pipelines = place_of(listing) == Place.PIPELINES
        address = reverse("pipeline-list" if is_pipelines else "run-list", args=here)
    return f"{address}?{urlencode({'view': 'none'})}"


def seen_by(view: CustomView, *, is_own: bool) -> str:
    """Who sees the view, in words."""
    kind = kind_of_sharing(view)
    if kind == "people":
        n = vars(view)["n_grants"]
        return f"{n} {'person' if n == 1 else 'people'}"
    if kind == "workspace":
        return "Everyone"
    return "Only you" if is_own else "Owners of the workspace"


def permalink(request: Request, view: CustomView) -> str:
    return reverse("view", args=[request.workspace.name, view.address])
