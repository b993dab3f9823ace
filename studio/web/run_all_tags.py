"""All tags of a run, found by a part of their text; edited a page at a time."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.runs.labels import by_key
from studio.runs.limits import MAX_KEY
from studio.runs.machine_tags import OF_MACHINES
from studio.runs.models import Run
from studio.runs.searchtext import folded
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.run_header import chips_of
from studio.web.tag_form import MAX_ROWS, TagForm, field_of
from studio.web.typed import storable

PAGE_SIZE = MAX_ROWS


@page
def all_tags(request: Request, uid: str) -> HttpResponse:
    """One page of tags by key. GET parameters: q, a part of the key or value; after, a key (3
    queries besides those of every page)."""
    run = find_run(request, uid)
    asked = {
        name: storable(request.GET.get(name, "")).strip()[: 2 * MAX_KEY] for name in ("q", "after")
    }
    found = _found(run, **asked)
    shown = found[:PAGE_SIZE]
    base = reverse("run-all-tags", args=[request.workspace.name, run.uid])
    context: dict[str, Any] = {
        **frame(request, active="runs"),
        "run": run,
        "can_edit": Permission.EDIT_RUN in request.permissions,
        "n_tags": run.tags.exclude(OF_MACHINES).count(),
        "find": asked["q"],
        "base_url": base,
        "first_url": _url(base, q=asked["q"]) if asked["after"] else "",
        "next_url": _url(base, q=asked["q"], after=shown[-1][0]) if len(found) > PAGE_SIZE else "",
        "page_size": PAGE_SIZE,
        "chips": chips_of(request, shown),
        "tag_form": TagForm([field_of(key, value) for key, value in shown]),
        "choices": (),
    }
    return render_page(request, "runs/all_tags.html", context, part="runs/_all_tags.html")


def _found(run: Run, *, q: str, after: str) -> Sequence[tuple[str, str | None]]:
    """(key, value) of one more than a page."""
    rows = run.tags.exclude(OF_MACHINES).order_by("key")
    if q:
        part = folded(q)
        rows = rows.filter(Q(key__folded__contains=part) | Q(value__folded__contains=part))
    if after:
        rows = rows.filter(key__gt=after)
    return list(by_key(rows[: PAGE_SIZE + 1]).items())


def _url(base: str, **query: str) -> str:
    text = urlencode({name: value for name, value in query.items() if value})
    return f"{base}?{text}" if text else base
