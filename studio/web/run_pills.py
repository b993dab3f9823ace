"""The conditions of a list's query as pills, each with its links and, when asked, its effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from studio.custom_views.state import ViewState
from studio.search.errors import SearchSyntaxError
from studio.search.explain import Count, Explanation
from studio.search.pills import negate, pills
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Node, Not
from studio.search.words import describe
from studio.web.access import Request
from studio.web.run_explain import explanation_context
from studio.web.run_filters_place import Place, put
from studio.web.run_rows import Listing


@dataclass(frozen=True, slots=True)
class Pill:
    """One condition of the query: index is its place; text in words, source as a query.

    switch_url: "" where it cannot be switched on, because the query cannot be read; effect: how
    many runs it removes, None while nobody asked.
    """

    index: int
    text: str
    source: str
    is_negated: bool
    is_off: bool
    edit_url: str
    remove_url: str
    negate_url: str
    switch_url: str
    effect: Count | None = None

    @property
    def id(self) -> str:
        return f"runs-pill_{'off_' if self.is_off else ''}{self.index}"


def pill_context(request: Request, listing: Listing, node: Node | None) -> dict[str, Any]:
    """What `runs/_pills.html` and `runs/_explain.html` show; with `explain=1` in the address also
    what each condition does (the queries of `explain`). A query with a value that only the
    database refuses has its pills too: there the value is put right."""
    if node is None and is_readable(listing.state):
        node = listing.state.node
    asked = explanation_context(request, listing, node)
    return {**asked, **pills_of(request, listing, node, asked["explanation"])}


def pills_of(
    request: Request, listing: Listing, node: Node | None, explanation: Explanation | None
) -> dict[str, Any]:
    here = request.workspace.name
    edit, add = (reverse(name, args=[here]) for name in ("run-list-pill", "run-list-filter"))
    effects = [effect.n_removed for effect in explanation.effects] if explanation else []
    return {
        "pills": pill_links(listing, node, edit=edit, effects=effects),
        "filter_url": listing.aside(add),
        "clear_url": listing.url(listing.state.cleared()),
    }


def pill_links(
    listing: Listing, node: Node | None, *, edit: str, effects: Sequence[Count] = ()
) -> list[Pill]:
    """The conditions that count, then those that are switched off; `edit` is the editor's
    address."""
    state, url = listing.state, listing.url
    on = [
        Pill(
            **_said(index, pill, is_off=False),
            edit_url=listing.aside(edit, **Place(index).parameters()),
            remove_url=url(state.without_pill(index)),
            negate_url=url(state.negated_pill(index)),
            switch_url=url(state.switched_off(index)),
            effect=effects[index] if index < len(effects) else None,
        )
        for index, pill in enumerate(pills(node))
    ]
    off = [
        Pill(
            **_said(index, pill, is_off=True),
            edit_url=listing.aside(edit, **_off(index).parameters()),
            remove_url=url(state.without_off(index)),
            negate_url=_turned_url(listing, _off(index), pill),
            switch_url=url(state.switched_on(index)) if is_readable(state) else "",
        )
        for index, pill in enumerate(state.off_pills)
    ]
    return on + off


def _off(index: int) -> Place:
    return Place(index, is_off=True)


def _turned_url(listing: Listing, place: Place, pill: Node) -> str:
    try:
        return listing.url(put(listing.state, place, negate(pill)))
    except SearchSyntaxError:
        return ""


def _said(index: int, pill: Node, *, is_off: bool) -> dict[str, Any]:
    return {
        "index": index,
        "text": describe(pill.child if isinstance(pill, Not) else pill),
        "source": print_query(pill),
        "is_negated": isinstance(pill, Not),
        "is_off": is_off,
    }


def is_readable(state: ViewState) -> bool:
    """Whether the query is one by its grammar."""
    try:
        parse(state.q)
    except SearchSyntaxError:
        return False
    return True
