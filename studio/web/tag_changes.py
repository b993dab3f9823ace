"""The dialog that renames, merges or removes a tag on all runs; first it tells what it would do."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django_htmx.http import reswap, retarget, trigger_client_event

from studio.accounts.permissions import Permission, require
from studio.bulk.retagging import (
    DELETE,
    REPLACE,
    Preview,
    Rewrite,
    checked,
    preview,
    start_rewrite,
)
from studio.custom_views.mentions import Mentions, views_with_tag
from studio.runs.limits import Invalid
from studio.search import distinct
from studio.web.access import Request, action, page
from studio.web.bulk import STARTED
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.tray import tray_of
from studio.web.view_bar import permalink
from studio.work.actions import AlreadyUnderWay

MAX_SUGGESTED = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What the dialog tells before anything is done; `views`: those that mention the tag, as (name,
    address)."""

    preview: Preview
    mentions: Mentions
    views: list[tuple[str, str]]


@page
def ask(request: Request) -> HttpResponse:
    """The dialog (a page without HTMX), or only its preview for what is typed. GET parameters:
    action, key, value (with valued=1), to."""
    require(request.actor, Permission.SEE, request.workspace)
    rewrite = rewrite_of(request.GET)
    context = ask_context(request, rewrite)
    if request.htmx.target == "tags-preview":
        return render_parts(request, ["tags/_preview.html"], context)
    return render_page(request, "tags/change.html", context, part="tags/_dialog.html")


@action
def start(request: Request) -> HttpResponse:
    """Start it: the tray with its progress for HTMX, else the page of the work. What is refused
    comes back with what was typed."""
    rewrite = rewrite_of(request.POST)
    try:
        work = start_rewrite(request.workspace, rewrite, by=request.actor)
    except (Invalid, AlreadyUnderWay) as wrong:
        context = ask_context(request, rewrite, error=str(wrong))
        status = 422 if isinstance(wrong, Invalid) else 409
        answer = render_page(
            request, "tags/change.html", context, part="tags/_change.html", status=status
        )
        return retarget(reswap(answer, "outerHTML"), "#tags-change") if request.htmx else answer
    if not request.htmx:
        return done(request, reverse("work-detail", args=[request.workspace.name, work.uid]))
    context = {**frame(request, active=""), "tray": tray_of(request)}
    return trigger_client_event(render_parts(request, ["work/_tray.html"], context), STARTED)


def rewrite_of(form: QueryDict) -> Rewrite:
    """What the address or the form says; not checked."""
    return Rewrite(
        action=form.get("action", ""),
        key=form.get("key", ""),
        to=form.get("to", "").strip(),
        value=form.get("value", "").replace("\r\n", "\n") if form.get("valued") == "1" else None,
        keep=form.get("keep", ""),
    )


def ask_context(request: Request, rewrite: Rewrite, *, error: str = "") -> dict[str, Any]:
    """Everything `tags/_change.html` shows (7 queries at most)."""
    told, hint = None, ""
    try:
        whole = checked(rewrite)
        told = told_of(request, whole)
    except Invalid as wrong:
        # Nobody has typed it yet.
        is_open = wrong.field == "to" and not rewrite.to
        hint = "" if is_open else str(wrong)
    return {
        **frame(request, active="tags"),
        "rewrite": rewrite,
        "told": told,
        "hint": hint,
        "error": error,
        "title": title_of(rewrite),
        "can_edit": Permission.EDIT_RUN in request.permissions,
        "known": known_of(request, rewrite),
        "back_url": reverse("tag-list", args=[request.workspace.name]),
    }


def told_of(request: Request, rewrite: Rewrite) -> Told:
    room, by = request.workspace, request.actor
    mentions = views_with_tag(room, by, rewrite.key, rewrite.value or None)
    views = []
    for view in mentions.views:
        view.workspace = room
        views.append((view.name, permalink(request, view)))
    return Told(preview(room, rewrite, by=by), mentions, views)


def title_of(rewrite: Rewrite) -> str:
    """«Rename the tag “quality”»."""
    value = "" if rewrite.value is None else f": {rewrite.value or 'no value'}"
    whole = f"{rewrite.key}{value}"
    if rewrite.action == DELETE:
        return f"Remove “{whole}” from all runs"
    if rewrite.action == REPLACE:
        return f"Change “{whole}” on all runs"
    return f"Rename the tag “{whole}”"


def known_of(request: Request, rewrite: Rewrite) -> list[str]:
    """What the new key or value may be merged with, as far as it is suggested (1 query)."""
    room = request.workspace.pk
    if rewrite.action == DELETE or "\0" in rewrite.key:
        return []
    if rewrite.action == REPLACE:
        return distinct.values("tag", rewrite.key, room, limit=MAX_SUGGESTED)
    return distinct.names("tag", room, limit=MAX_SUGGESTED)
