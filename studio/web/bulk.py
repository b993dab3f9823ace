"""The dialog of a bulk change, and its start.

Opening it is a POST that stores nothing: the ids of a long selection fit into no address.
"""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import reverse
from django_htmx.http import reswap, retarget, trigger_client_event

from studio.accounts.permissions import NotAllowed, require
from studio.bulk import selection as selecting
from studio.bulk.acting import choice_called, dry_run, start_bulk
from studio.bulk.choices import Arguments
from studio.bulk.selection import Selection
from studio.bulk.tagging import tag_states
from studio.bulk.weighing import weigh
from studio.runs.limits import Invalid
from studio.runs.models import Experiment
from studio.search import distinct
from studio.search.errors import SearchSyntaxError
from studio.web.access import Request, action
from studio.web.bulk_asked import Asked, arguments_of, asked_of, back_url, carried
from studio.web.bulk_offers import OFFERS, Offer
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts, wants_part
from studio.web.tray import tray_of

MAX_SUGGESTED = 100
STARTED = "studio:bulk-started"


def offer_called(name: str) -> Offer:
    try:
        return OFFERS[name]
    except KeyError as error:
        raise Http404(f"There is no bulk change “{name[:80]}”.") from error


@action
def show(request: Request, offer: str) -> HttpResponse:
    """What would happen: the dialog for HTMX, else a page."""
    chosen = offer_called(offer)
    require(request.actor, choice_called(chosen.action).permission, request.workspace)
    try:
        asked = with_moment(asked_of(request))
        context = dialog_context(request, chosen, asked)
    except (Invalid, SearchSyntaxError) as wrong:
        context = nothing_context(request, chosen, str(wrong))
    return render_page(request, "bulk/page.html", context, part="bulk/_dialog.html")


@action
def start(request: Request, offer: str) -> HttpResponse:
    """Start it: the tray with its progress for HTMX, else the page of the work. What is refused
    comes back with what was typed."""
    chosen = offer_called(offer)
    asked = None
    try:
        asked = asked_of(request)
        given = {**chosen.fixed, **arguments_of(request.POST, chosen.name)}
        work = start_bulk(
            request.workspace, chosen.action, asked.selection, given, by=request.actor
        )
    except (Invalid, SearchSyntaxError) as wrong:
        return refused(request, chosen, asked, error=str(wrong))
    except NotAllowed as wrong:
        if not wants_part(request):
            raise
        return refused(request, chosen, None, error=str(wrong))
    if not request.htmx:
        return done(request, reverse("work-detail", args=[request.workspace.name, work.uid]))
    context = {**frame(request, active=""), "tray": tray_of(request)}
    return trigger_client_event(render_parts(request, ["work/_tray.html"], context), STARTED)


def refused(request: Request, offer: Offer, asked: Asked | None, *, error: str) -> HttpResponse:
    """The form again, with what is wrong with it."""
    try:
        context = (
            nothing_context(request, offer, error)
            if asked is None
            else dialog_context(request, offer, with_moment(asked), error=error)
        )
    except (Invalid, SearchSyntaxError) as wrong:
        context = nothing_context(request, offer, str(wrong))
    answer = render_page(request, "bulk/page.html", context, part="bulk/_form.html", status=422)
    return retarget(reswap(answer, "outerHTML"), "#bulk-form") if wants_part(request) else answer


def with_moment(asked: Asked) -> Asked:
    """Fixes the moment, so that the count that is shown stays the count of what will happen."""
    return replace(asked, selection=selecting.checked(asked.selection))


def dialog_context(
    request: Request, offer: Offer, asked: Asked, *, error: str = ""
) -> dict[str, Any]:
    """Everything `bulk/_form.html` shows; two queries, and those of the change."""
    room, user, selection = request.workspace, request.user, asked.selection
    given: Arguments | None = dict(offer.fixed) or None
    told = dry_run(room, selection, by=request.actor, action=offer.action, arguments=given)
    change = told["actions"][offer.action]
    n = change["n_applies"]
    context = {
        **nothing_context(request, offer, error),
        "carried": [*asked.carried, ("at", selection.at), ("zone", selection.zone)],
        "back_url": asked.back_url,
        "n_selected": told["n_selected"],
        "n_applies": n,
        "n_offered": n,
        "skipped": change["skipped"],
        "title": offer.words(n),
    }
    if offer.name == "tags":
        context["tags"] = tag_states(replace(selection, trash=False), room, user=user)
        context["known_keys"] = distinct.names("tag", room.pk, limit=MAX_SUGGESTED)
    elif offer.name == "move":
        names = Experiment.objects.of(room).listed().values_list("name", flat=True)
        context["experiments"] = list(names[:MAX_SUGGESTED])
    elif offer.name == "delete":
        context["n_with_cancel"] = n_with_cancel(request, selection)
        context["n_offered"] = context["n_with_cancel"]
    elif offer.name == "purge":
        context["weight"] = weigh(replace(selection, trash=True), room, user=user)
    return context


def n_with_cancel(request: Request, selection: Selection) -> int:
    """How many would be deleted if unfinished runs were cancelled first (2 queries)."""
    told = dry_run(
        request.workspace,
        selection,
        by=request.actor,
        action="delete",
        arguments={"cancel": True},
    )
    n: int = told["actions"]["delete"]["n_applies"]
    return n


def nothing_context(request: Request, offer: Offer, error: str) -> dict[str, Any]:
    """A dialog that can only say what is wrong."""
    return {
        **frame(request, active="trash" if offer.action in ("restore", "purge") else "runs"),
        "offer": offer,
        "error": error,
        "draft": request.POST,
        "carried": carried(request.POST),
        "back_url": back_url(request),
        "n_selected": 0,
        "n_applies": 0,
        "n_offered": 0,
        "skipped": [],
        "title": offer.verb,
        "trash_days": settings.TRASH_DAYS,
    }
