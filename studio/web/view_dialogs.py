"""What the dialogs about a list share: each is one GET form that holds a draft of the list's URL.

Its buttons lead back to the dialog with another draft, Apply leads to the list. Nothing is stored.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.http import HttpResponse, HttpResponseRedirect
from django_htmx.http import trigger_client_event

from studio.custom_views.stored import long_words
from studio.web.access import Request
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_rows import Listing
from studio.web.typed import storable

T = TypeVar("T")
MAX_FIND = 200
# Of one whole address, its path and what parts of a page add to it; the server reads 8,190
# characters (the command `web`).
MAX_ADDRESS = 7_500


def refusal(listing: Listing) -> str:
    """Why a draft of a list can't be applied, "" where it can: what is too long for its address
    would be left out of it."""
    for name, text in listing.state.too_long.items():
        return long_words(name, text)
    n = len(listing.url(listing.state))
    if n <= MAX_ADDRESS:
        return ""
    told = f"The address of the list would have {n:,} characters; at most {MAX_ADDRESS:,} fit."
    return f"{told} Remove columns or charts, or untick runs."


def applied(request: Request, listing: Listing) -> HttpResponse:
    """Go to the list; for HTMX static/js/columns.js closes the dialog and loads it."""
    to = listing.url(listing.state)
    if not request.htmx:
        return HttpResponseRedirect(to)
    return trigger_client_event(HttpResponse(status=204), "studio:view-applied", {"url": to})


def shown(
    request: Request, name: str, context: dict[str, Any], *, status: int, parts: Iterable[str] = ()
) -> HttpResponse:
    """The page `runs/<name>.html`; for HTMX its form, one of `parts`, or the dialog around it:
    that whose id was asked for."""
    asked = str(request.htmx.target or "") if wants_part(request) else ""
    for part in (f"_{name}_form", *parts):
        if asked == f"runs-{part.removeprefix('_')}":
            return render_parts(request, [f"runs/{part}.html"], context, status=status)
    part = f"runs/_{name}.html"
    return render_page(request, f"runs/{name}.html", context, part=part, status=status)


def found_text(request: Request) -> str:
    """What is looked for among the columns."""
    text = request.GET.get("find", "").strip()[:MAX_FIND]
    return storable(text)


def moved(items: Sequence[T], item: T, by: int) -> tuple[T, ...]:
    """The items with one of them moved up (-1) or down (1)."""
    if item not in items:
        return tuple(items)
    others = [one for one in items if one != item]
    place = min(max(0, list(items).index(item) + by), len(others))
    return (*others[:place], item, *others[place:])
