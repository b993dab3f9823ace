"""Sort: the columns that order a list, one after the other, each up or down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from studio.search.column_finder import LIMIT, find_columns
from studio.search.columns import Column, parse_column, print_column
from studio.search.errors import SearchSyntaxError
from studio.search.order import MAX_KEYS, NEWEST, SortKey, parse_order
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.run_columns import Refused
from studio.web.run_list_links import first_direction
from studio.web.run_list_reading import listing_aside, reading_of
from studio.web.run_rows import Listing
from studio.web.view_dialogs import applied, found_text, moved, shown

ACTS = frozenset({"add", "drop", "turn", "up", "down", "usual"})
# How the two directions are called, up then down.
_WORDS = {
    "time": ("Oldest first", "Newest first"),
    "duration": ("Shortest first", "Longest first"),
    "number": ("Lowest first", "Highest first"),
    "children": ("Fewest first", "Most first"),
    "flag": ("Without first", "With first"),
}
_LETTERS = ("A to Z", "Z to A")


@dataclass(frozen=True, slots=True)
class Item:
    """A key in the form, or a column that could become one. key: short and safe in an id."""

    sort: SortKey

    @property
    def text(self) -> str:
        return str(self.sort)

    @property
    def column_text(self) -> str:
        return print_column(self.sort.column)

    @property
    def label(self) -> str:
        return self.sort.column.label

    @property
    def key(self) -> str:
        return blake2s(self.column_text.encode(), digest_size=6).hexdigest()

    @property
    def direction(self) -> str:
        return _WORDS.get(self.sort.column.type, _LETTERS)[self.sort.descending]


@page
def edit_sorting(request: Request) -> HttpResponse:
    """The editor of a list's order (queries: those of the frame and of `find_columns`)."""
    listing = listing_aside(request)
    keys, error = drafted(request, listing), ""
    try:
        keys = edited(request, keys)
    except Refused as refused:
        error = str(refused)
    becomes = replace(listing, state=listing.state.with_order(keys or NEWEST))
    address = reverse("run-list-sorting", args=[request.workspace.name])
    if not error and "apply" in request.GET:
        return applied(request, becomes)
    if not error and ACTS & request.GET.keys() and not request.htmx:
        find = {"find": text} if (text := found_text(request)) else {}
        return HttpResponseRedirect(becomes.aside(address, **find))
    context = {
        **frame(request, active="runs"),
        **sorting_context(request, listing, keys),
        "address": address,
        "error": error,
    }
    status = 422 if error else 200
    return shown(request, "sorting", context, status=status, parts=("_sorting_found",))


def sorting_context(request: Request, listing: Listing, keys: Sequence[SortKey]) -> dict[str, Any]:
    find, held = found_text(request), {key.column for key in keys}
    # What the list shows comes first: that is what one mostly sorts by.
    on_show = [shown.column for shown in reading_of(listing).columns] if not find else []
    found = find_columns(request.workspace, find, limit=LIMIT + len(on_show))
    offered = [c for c in dict.fromkeys([*on_show, *found]) if c.can_sort and c not in held]
    return {
        "listing": listing,
        "state": listing.state,
        "list_url": listing.url(listing.state),
        "items": [Item(key) for key in keys],
        "max_keys": MAX_KEYS,
        "find": find,
        "offers": [_fresh(column) for column in offered[:LIMIT]],
        "has_more": len(offered) >= LIMIT,
    }


def drafted(request: Request, listing: Listing) -> tuple[SortKey, ...]:
    """The keys in the form's fields; before there are any, those of the list."""
    texts = request.GET.getlist("key")
    if not texts and "drafted" not in request.GET:
        return reading_of(listing).keys
    found: dict[Column, SortKey] = {}
    for text in texts[:MAX_KEYS]:
        try:
            column = parse_column(text.removeprefix("-"))
        except SearchSyntaxError:
            # Only a link somebody wrote by hand holds one.
            continue
        if column.can_sort:
            found.setdefault(column, SortKey(column, text.startswith("-")))
    return tuple(found.values())


def edited(request: Request, keys: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    """The keys after the button that was pressed; raises Refused."""
    if "usual" in request.GET:
        return NEWEST
    for act in ("add", "drop", "turn", "up", "down"):
        if act in request.GET:
            return _edited(keys, act, request.GET[act])
    return keys


def _edited(keys: tuple[SortKey, ...], act: str, text: str) -> tuple[SortKey, ...]:
    try:
        (key,) = parse_order(text)
    except (SearchSyntaxError, ValueError):
        raise Refused("find", "There is no such column to sort by.") from None
    held = next((one for one in keys if one.column == key.column), None)
    if act == "add" and held is None:
        if len(keys) >= MAX_KEYS:
            raise Refused("find", f"At most {MAX_KEYS} columns sort. Remove one first.")
        # Newest first is only what holds without a choice.
        return (*(keys if keys != NEWEST else ()), key)
    if held is None or act == "add":
        return keys
    if act == "drop":
        return tuple(one for one in keys if one != held)
    if act == "turn":
        turned = replace(held, descending=not held.descending)
        return tuple(turned if one == held else one for one in keys)
    return moved(keys, held, -1 if act == "up" else 1)


def _fresh(column: Column) -> Item:
    return Item(SortKey(column, first_direction(column)))
