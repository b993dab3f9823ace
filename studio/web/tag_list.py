"""The tags of a workspace: every key with its runs and values, and the values of one key."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.bulk.retagging import DELETE, RENAME, REPLACE
from studio.custom_views.state import FLAT, ViewState
from studio.runs.limits import MAX_KEY
from studio.runs.querysets import COUNTED_TO
from studio.search import distinct
from studio.search.printer import print_query
from studio.search.tag_overview import (
    KEY_SORTS,
    VALUE_SORTS,
    VALUES_TO,
    TagPage,
    TagRow,
    n_bare,
    tag_keys,
    tag_values,
)
from studio.search.tree import UNSTORABLE, Key, Op, Term
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.run_header import NO_EDIT
from studio.web.typed import storable

PAGE_SIZE = 50
TOO_MANY = "Too many to sort by this: search first"


@dataclass(frozen=True, slots=True)
class ShownTag:
    """A row: its counts in words, where its values and its runs are listed, and where a dialog asks
    how to change it ("change", "remove": addresses)."""

    text: str
    n_runs: str
    n_values: str
    runs_url: str
    values_url: str
    change_url: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class Head:
    """A column's header; url: the address that sorts by it, "" when there are too many; aria: how
    it sorts now, or ""."""

    label: str
    css: str
    url: str
    aria: str


@page
def tag_list(request: Request) -> HttpResponse:
    """Every key. GET parameters: q, a part of a key; sort; after, a cursor (5 queries besides those
    of every page)."""
    asked = _asked(request, KEY_SORTS)
    found = tag_keys(request.workspace, size=PAGE_SIZE, **asked)
    base = reverse("tag-list", args=[request.workspace.name])
    context = {
        **_context(request, base, {}, asked, found),
        "rows": [_key_row(request, row) for row in found.rows],
        "heads": [
            _head(base, {}, asked, found, *head)
            for head in (
                ("Key", "c-name stick", "key", "-key"),
                ("Runs", "numeric", "-runs", "runs"),
                ("Values", "numeric", "-values", "values"),
            )
        ],
    }
    return render_page(request, "tags/list.html", context, part="tags/_results.html")


@page
def tag_values_page(request: Request) -> HttpResponse:
    """The values of one key (`key`), else as `tag_list`."""
    key = request.GET.get("key", "")
    if UNSTORABLE.search(key) or not distinct.present("tag", request.workspace.pk, [key]):
        raise Http404("No run of this workspace carries this tag. It may have been renamed.")
    asked = _asked(request, VALUE_SORTS)
    found = tag_values(request.workspace, key, size=PAGE_SIZE, **asked)
    is_start = not asked["find"] and not asked["after"]
    bare = n_bare(request.workspace, key) if is_start else 0
    rows = [*([TagRow("", bare)] if bare else []), *found.rows]
    base, scope = reverse("tag-values", args=[request.workspace.name]), {"key": key}
    context = {
        **_context(request, base, scope, asked, found),
        "tag": _key_row(request, TagRow(key)),
        "rows": [_value_row(request, key, row) for row in rows],
        "heads": [
            _head(base, scope, asked, found, *head)
            for head in (
                ("Value", "c-name stick", "value", "-value"),
                ("Runs", "numeric", "-runs", "runs"),
            )
        ],
    }
    return render_page(request, "tags/values.html", context, part="tags/_results.html")


def _asked(request: Request, sorts: tuple[str, ...]) -> dict[str, str]:
    find = request.GET.get("q", "").strip()[: 2 * MAX_KEY]
    sort = request.GET.get("sort", "")
    return {
        "find": storable(find),
        "sort": sort if sort in sorts else sorts[0],
        "after": request.GET.get("after", ""),
    }


def _context(
    request: Request, base: str, scope: dict[str, str], asked: dict[str, str], found: TagPage
) -> dict[str, Any]:
    onwards = {**asked, "after": found.next}
    return {
        **frame(request, active="tags"),
        "base_url": base,
        "scope": scope,
        "find": asked["find"],
        "sort": asked["sort"],
        "all_url": _url(base, **scope),
        "first_url": _url(base, **scope, **{**asked, "after": ""}) if asked["after"] else "",
        "next_url": _url(base, **scope, **onwards) if found.next else "",
        "page_size": PAGE_SIZE,
        "edit_refused": "" if Permission.EDIT_RUN in request.permissions else NO_EDIT,
        "tag": None,
    }


def _url(base: str, **query: str) -> str:
    """The address; `find` is its q."""
    named = {"q" if name == "find" else name: value for name, value in query.items() if value}
    return f"{base}?{urlencode(named)}" if named else base


def _head(
    base: str,
    scope: dict[str, str],
    asked: dict[str, str],
    found: TagPage,
    *head: str,
) -> Head:
    """A header sorts by its column, once more turns the order round."""
    label, css, first, second = head
    to = second if asked["sort"] == first else first
    aria = {True: "descending", False: "ascending"}[asked["sort"].startswith("-")]
    url = _url(base, **scope, find=asked["find"], sort=to) if found.is_sortable else ""
    return Head(label, css, url, aria if asked["sort"] in (first, second) else "")


def _key_row(request: Request, row: TagRow) -> ShownTag:
    room, key = request.workspace.name, row.text
    change = reverse("tag-change", args=[room])
    return ShownTag(
        text=key,
        n_runs=_bounded(row.n_runs, COUNTED_TO),
        n_values=_bounded(row.n_values, VALUES_TO),
        runs_url=_runs_url(request, key, None),
        values_url=_url(reverse("tag-values", args=[room]), key=key),
        change_url=_url(change, action=RENAME, key=key),
        remove_url=_url(change, action=DELETE, key=key),
    )


def _value_row(request: Request, key: str, row: TagRow) -> ShownTag:
    change = reverse("tag-change", args=[request.workspace.name])
    asked = {"key": key, "valued": "1", "value": row.text}
    return ShownTag(
        text=row.text,
        n_runs=_bounded(row.n_runs, COUNTED_TO),
        n_values="",
        runs_url=_runs_url(request, key, row.text),
        values_url="",
        change_url=_url(change, action=REPLACE, **asked),
        remove_url=_url(change, action=DELETE, **asked),
    )


def _runs_url(request: Request, key: str, value: str | None) -> str:
    """The list of the runs that carry it, child runs with them."""
    named = Key("tag", key)
    term = Term(named, Op.HAS) if value is None else Term(named, Op.EQ, (value,))
    state = ViewState(q=print_query(term), children=FLAT)
    return reverse("run-list", args=[request.workspace.name]) + state.to_query()


def _bounded(n: int, limit: int) -> str:
    return f"{n:,}" if n <= limit else f"{limit:,}+"
