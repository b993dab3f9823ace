"""The versions of a view: who made each, when, what changed; any can be brought back."""

from dataclasses import dataclass
from itertools import zip_longest

from django.contrib import messages
from django.http import HttpResponse

from studio.custom_views.actions import restore_version
from studio.custom_views.differences import Difference, differences
from studio.custom_views.models import CustomView, ViewRevision
from studio.custom_views.rights import rights
from studio.custom_views.stored import state_of
from studio.runs.limits import Invalid
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.typed import number_in
from studio.web.view_bar import permalink
from studio.web.views_found import found_view

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One version; `changes` from the one before it; `url` opens the list as it was then."""

    revision: ViewRevision
    changes: list[Difference]
    renamed_from: str
    is_described: bool
    url: str
    is_now: bool


@page
def history(request: Request, address: str) -> HttpResponse:
    """The newest versions first, PAGE_SIZE a page (2 queries besides those of every page). `below`:
    only those under this version."""
    view = found_view(request, address)
    below = number_in(request.GET.get("below", ""))
    found = ViewRevision.objects.filter(view=view).order_by("-version")
    if below is not None:
        found = found.filter(version__lt=below)
    # One more: what the last of the page is compared with.
    revisions = list(found[: PAGE_SIZE + 1])
    here = permalink(request, view)
    entries = [
        _entry(view, here, revision, older)
        for revision, older in zip_longest(revisions, revisions[1:])
    ][:PAGE_SIZE]
    has_more = len(revisions) > PAGE_SIZE
    context = {
        **frame(request, active=f"view-{view.uid}"),
        "view": view,
        "view_rights": rights(request.actor, view),
        "entries": entries,
        "permalink": here,
        "below": entries[-1].revision.version if has_more else None,
    }
    return render_page(request, "views/history.html", context)


def _entry(
    view: CustomView, here: str, revision: ViewRevision, older: ViewRevision | None
) -> Entry:
    texts = state_of(revision.state).kept(ticks=True)
    before = state_of(older.state).kept(ticks=True) if older else {}
    return Entry(
        revision=revision,
        changes=differences(before, texts) if older else [],
        renamed_from=older.name if older and older.name != revision.name else "",
        is_described=bool(older and older.description != revision.description),
        url=here if revision.version == view.version else f"{here}?rev={revision.version}",
        is_now=revision.version == view.version,
    )


@action
def restore(request: Request, address: str) -> HttpResponse:
    """Make the version in `version` the newest one."""
    view = found_view(request, address)
    version = number_in(request.POST.get("version", ""))
    try:
        restored = restore_version(view, version or 0, by=request.actor)
    except Invalid as wrong:
        messages.error(request, str(wrong))
        return done(request, permalink(request, view))
    messages.success(request, f"Version {version} is back, as version {restored.version}.")
    return done(request, permalink(request, restored))
