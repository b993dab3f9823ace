"""Above the child runs of a run: the best of them, and the charts of a sweep."""

from dataclasses import replace
from typing import Any

from django.urls import reverse

from studio.custom_views.charts import ChartSpec, print_charts
from studio.custom_views.state import FLAT, ViewState
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.columns import Column
from studio.search.comparing import MOST_RUNS
from studio.search.errors import SearchSyntaxError
from studio.search.order import SortKey, print_order
from studio.search.pills import with_term
from studio.search.sweeps import Primary, Shared, best_of, primary_of, shared_of
from studio.search.tree import Key, Op, Term
from studio.web.access import Request
from studio.web.compare_state import Comparison
from studio.web.run_list_reading import scope
from studio.web.run_rows import Listing, Row

# So many parameters are columns of the table; the chart has more.
MAX_COLUMNS = 4


def usual_state(request: Request, listing: Listing) -> ViewState | None:
    """What the page of a sweep's child runs shows when nobody asked for anything; None where its
    parent names no metric that two of them have (4 queries)."""
    primary = primary_of(listing.parent) if listing.parent else None
    if primary is None:
        return None
    shared = shared_of(scope(request, listing, None))
    return swept(listing.state, primary, shared) if primary.name in shared.metrics else None


def swept(state: ViewState, primary: Primary, shared: Shared) -> ViewState:
    """The list with the charts of a sweep; in its order, with its columns, unless others were
    asked for."""
    charts = print_charts(sweep_charts(primary, shared))
    if not state.columns:
        names = ("name", "status"), ("submitted", "duration")
        parameters = [Column("param", key) for key in shared.parameters[:MAX_COLUMNS]]
        first, last = (list(map(Column, some)) for some in names)
        state = state.with_columns([*first, *parameters, primary.column, *last])
    if not state.order and primary.goal:
        order = print_order([SortKey(primary.column, primary.goal == "max")])
        state = replace(state.first_page(), order=order)
    return replace(state, charts=charts)


def sweep_charts(primary: Primary, shared: Shared) -> list[ChartSpec]:
    """The metric of each run over its steps and in the order they were made, the parameters
    against each other, and all of them with the metric at the right."""
    value = primary.column
    numbers = [Column("param", key) for key in shared.numbers[:2]]
    log_x, log_y = ([*(key in shared.spread for key in shared.numbers[:2]), False, False])[:2]
    charts = []
    if primary.name in shared.has_lines:
        charts.append(ChartSpec("line", y=(Column("metric", primary.name),)))
    charts.append(ChartSpec("scatter", x=(Column("number"),), y=(value,), best=primary.goal))
    if len(numbers) == 2:
        x, y = ((one,) for one in numbers)
        charts.append(ChartSpec("scatter", x=x, y=y, z=(value,), log_x=log_x, log_y=log_y))
    elif numbers:
        charts.append(ChartSpec("scatter", x=(numbers[0],), y=(value,), log_x=log_x))
    if len(charts) == 2:
        charts[1] = replace(charts[1], width=2)
    if shared.parameters:
        axes = (*(Column("param", key) for key in shared.parameters), value)
        charts.append(ChartSpec("parallel", y=axes, width=2 if len(charts) == 1 else 3))
    return charts


def sweep_context(
    request: Request, listing: Listing, found: RunQuerySet, rows: list[Row]
) -> dict[str, Any]:
    """What `runs/_sweep.html` shows of the list's runs `found`, `rows` of them on the page (5
    queries)."""
    parent = listing.parent
    if parent is None:
        return {}
    primary = primary_of(parent)
    shared = shared_of(scope(request, listing, None))
    offered = [Primary(name) for name in shared.metrics]
    if primary is not None:
        offered = [primary] if primary.name in shared.metrics else []
    offers = [(one.name, swept(listing.state, one, shared)) for one in offered]
    uids = tuple(row.run.uid for row in rows[:MOST_RUNS])
    compare = reverse("run-compare", args=[request.workspace.name])
    all_runs = reverse("run-list", args=[request.workspace.name])
    return {
        **best_context(request, primary, found),
        # Those of charts that are there already lead nowhere.
        "sweep_offers": [
            (name, listing.url(state)) for name, state in offers if state != listing.state
        ],
        "these_url": compare + Comparison(chosen=uids).to_query() if len(uids) > 1 else "",
        "n_compared": len(uids),
        "all_runs_url": all_runs + among_all_runs(listing.state, parent).to_query(),
    }


def best_context(request: Request, primary: Primary | None, found: RunQuerySet) -> dict[str, Any]:
    """What `runs/_sweep_best.html` shows: the best of the runs `found` (1 query)."""
    best = best_of(found, primary, request.workspace) if primary else None
    return {"primary": primary, "best": best}


def among_all_runs(state: ViewState, parent: Run) -> ViewState:
    """The same runs in the list of all runs; of a list of all levels the first."""
    try:
        present = state.node
    except SearchSyntaxError:
        present = None
    node = with_term(present, Term(Key("parent"), Op.EQ, (parent.uid,)))
    return replace(state.whole.with_node(node), children=FLAT, open=())
