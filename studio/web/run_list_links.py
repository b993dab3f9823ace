"""The links of a run list: each is the list's URL in another state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, QuerySet

from studio.custom_views.state import FLAT, PAGE_SIZES, TREE, ViewState
from studio.queries.fixed import fixed
from studio.runs.models import Experiment
from studio.runs.status import COUNTERS
from studio.search.columns import Column
from studio.search.order import NEWEST, SortKey
from studio.web.access import Request
from studio.web.column_widths import usual_width
from studio.web.run_cells import Shown
from studio.web.run_list_reading import Reading
from studio.web.run_rows import Listing

MAX_EXPERIMENTS = 40
# These begin with the most, the newest, the longest.
_DOWN_FIRST = frozenset({"number", "time", "duration", "flag", "children"})


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that filters the list, or un-filters it when it already does. n: None not counted yet;
    is_exact: whether n was counted to the end."""

    name: str
    url: str
    is_on: bool
    n: int | None = None
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column. place: which sort key it is, from 1; 0: none. add_url sorts by it after
    the keys there are. aria: "ascending", "descending" or ""."""

    shown: Shown
    url: str
    add_url: str
    place: int
    aria: str
    is_down: bool
    width: int | None
    is_pinned: bool

    @property
    def pixels(self) -> int:
        """How wide it is drawn; of the flexible one the least."""
        return self.width or usual_width(self.shown.column)

    @property
    def is_flexible(self) -> bool:
        """Whether it takes what the others leave."""
        return self.shown.kind == "name" and self.width is None


def page_links(listing: Listing) -> dict[str, Any]:
    """The toggles and the sizes of a page."""
    state, url = listing.state, listing.url
    return {
        "children_urls": {mode: url(state.with_children(mode)) for mode in ("", TREE, FLAT)},
        "mine_url": url(state.with_mine(not state.mine)),
        "only_url": url(state.with_only(not state.only)),
        "size_urls": {size: url(state.with_size(size)) for size in PAGE_SIZES},
        "clear_url": url(state.cleared()),
    }


def paging_links(listing: Listing, *, older: str, newer: str) -> dict[str, str]:
    """The pages above and below, "" where there is none."""
    state, url = listing.state, listing.url
    return {
        "older_url": url(state.with_after(older)) if older else "",
        "newer_url": url(state.with_before(newer)) if newer else "",
        "first_url": url(state.first_page()) if state.after or state.before else "",
    }


def table_context(listing: Listing, reading: Reading) -> dict[str, Any]:
    """What `runs/_table.html` shows above the rows."""
    words = ", then ".join(
        f"{key.column.label} {'down' if key.descending else 'up'}" for key in reading.keys
    )
    return {
        "heads": heads(listing, reading),
        "n_keys": len(reading.keys),
        "order_words": "newest first" if reading.keys == NEWEST else f"by {words}",
    }


def heads(listing: Listing, reading: Reading) -> list[Head]:
    state, widths = listing.state, listing.state.column_widths
    return [
        _head(listing, shown, reading.keys, widths.get(shown.text), place < state.pins)
        for place, shown in enumerate(reading.columns)
    ]


def _head(
    listing: Listing, shown: Shown, keys: tuple[SortKey, ...], width: int | None, is_pinned: bool
) -> Head:
    column = shown.column
    place = next((i for i, key in enumerate(keys, 1) if key.column == column), 0)
    if not column.can_sort:
        return Head(shown, "", "", 0, "", False, width, is_pinned)
    held = keys[place - 1] if place else None
    turned = _turned(shown, held)
    alone = _turned(shown, held if len(keys) == 1 else None)
    others = tuple(key for key in keys if key.column != column and keys != NEWEST)
    also = (*others, turned) if turned else others
    aria = "" if held is None else "descending" if held.descending else "ascending"
    state, url = listing.state, listing.url
    return Head(
        shown,
        url(state.with_order((alone,) if alone else NEWEST)),
        url(state.with_order(also or NEWEST)),
        place,
        aria if place == 1 else "",
        aria == "descending",
        width,
        is_pinned,
    )


def first_direction(column: Column) -> bool:
    """Whether sorting by a column begins downwards."""
    return column.type in _DOWN_FIRST


def _turned(shown: Shown, held: SortKey | None) -> SortKey | None:
    """What a click makes of a column's sorting: its usual direction, the other, none."""
    first = first_direction(shown.column)
    if held is None:
        return SortKey(shown.column, first)
    return SortKey(shown.column, not first) if held.descending == first else None


def counter_links(listing: Listing, counts: Mapping[str, tuple[int, bool]]) -> list[Choice]:
    """The six counters, each leading to its statuses or away from them; `counts`: how many of each,
    and whether that is exact; empty: not known yet."""
    state = listing.state
    others = state.without_key("status")
    found = []
    for name, statuses in COUNTERS.items():
        values = sorted(statuses)
        is_on = state.has_values("status", *values)
        to = others if is_on else state.with_term("status", *values)
        n, is_exact = counts.get(name, (None, True))
        found.append(Choice(name, listing.url(to), is_on, n, is_exact))
    return found


def experiment_links(request: Request, listing: Listing) -> list[Choice]:
    """The menu of experiments, latest submission first, at most 40 (1 query)."""
    if listing.experiment is not None or listing.parent is not None:
        return []
    state = listing.state
    names = _experiment_names(workspace=request.workspace.pk)
    return [_experiment_link(listing, state, name) for name in names]


@fixed(workspace=BigIntegerField())
def _experiment_names(workspace: Any) -> "QuerySet[Experiment, Any]":
    listed = Experiment.objects.filter(workspace=workspace).listed()
    return listed.values_list("name", flat=True)[:MAX_EXPERIMENTS]


def _experiment_link(listing: Listing, state: ViewState, name: str) -> Choice:
    is_on = state.has_values("experiment", name)
    to = state.without_key("experiment") if is_on else state.with_term("experiment", name)
    return Choice(name, listing.url(to), is_on)
