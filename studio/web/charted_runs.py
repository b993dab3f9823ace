"""Which runs a chart above a list draws, and what is said about how many they are."""

import marshal
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.runs.models import Run
from studio.search import keyset
from studio.search.columns import Column
from studio.search.errors import SearchSyntaxError
from studio.search.many_values import Many, many_values
from studio.web.access import Request
from studio.web.figures import Figure
from studio.web.run_list_reading import matching, order_of, reading_of
from studio.web.run_rows import Listing
from studio.web.typed import number_in

# So many runs a kind of chart draws; more are left out, and it says so.
CAPS = {"line": 100, "bar": 60, "box": 5_000, "scatter": 5_000, "parallel": 5_000, "contour": 5_000}
# What draws the first of a list; the others draw thousands, the newest whatever the order.
FIRST_OF_LIST = ("line", "bar")
NOTHING = "No run has a value to draw"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure and what is said about it. head, rows: the same as a table, made when asked for."""

    figure: Figure
    badge: str
    version: str
    is_live: bool
    is_thinned: bool = False
    head: list[str] = field(default_factory=list)
    lines: Callable[[], list[list[Any]]] = list

    @property
    def rows(self) -> list[list[Any]]:
        return self.lines()


@dataclass(frozen=True, slots=True)
class Charted:
    """The runs of a chart; is_cut: there are more; word: what one of them is called; n_ticked: how
    many are ticked, where that is more than an address names."""

    runs: list[Run]
    is_cut: bool = False
    word: str = "run"
    n_ticked: int = 0


def charted(request: Request, listing: Listing, kind: str) -> Charted:
    """The ticked runs, or else the first of the list in its order."""
    state, reading = listing.state, reading_of(listing)
    if state.chosen:
        runs = Run.objects.of(request.workspace).filter(uid__in=state.chosen)
        n = _n_ticked(request, listing)
        return Charted(list(runs.newest()), word=listing.chosen_word, n_ticked=n)
    try:
        found = matching(request, listing, reading.node)
        page = keyset.page(found, order_of(request, reading), size=CAPS[kind])
    except SearchSyntaxError:
        return Charted([])
    return Charted(page.runs, bool(page.older))


def _n_ticked(request: Request, listing: Listing) -> int:
    """The parameter `ticked`, of a page where more are ticked than its addresses name; else 0."""
    n = number_in(request.GET.get("ticked", "")) or 0
    return n if n > len(listing.state.chosen) else 0


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of a chart with a value or more of each; the rest as of Charted."""

    runs: Many
    is_cut: bool = False
    word: str = "run"
    n_ticked: int = 0


def measured(request: Request, listing: Listing, kind: str, columns: Sequence[Column]) -> Measured:
    """As `charted`, for what draws values: the newest of the list, whatever its order, but for
    bars. Queries: those of the list's page and of `many_values`."""
    workspace = Run.objects.of(request.workspace)
    if listing.state.chosen:
        chosen = workspace.filter(uid__in=listing.state.chosen)
        found, n = many_values(chosen.newest(), columns), _n_ticked(request, listing)
        return Measured(found, word=listing.chosen_word, n_ticked=n)
    if kind in FIRST_OF_LIST:
        some = charted(request, listing, kind)
        found = many_values(workspace.filter(pk__in=[run.pk for run in some.runs]), columns)
        place = {pk: at for at, pk in enumerate(found.ids)}
        return Measured(found.part([place[run.pk] for run in some.runs]), some.is_cut)
    try:
        runs = matching(request, listing, reading_of(listing).node).newest()
    except SearchSyntaxError:
        runs = workspace.none()
    cap = CAPS[kind]
    found = many_values(runs[: cap + 1], columns)
    is_cut = len(found) > cap
    return Measured(found.part(range(cap)) if is_cut else found, is_cut)


def version_of(*facts: Any) -> str:
    """Of plain values. The format 2 says the same of the same values; later ones point back."""
    return str(zlib.crc32(marshal.dumps(facts, 2)))


def said_of(some: Charted | Measured, n_drawn: int, *, more: Sequence[str] = ()) -> str:
    """Such as: the newest 5,000 runs · 12 without a value; or 100 of 200 ticked runs."""
    n, n_all = len(some.runs), max(len(some.runs), some.n_ticked)
    cut = "" if not some.is_cut else "the first " if n <= CAPS["line"] else "the newest "
    of = "" if n == n_all else f" of {n_all:,}"
    said = [f"{cut}{n:,}{of} {some.word}{'' if n_all == 1 else 's'}"]
    if not n_drawn:
        said.insert(0, NOTHING)
    elif n > n_drawn:
        said.append(f"{n - n_drawn:,} without a value")
    return " · ".join([*said, *more])
