"""What each condition of a list's query removes, and what to drop when no run is left."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse

from studio.custom_views.state import FLAT
from studio.search.errors import SearchSyntaxError
from studio.search.explain import Count, Explanation, explain
from studio.search.tree import Node
from studio.search.words import describe
from studio.web.access import Request
from studio.web.paging import count_of
from studio.web.run_list_reading import matching, scope
from studio.web.run_rows import Listing


@dataclass(frozen=True, slots=True)
class Way:
    """A link out of an empty list: what it does in words, and how many runs there are then."""

    text: str
    url: str
    n: Count


def explanation_context(request: Request, listing: Listing, node: Node | None) -> dict[str, Any]:
    """The links of `explanation_links`, and the explanation where the state asks for it."""
    found = explanation_links(request, listing)
    if listing.state.explain:
        return found | explained(request, listing, node)
    return found | {"explanation": None, "ways": None}


def explanation_links(request: Request, listing: Listing) -> dict[str, Any]:
    """Where the ways out of an empty list are, and the switch of the explanation."""
    state = listing.state
    return {
        "explain_url": listing.aside(reverse("run-list-explain", args=[request.workspace.name])),
        "explain_switch_url": listing.url(state.with_explain(not state.explain)),
    }


def explained(request: Request, listing: Listing, node: Node | None) -> dict[str, Any]:
    """The explanation, and the ways out of an empty list: None where runs are left (the queries of
    `explain`, and for an empty list 2 counts)."""
    try:
        found = explain(
            scope(request, listing, node), node, user=request.user, workspace=request.workspace
        )
        ways = None if found.n.n else list(_ways(request, listing, node, found))
    except SearchSyntaxError:
        return {"explanation": None, "ways": []}
    return {"explanation": found, "ways": ways}


def _ways(
    request: Request, listing: Listing, node: Node | None, found: Explanation
) -> Iterator[Way]:
    state = listing.state
    for way in found.ways_out:
        words = " and ".join(describe(one) for one in way.dropped)
        yield Way(f"Without {words}", listing.url(state.with_node(way.rest)), way.n)
    below = "Search child runs too" if listing.parent is None else "Search all levels below too"
    wider = [(below, state.with_children(FLAT))] if state.children != FLAT else []
    if state.mine:
        wider.append(("Runs of everybody", state.with_mine(False)))
    if state.only:
        wider.append(("Not only the selected runs", state.with_only(False)))
    for words, other in wider:
        n = Count(*count_of(matching(request, replace(listing, state=other), node)))
        if n.n:
            yield Way(words, listing.url(other), n)
