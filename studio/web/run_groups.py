"""A run list in groups: the rows of its table, their links, and the menu that chooses the keys."""

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from studio.custom_views.state import ViewState
from studio.runs.querysets import RunQuerySet
from studio.runs.status import COUNTERS
from studio.search.column_finder import find_columns
from studio.search.columns import Column, print_column, print_columns
from studio.search.grouping import FAMILIES, MAX_KEYS
from studio.search.groups import Group, Measure, group_page
from studio.search.pills import pills
from studio.web.access import Request, page
from studio.web.experiments import TONES, BarPart
from studio.web.frame import frame
from studio.web.render import render_parts
from studio.web.run_list_reading import Reading
from studio.web.run_rows import Listing

MAX_NAMES = 200
# Those with a name of their own are typed.
_OFFERED = tuple(family for family in FAMILIES if family not in ("tag", "param"))


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group. url: the list of its runs; values: text of each key, None for runs without one;
    parts: of the bar; measures: one for each metric column."""

    group: Group
    url: str
    parts: list[BarPart]
    measures: list[Measure]


@dataclass(frozen=True, slots=True)
class Offer:
    """A key to group by; url takes it, or gives it back."""

    label: str
    url: str
    is_on: bool


def group_context(listing: Listing, reading: Reading, runs: RunQuerySet) -> dict[str, Any]:
    """What `runs/_groups.html` shows (the queries of `group_page`)."""
    state = listing.state
    metrics = [s.column for s in reading.columns if s.column.family == "metric" and not s.column.of]
    found = group_page(runs, reading.group, metrics, size=state.size, after=state.after)
    return {
        "groups": [_row(listing, group, metrics) for group in found.groups],
        "group_keys": reading.group,
        "group_metrics": metrics,
        "grouped": found,
        "older_url": listing.url(state.with_after(found.older)) if found.older else "",
        "newer_url": listing.url(state.with_after(found.newer)) if found.newer else "",
        "ungroup_url": listing.url(state.with_group("")),
    }


def _row(listing: Listing, group: Group, metrics: list[Column]) -> GroupRow:
    state = replace(listing.state.first_page(), group="")
    for condition in pills(group.query):
        state = state.narrowed(condition)
    parts = [
        BarPart(
            TONES[name],
            n,
            f"{n:,} {name.lower()}",
            listing.url(state.with_term("status", *sorted(COUNTERS[name]))),
        )
        for name, n in group.counters.items()
    ]
    measures = [group.measures[column] for column in metrics]
    return GroupRow(group, listing.url(state), parts, measures)


def group_links(listing: Listing, reading: Reading, workspace: str) -> dict[str, Any]:
    """What `runs/_group_menu.html` shows (no query)."""
    address = reverse("run-list-group-names", args=[workspace])
    return {
        "group_offers": [_offer(listing, reading.group, Column(family)) for family in _OFFERED],
        "group_words": " and ".join(key.label for key in reading.group),
        "group_names_url": address,
        "ungroup_url": listing.url(listing.state.with_group("")),
    }


def _offer(listing: Listing, keys: tuple[Column, ...], column: Column) -> Offer:
    """A second key joins the first; a third takes the place of the second."""
    others = tuple(key for key in keys if key != column)
    is_on = column in keys
    to = others if is_on else (*others[: MAX_KEYS - 1], column)
    state: ViewState = listing.state.with_group(print_columns(to))
    return Offer(column.label, listing.url(state), is_on)


@page
def group_names(request: Request) -> HttpResponse:
    """The tags and parameters to group by, as options of the box (4 queries)."""
    typed = request.GET.get("group", "").replace("\0", "").rpartition(",")[2].strip()
    families = [one for one in ("tag", "param") if typed.startswith(f"{one}.")]
    asked = [typed] if families else [f"{one}.{typed}" for one in ("tag", "param")]
    found: list[str] = []
    for text in asked:
        found += map(print_column, find_columns(request.workspace, text, limit=MAX_NAMES))
    context = {**frame(request, active="runs"), "names": found}
    return render_parts(request, ["runs/_group_names.html"], context)
