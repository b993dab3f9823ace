"""Charts above a list of runs: their cards, figures, tables, downloads, and the editor of one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse

from studio.custom_views import charts
from studio.custom_views.charts import (
    AXES,
    BESTS,
    HEIGHTS,
    KINDS,
    MANY,
    MAX_CHARTS,
    MAX_COLUMNS,
    MAX_SMOOTH,
    OPTIONAL,
    SMOOTHINGS,
    WIDTHS,
    ChartSpec,
)
from studio.exports.csv_lines import csv_lines
from studio.search import distinct
from studio.search.column_finder import find_columns
from studio.search.columns import Column, parse_column, print_column, print_columns
from studio.search.errors import SearchSyntaxError
from studio.search.tree import UNSTORABLE
from studio.web.access import Request, page
from studio.web.charted_runs import FIRST_OF_LIST, Drawn
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.run_chart_data import drawn, label_of
from studio.web.run_list_reading import listing_aside, reading_of
from studio.web.run_rows import Listing
from studio.web.view_dialogs import applied, refusal, shown

MAX_NAMES = 200
FIELD_LABELS = {
    "line": {"y": "Metrics", "x": "Metric across"},
    "scatter": {"x": "Across", "y": "Up", "z": "Colour"},
    "bar": {"y": "Values"},
    "box": {"y": "Value", "x": "A box for each"},
    "parallel": {"y": "Axes, left to right"},
    "contour": {"x": "Across", "y": "Up", "z": "Height"},
}


@dataclass(frozen=True, slots=True)
class Card:
    """A chart on the page; each URL is the list with that chart changed."""

    index: int
    chart: ChartSpec
    figure_url: str
    table_url: str
    csv_url: str
    edit_url: str
    copy_url: str
    remove_url: str
    width_url: str
    height_url: str
    earlier_url: str
    later_url: str
    axes: list["AxisMoves"]


@dataclass(frozen=True, slots=True)
class AxisMoves:
    """An axis of parallel coordinates, and the list with it moved; "" at the ends."""

    label: str
    left_url: str
    right_url: str


def chart_context(listing: Listing, workspace: str) -> dict[str, Any]:
    """What `runs/_list_charts.html` shows (no query)."""
    some = charts.parse_charts(listing.state.charts)
    edit = reverse("run-list-chart-edit", args=[workspace])
    return {
        "cards": [_card(listing, workspace, some, index) for index in range(len(some))],
        "add_chart_url": listing.aside(edit, chart=str(len(some)))
        if len(some) < MAX_CHARTS
        else "",
        "no_charts_url": listing.url(listing.state.with_charts(())),
    }


def _card(listing: Listing, workspace: str, some: tuple[ChartSpec, ...], index: int) -> Card:
    chart = some[index]
    # The figure stays the same whatever else the list shows: the browser need not draw it anew.
    order = listing.state.order if chart.kind in FIRST_OF_LIST else ""
    state = replace(
        listing.state, order=order, columns="", widths="", group="", open=(), charts=str(chart)
    )
    alone = listing.alone(state)

    def figure(name: str) -> str:
        return alone.aside(reverse(name, args=[workspace]), chart="0")

    def becomes(changed: tuple[ChartSpec, ...]) -> str:
        return listing.url(listing.state.with_charts(changed))

    twice = charts.duplicated(some, index)
    taller = replace(chart, height=chart.height % len(HEIGHTS) + 1)
    return Card(
        index,
        chart,
        figure_url=figure("run-list-figure"),
        table_url=figure("run-list-chart-table"),
        csv_url=figure("run-list-chart-csv"),
        edit_url=listing.aside(reverse("run-list-chart-edit", args=[workspace]), chart=str(index)),
        copy_url="" if listing.state.with_charts(twice).too_long else becomes(twice),
        remove_url=becomes(charts.without_chart(some, index)),
        width_url=becomes(charts.with_chart(some, index, charts.resized(chart))),
        height_url=becomes(charts.with_chart(some, index, taller)),
        earlier_url=becomes(charts.moved(some, index, index - 1)) if index else "",
        later_url=becomes(charts.moved(some, index, index + 1)) if index + 1 < len(some) else "",
        axes=_axis_moves(listing, some, index),
    )


def _axis_moves(listing: Listing, some: tuple[ChartSpec, ...], index: int) -> list[AxisMoves]:
    chart = some[index]
    if chart.kind != "parallel":
        return []

    def swapped(left: int) -> str:
        """The list with an axis and the one right of it changed about."""
        if left < 0 or left + 1 >= len(chart.y):
            return ""
        y = (*chart.y[:left], chart.y[left + 1], chart.y[left], *chart.y[left + 2 :])
        return listing.url(
            listing.state.with_charts(charts.with_chart(some, index, replace(chart, y=y)))
        )

    return [
        AxisMoves(column.label, swapped(at - 1), swapped(at)) for at, column in enumerate(chart.y)
    ]


def _asked(request: Request) -> tuple[Listing, ChartSpec]:
    """The list, and the chart of it that the address names. Raises Http404."""
    listing = listing_aside(request)
    some = charts.parse_charts(listing.state.charts)
    index = request.GET.get("chart", "")
    if not (index.isascii() and index.isdecimal() and len(index) < 4 and int(index) < len(some)):
        raise Http404("This list has no such chart.")
    return listing, some[int(index)]


@page
def figure(request: Request) -> HttpResponse:
    """The figure of one chart as JSON; 204 while it is still the version `v`. `zx`, `zy`: the part
    that is shown, in place of the chart's own."""
    listing, chart = _asked(request)
    zoom = {name: request.GET[name] for name in ("zx", "zy") if name in request.GET}
    if zoom:
        fields = dict(parse_qsl(charts.print_chart(chart))) | zoom
        chart = charts.chart_of(fields) or chart
    made = drawn(request, listing, chart, seen=request.GET.get("v", ""))
    if made is None:
        return HttpResponse(status=204)
    return JsonResponse(
        {
            **made.figure,
            "version": made.version,
            "is_live": made.is_live,
            "is_thinned": made.is_thinned,
            "badge": made.badge,
            "label": label_of(chart, made),
        }
    )


@page
def chart_table(request: Request) -> HttpResponse:
    """The values of one chart as a table."""
    listing, chart = _asked(request)
    context = {
        **frame(request, active="runs"),
        "table": _drawn(request, listing, chart),
        "chart": chart,
        "chart_index": request.GET["chart"],
        "list_url": listing.url(listing.state),
        "page_name": listing.page_name,
    }
    return render_page(request, "runs/chart_table.html", context, part="runs/_chart_table.html")


@page
def chart_csv(request: Request) -> HttpResponseBase:
    """The values of one chart as CSV."""
    listing, chart = _asked(request)
    table = _drawn(request, listing, chart)
    lines = csv_lines([table.head, *table.rows])
    answer = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="chart.csv"'
    return answer


def _drawn(request: Request, listing: Listing, chart: ChartSpec) -> Drawn:
    made = drawn(request, listing, chart)
    if made is None:
        raise Http404("This list has no such chart.")
    return made


# The editor


@page
def edit_chart(request: Request) -> HttpResponse:
    """The form of a chart, one of the list's or a new one; `apply` leads to the list with it."""
    listing = listing_aside(request)
    some = charts.parse_charts(listing.state.charts)
    index = min(_place(request.GET.get("chart", "")), len(some), MAX_CHARTS - 1)
    chart, errors = _drafted(request, listing, some, index)
    if "apply" in request.GET and not errors:
        chart = replace(chart, zoom_x=None, zoom_y=None)
        state = listing.state.with_charts(charts.with_chart(some, index, chart))
        becomes = replace(listing, state=state)
        if told := refusal(becomes):
            errors["y"] = told
        else:
            return applied(request, becomes)
    context = {
        **frame(request, active="runs"),
        "listing": listing,
        "state": listing.state,
        "list_url": listing.url(listing.state),
        "page_name": listing.page_name,
        "address": reverse("run-list-chart-edit", args=[request.workspace.name]),
        "chart": chart,
        "chart_index": index,
        "is_new": index == len(some),
        "errors": errors,
        "inputs": _inputs(request, chart),
        "names": _names(request, chart),
        "kinds": KINDS,
        "axes": AXES,
        "bests": BESTS,
        "smoothings": SMOOTHINGS,
        "max_smooth": MAX_SMOOTH,
        "widths": WIDTHS,
        "heights": HEIGHTS,
    }
    return shown(
        request, "chart_edit", context, status=422 if errors and "apply" in request.GET else 200
    )


def _place(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else MAX_CHARTS


def _drafted(
    request: Request, listing: Listing, some: tuple[ChartSpec, ...], index: int
) -> tuple[ChartSpec, dict[str, str]]:
    """The chart as the form holds it, or as the list does, and what is wrong with each field."""
    if "kind" not in request.GET:
        return (some[index] if index < len(some) else _first(request, listing)), {}
    kind = request.GET["kind"] if request.GET["kind"] in KINDS else "line"
    texts, errors = {}, {}
    for name in FIELD_LABELS[kind]:
        columns, wrong = _columns(request, name, kind)
        texts[name] = print_columns(columns)
        if wrong:
            errors[name] = wrong
    plain = ("axis", "smooth", "smoothing", "clip", "best", "width", "height", "title")
    fields: dict[str, str] = {name: request.GET.get(name, "") for name in plain}
    logs = "".join(request.GET.getlist("log"))
    chart = charts.chart_of({**fields, **texts, "kind": kind, "log": logs}) or ChartSpec()
    chart = replace(chart, title=UNSTORABLE.sub("", chart.title))
    for name in chart.missing:
        errors.setdefault(name, "Choose what to draw.")
    return chart, errors


def _first(request: Request, listing: Listing) -> ChartSpec:
    """What a new chart draws until somebody chooses: a metric that the list shows, or any."""
    shown_ones = [one.column for one in reading_of(listing).columns]
    metrics = [column for column in shown_ones if column.family == "metric"]
    names = [] if metrics else distinct.names("metric", request.workspace.pk, limit=1)
    found = [Column("metric", column.name) for column in metrics] or [
        Column("metric", name) for name in names if name
    ]
    return ChartSpec("line", y=tuple(found[:1]))


def _columns(request: Request, name: str, kind: str) -> tuple[list[Column], str]:
    """The columns typed into the inputs of a field; a bare word may be the name of a metric."""
    found: dict[Column, None] = {}
    for text in request.GET.getlist(name):
        typed = UNSTORABLE.sub("", text).strip()
        if not typed:
            continue
        try:
            column = parse_column(typed)
        except SearchSyntaxError as error:
            if "." in typed or ":" in typed:
                return list(found), f"{typed[:80]}: {error.message}"
            column = Column("metric", typed)
        if kind == "line" and column.family != "metric":
            return list(found), f"A line draws metrics; {column.label} is none."
        if column.family in ("tags", "description", "children", "star"):
            return list(found), f"{column.label} can't be drawn."
        found[Column("metric", column.name) if kind == "line" else column] = None
    most = MAX_COLUMNS if name == "y" and kind in MANY else 1
    return list(found)[:most], ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form: its inputs, an empty one behind the columns where more may come."""

    name: str
    label: str
    texts: list[str]
    is_optional: bool


def _inputs(request: Request, chart: ChartSpec) -> list[Field]:
    fields = []
    for name, label in FIELD_LABELS[chart.kind].items():
        if chart.kind == "line" and name == "x" and chart.axis != "metric":
            continue
        typed = [text for text in request.GET.getlist(name) if text.strip()]
        texts = typed or [print_column(column) for column in getattr(chart, name)]
        is_many = name == "y" and chart.kind in MANY
        if (is_many and len(texts) < MAX_COLUMNS) or not texts:
            texts = [*texts, ""]
        is_optional = name in OPTIONAL.get(chart.kind, frozenset())
        fields.append(Field(name, label, texts if is_many else texts[:1], is_optional))
    return fields


def _names(request: Request, chart: ChartSpec) -> list[str]:
    """What the inputs offer: metrics first (8 queries)."""
    asked: Mapping[str, str] = {"line": "metric."}
    found = find_columns(request.workspace, asked.get(chart.kind, ""), limit=3 * MAX_NAMES)
    fitting = [
        column
        for column in found
        if column.family not in ("tags", "description", "children", "star", "name", "uid")
        and not (chart.kind == "line" and column.stat)
    ]
    return [print_column(column) for column in fitting[:MAX_NAMES]]
