"""Rows of a table of runs, and how they stay live: on every page that lists runs."""

import base64
import binascii
import struct
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.db.models import BigIntegerField, QuerySet
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from markupsafe import Markup

from studio.accounts.permissions import Permission
from studio.custom_views.models import CustomView
from studio.custom_views.state import TREE, ViewState
from studio.queries.fixed import fixed
from studio.queries.ids import Ids, IdsField
from studio.runs.models import Experiment, Run, Star
from studio.runs.rollup import Rollup, rollups
from studio.web.access import Request
from studio.web.run_cells import Cell, Shown, cells_of
from studio.web.run_row_drawing import drawn

MAX_LIVE = 200
MAX_DEPTH = 5
ITEM = struct.Struct(">QIB")


@dataclass(slots=True)
class Row:
    """One line of the table. depth: 0 for a root run, more below an opened parent; toggle_url:
    opens or closes its child runs in place, "" where there are none or the list is no tree;
    is_deepest: its child runs have only a page of their own; can_edit: whether name and tags have
    pencils; more: what is said below it of child runs that are not shown."""

    run: Run
    cells: list[Cell]
    rollup: Rollup | None
    depth: int = 0
    is_chosen: bool = False
    is_open: bool = False
    toggle_url: str = ""
    is_deepest: bool = False
    can_edit: bool = False
    more: tuple["MoreChildren", ...] = ()

    @property
    def html(self) -> Markup:
        return drawn(self)

    @property
    def can_change(self) -> bool:
        return not self.run.is_terminal or bool(self.rollup and self.rollup.n_unfinished)

    @property
    def version(self) -> int:
        """Changes with everything in the row that changes by itself; a duration ticks in the
        browser."""
        values = [cell.value for cell in self.cells if cell.shown.kind != "duration"]
        shown = f"{self.run.status_at.timestamp()}{self.rollup}{self.run.display_name}{values}"
        return zlib.crc32(shown.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class MoreChildren:
    """How many child runs of an opened run are not among the rows; depth: of these."""

    run: Run
    n: int
    depth: int


@dataclass(frozen=True)
class Listing:
    """A list of runs: its page without a query, what its URL says, and what it is limited to: an
    experiment, a type of run, the child runs of `parent`. `has_counters` is whether the page shows
    the counters of the list; `view`: the custom view that is open, which says where and of what the
    list is."""

    base_url: str
    state: ViewState
    experiment: Experiment | None = None
    type: str = ""
    has_counters: bool = False
    view: CustomView | None = None
    parent: Run | None = None
    # What the page is called, and one of its chosen runs.
    page_name: ClassVar[str] = "Runs"
    chosen_word: ClassVar[str] = "ticked run"

    def url(self, state: ViewState) -> str:
        return self.base_url + state.to_query()

    @property
    def limits(self) -> dict[str, str]:
        """The limits as parameters, for addresses that serve every list."""
        if self.view is not None:
            return {"view": self.view.uid}
        if self.parent is not None:
            return {"parent": self.parent.uid}
        found = {"type": self.type} if self.type else {}
        return found | ({"experiment": self.experiment.name} if self.experiment else {})

    def aside(self, address: str, **parameters: str) -> str:
        """An address that answers about this list: its state, its limits, and `parameters`."""
        query = QueryDict(mutable=True)
        query.update(self.state.first_page().parameters() | self.limits | parameters)
        return f"{address}?{query.urlencode(safe=':,')}"

    def alone(self, state: ViewState) -> "Listing":
        """The same list in another state, for what shows nothing of the page around it."""
        return replace(self, state=state)

    def without_ticks(self) -> "Listing":
        """For addresses whose answer does not depend on the ticked runs: a hundred fill one."""
        if self.state.only:
            return self
        return replace(self, state=replace(self.state, chosen=()))


def rows_of(
    request: Request,
    listing: Listing,
    runs: Sequence[Run],
    columns: Sequence[Shown],
    *,
    depths: Mapping[int, int] | None = None,
) -> list[Row]:
    """Rows with roll-ups and stars (2 queries and those of `cells_of`)."""
    if not runs:
        return []
    for run in runs:
        run.workspace = request.workspace
    ids = [run.pk for run in runs]
    children = rollups(ids)
    starred = set(_starred(user=request.user.pk, runs=ids))
    cells = cells_of(runs, columns, user=request.user, children=children, starred=starred)
    state, chosen = listing.state, set(listing.state.chosen)
    opened = set(state.open)
    can_edit = Permission.EDIT_RUN in request.permissions
    found = []
    for run in runs:
        is_chosen = run.uid in chosen
        row = Row(run, cells[run.pk], children.get(run.pk), is_chosen=is_chosen, can_edit=can_edit)
        row.depth = min(depths.get(run.pk, 0), MAX_DEPTH) if depths else 0
        if state.children == TREE and row.rollup and row.depth == MAX_DEPTH:
            row.is_deepest = True
        elif state.children == TREE and row.rollup:
            row.is_open = run.uid in opened
            row.toggle_url = listing.url(state.with_open(run.uid, is_open=not row.is_open))
        found.append(row)
    return found


def tell_more(rows: Sequence[Row]) -> None:
    """Say below the last row of each opened run how many of its child runs are not shown."""
    n_shown = Counter(row.run.parent_id for row in rows if row.depth)
    above: list[Row] = []
    for at, row in enumerate(rows):
        above.append(row)
        next_depth = rows[at + 1].depth if at + 1 < len(rows) else 0
        while above and above[-1].depth >= next_depth:
            over = above.pop()
            n = over.rollup.n - n_shown[over.run.pk] if over.is_open and over.rollup else 0
            if n > 0:
                row.more += (MoreChildren(over.run, n, over.depth + 1),)


@fixed(user=BigIntegerField(), runs=IdsField())
def _starred(user: Any, runs: Any) -> "QuerySet[Star, Any]":
    return Star.objects.filter(user=user, run__in=Ids(runs)).values_list("run", flat=True)


def live_url(request: Request, listing: Listing, rows: list[Row]) -> str:
    """Where the page asks for news of these rows; "" when none of them can change."""
    known = {row.run.pk: (row.version, row.depth) for row in rows if row.can_change}
    if not known:
        return ""
    address = reverse("run-list-live", args=[request.workspace.name])
    counters = {"counters": "1"} if listing.has_counters else {}
    return listing.without_ticks().aside(address, rows=pack(known), **counters)


def pack(known: Mapping[int, tuple[int, int]]) -> str:
    """What a page shows, short enough for an address: run id -> version and depth of its row."""
    items = b"".join(ITEM.pack(pk, *of) for pk, of in list(known.items())[:MAX_LIVE])
    return base64.urlsafe_b64encode(zlib.compress(items)).decode().rstrip("=")


def unpack(text: str) -> dict[int, tuple[int, int]]:
    """The inverse of `pack`; nothing for what somebody made up."""
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        items = zlib.decompressobj().decompress(packed, ITEM.size * MAX_LIVE)
        known = {pk: (version, depth) for pk, version, depth in ITEM.iter_unpack(items)}
    except (ValueError, binascii.Error, zlib.error, struct.error):
        return {}
    # A larger id fits no column.
    return {pk: of for pk, of in known.items() if pk < 2**63}


def news(
    request: Request, listing: Listing, columns: Sequence[Shown]
) -> dict[str, Any] | HttpResponse:
    """Context of the rows that changed since the page was drawn (5 queries and those of
    `cells_of`); 204 for none."""
    known = unpack(request.GET.get("rows", ""))
    runs = Run.objects.of(request.workspace).filter(pk__in=known).for_list().newest()
    depths = {pk: depth for pk, (_, depth) in known.items()}
    rows = rows_of(request, listing, list(runs), columns, depths=depths)
    changed = [row for row in rows if row.version != known[row.run.pk][0]]
    if not changed:
        return HttpResponse(status=204)
    return {
        "rows": changed,
        "experiment": listing.experiment,
        "live_url": live_url(request, listing, rows),
    }
