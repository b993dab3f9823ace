"""What a list's URL asks for, understood: query, order, columns; and which runs that means."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import Http404
from django.urls import reverse

from studio.custom_views.finding import base_of
from studio.custom_views.models import CustomView, Place
from studio.custom_views.scope import in_state
from studio.custom_views.state import NO_VIEW, TREE, Base, ViewState
from studio.custom_views.stored import long_words
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import apply
from studio.search.columns import DEFAULT_COLUMNS, Column, parse_columns
from studio.search.errors import SearchSyntaxError
from studio.search.grouping import parse_group
from studio.search.order import NEWEST, Order, SortKey, parse_order
from studio.search.scanner import MAX_CHARACTERS
from studio.search.tree import Node
from studio.web.access import Request, find_experiment
from studio.web.compared_runs import compared_aside
from studio.web.run_cells import Shown
from studio.web.run_rows import MAX_DEPTH, Listing
from studio.web.typed import number_in
from studio.web.views_found import found_view

MAX_CHILDREN_IN_PLACE = 50
A_CHART = "kind=line&y=metric.loss"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A text of the URL that can't be understood, and where."""

    field: str
    text: str
    position: int
    length: int
    message: str
    example: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was asked for; what can't be read is left out, and is in `wrong`."""

    node: Node | None
    keys: tuple[SortKey, ...]
    columns: tuple[Shown, ...]
    group: tuple[Column, ...]
    wrong: Wrong | None


def listing_of(
    request: Request,
    query: Mapping[str, str],
    *,
    experiment: Experiment | None = None,
    type: str = "",
    parent: Run | None = None,
) -> Listing:
    here = request.workspace.name
    if parent is not None:
        base = reverse("run-children", args=[here, parent.uid])
    elif experiment is not None:
        base = reverse("experiment-runs", args=[here, experiment.name])
    else:
        base = reverse("pipeline-list" if type else "run-list", args=[here])
    # Links say so too: without it they would lead to the default view.
    usual = Base(ViewState()) if query.get("view") == NO_VIEW else None
    state = ViewState.from_query(query, usual)
    return Listing(base, state, experiment, type, has_counters=True, parent=parent)


def listing_of_view(request: Request, address: str, query: Mapping[str, str]) -> Listing:
    """The list of a custom view in the state that `query` makes of it (1 query, 2 for an older
    version); else 404, as for a view there is not."""
    return listing_of_found(request, found_view(request, address), query)


def listing_of_found(request: Request, view: CustomView, query: Mapping[str, str]) -> Listing:
    """As `listing_of_view`, of a view that was found already."""
    if view.experiment is not None:
        view.experiment.workspace = request.workspace
    return Listing(
        reverse("view", args=[request.workspace.name, view.address]),
        ViewState.from_query(query, base_of(view, number_in(query.get("rev", "")))),
        view.experiment,
        "pipeline" if view.place == Place.PIPELINES else "",
        has_counters=True,
        view=view,
    )


def listing_aside(request: Request) -> Listing:
    """The list that `Listing.aside` made an address about."""
    if "compare" in request.GET:
        return compared_aside(request)
    return listing_said(request, request.GET)


def listing_said(request: Request, query: Mapping[str, str]) -> Listing:
    """The list whose limits and state `query` says."""
    if query.get("view", NO_VIEW) != NO_VIEW:
        return listing_of_view(request, query["view"], query)
    if uid := query.get("parent", ""):
        return listing_of(request, query, parent=find_parent(request, uid))
    name = query.get("experiment", "")
    if name:
        return listing_of(request, query, experiment=find_experiment(request, name))
    return listing_of(request, query, type="pipeline" if query.get("type") == "pipeline" else "")


def find_parent(request: Request, uid: str) -> Run:
    """The run whose child runs are listed, bare (1 query), else 404."""
    found = Run.objects.of(request.workspace).filter(uid=uid).first()
    if found is None:
        raise Http404(f"There is no run “{uid[:80]}” in the workspace “{request.workspace}”.")
    return found


def reading_of(listing: Listing) -> Reading:
    state = listing.state
    wrongs: list[Wrong] = []

    def read(field: str, text: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        try:
            return parse(text)
        except SearchSyntaxError as error:
            wrongs.append(
                Wrong(field, text, error.position, error.length, error.message, error.example)
            )
            return otherwise

    node = read("q", state.q, lambda _: state.node, None)
    keys = read("order", state.order, parse_order, NEWEST)
    columns = read("columns", state.columns, parse_columns, ())
    group = read("group", state.group, parse_group, ())
    if long := long_words("charts", state.charts):
        # So that it is said before a link or a view leaves them out.
        n_more = len(state.charts) - MAX_CHARACTERS
        wrongs.append(Wrong("charts", state.charts, MAX_CHARACTERS, n_more, long, A_CHART))
    wrong = wrongs[0] if wrongs else None
    return Reading(node, keys, shown_columns(listing, columns), group, wrong)


def shown_columns(listing: Listing, columns: Iterable[Column]) -> tuple[Shown, ...]:
    """The columns asked for, or the usual ones; the name is always there, it leads to the run."""
    asked = tuple(columns)
    if not asked:
        own = listing.experiment is not None or listing.parent is not None
        asked = tuple(c for c in DEFAULT_COLUMNS if not (own and c.family == "experiment"))
    name = Column("name")
    return tuple(map(Shown, asked if name in asked else (name, *asked)))


def order_of(request: Request, reading: Reading) -> Order:
    return Order(reading.keys, request.workspace, request.user)


def scope(request: Request, listing: Listing, node: Node | None) -> RunQuerySet:
    """The runs the page is about, before its query `node`."""
    runs = Run.objects.of(request.workspace)
    if listing.experiment is not None:
        runs = runs.filter(experiment=listing.experiment)
    if listing.type:
        runs = runs.filter(type=listing.type)
    return in_state(runs, listing.state, node, user=request.user, parent=listing.parent)


def matching(request: Request, listing: Listing, node: Node | None) -> RunQuerySet:
    """The runs of the list in no order (the queries of `search.apply`). Raises SearchSyntaxError
    for a value that only the database can refuse."""
    runs = scope(request, listing, node)
    return apply(runs, node, user=request.user, workspace=request.workspace)


def with_children(request: Request, listing: Listing, runs: list[Run]) -> tuple[list[Run], Any]:
    """The runs with the opened ones' child runs below them, and how deep each is: run id -> depth.

    The newest 50 of each (1 query a level and those of `for_list`); nothing for a list that is no
    tree.
    """
    opened = set(listing.state.open)
    if listing.state.children != TREE or not opened:
        return runs, None
    below: dict[int, list[Run]] = {}
    level, depth = [run for run in runs if run.uid in opened], 0
    while level and depth < MAX_DEPTH:
        found = _newest_children(request, level)
        for run in found:
            below.setdefault(run.parent_id or 0, []).append(run)
        level, depth = [run for run in found if run.uid in opened], depth + 1
    placed: list[Run] = []
    depths: dict[int, int] = {}
    for run in runs:
        _place(run, 0, below, placed, depths)
    return placed, depths


def _newest_children(request: Request, parents: list[Run]) -> list[Run]:
    newest = Window(
        RowNumber(), partition_by=F("parent"), order_by=[F("created_at").desc(), F("id").desc()]
    )
    runs = Run.objects.of(request.workspace).filter(parent__in=parents).annotate(place=newest)
    return list(runs.filter(place__lte=MAX_CHILDREN_IN_PLACE).for_list().newest())


def _place(
    run: Run, depth: int, below: dict[int, list[Run]], placed: list[Run], depths: dict[int, int]
) -> None:
    placed.append(run)
    depths[run.pk] = depth
    for child in below.get(run.pk, ()):
        _place(child, depth + 1, below, placed, depths)
