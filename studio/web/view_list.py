"""All custom views that a person may see: found, opened, pinned."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse

from studio.custom_views.finding import find_deleted_view
from studio.custom_views.listing import (
    ALL,
    MINE,
    SHARED,
    WORKSPACE,
    ViewPage,
    last_used,
    listed_views,
    view_page,
)
from studio.custom_views.models import CustomView, Place
from studio.custom_views.rights import rights
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.typed import storable
from studio.web.view_bar import permalink, seen_by

PAGE_SIZE = 50
USED = "used"
TABS = {
    ALL: "All",
    MINE: "Mine",
    SHARED: "Shared with me",
    WORKSPACE: "Workspace",
    USED: "Last used",
}
MAX_FIND = 100


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One line of the table. `seen_by`: who sees it, in words."""

    view: CustomView
    url: str
    seen_by: str

    @property
    def list_words(self) -> str:
        if self.view.place != Place.EXPERIMENT:
            return str(Place(self.view.place).label)
        if self.view.experiment is None:
            return f"{self.view.experiment_name} (gone)"
        return self.view.experiment.name


@page
def view_list(request: Request) -> HttpResponse:
    """One page of views by name, or the last used; 1 query besides those of every page, at most 4
    after a deletion. GET parameters: tab, q, after (a cursor), deleted (a uid)."""
    tab = request.GET.get("tab", ALL)
    tab = tab if tab in TABS else ALL
    find = storable(request.GET.get("q", "")).strip()[:MAX_FIND]
    found = _found(request, tab, find)
    base = reverse("view-list", args=[request.workspace.name])
    context: dict[str, Any] = {
        **frame(request, active="views"),
        "tab": tab,
        "tabs": [_tab(base, key, label, find) for key, label in TABS.items()],
        "find": find,
        "base_url": base,
        "rows": [_row(request, view) for view in found.views],
        "next_url": _url(base, tab=tab, q=find, after=found.next) if found.next else "",
        "first_url": _url(base, tab=tab, q=find) if request.GET.get("after") else "",
        "page_size": PAGE_SIZE,
        "deleted": _deleted(request),
    }
    return render_page(request, "views/list.html", context, part="views/_results.html")


def _found(request: Request, tab: str, find: str) -> ViewPage:
    room, by = request.workspace, request.actor
    if tab == USED:
        views = last_used(listed_views(room, by, q=find), request.user)
        return ViewPage(list(views[:PAGE_SIZE]), "")
    views = listed_views(room, by, owner=tab, q=find)
    return view_page(views, size=PAGE_SIZE, after=request.GET.get("after", ""))


def _tab(base: str, key: str, label: str, find: str) -> dict[str, str]:
    return {"key": key, "label": label, "url": _url(base, tab="" if key == ALL else key, q=find)}


def _url(base: str, **query: str) -> str:
    text = urlencode({key: value for key, value in query.items() if value and value != ALL})
    return f"{base}?{text}" if text else base


def _row(request: Request, view: CustomView) -> ViewRow:
    is_own = view.owner_id == request.user.pk
    return ViewRow(view, permalink(request, view), seen_by(view, is_own=is_own))


def _deleted(request: Request) -> CustomView | None:
    """The view that the person has just deleted and may bring back."""
    view = find_deleted_view(request.workspace, request.actor, request.GET.get("deleted", ""))
    return view if view is not None and rights(request.actor, view).may_manage else None
