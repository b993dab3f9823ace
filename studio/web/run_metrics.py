"""The tab Metrics of a run: names to tick, charts or tables beside them, and the data behind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlencode

from django.db.models import Case, When
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import slugify

from studio.metrics.models import Kind, Metric
from studio.metrics.series import points_of, points_of_each, some_rows
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.chart_state import AXES, MAX_CHARTS, ChartState, bound_of
from studio.web.figures import numeric_columns, pair_of
from studio.web.metric_charts import VARIANTS, chart_of, label_of
from studio.web.metric_names import MAX_NAMES_LISTED, listed, metrics_of, news_of
from studio.web.metric_tables import Table, csv_of, table_of
from studio.web.render import render_page, render_parts
from studio.web.run_detail import run_context
from studio.web.text_figures import can_draw

N_FIRST = 6
# Kinds that have no chart when there is nothing to draw.
MAYBE_TABLES = (Kind.TEXT,)


@dataclass(frozen=True, slots=True)
class Card:
    """A chosen metric; `table` only where it is shown as one. `key` makes its elements' ids.

    `other_url` draws a confusion matrix the other way: as counts or as shares. `columns`: those of
    a table to choose the axes from, `pair` those chosen. `said` is its name where one name stands
    on a page more than once. `live_url` asks for a newer `table`, "" where none will come.
    """

    key: str
    name: str
    title: str
    kind: str
    label: str
    figure_url: str
    table_url: str
    csv_url: str
    table: Table | None
    other_url: str = ""
    columns: Sequence[str] = ()
    pair: tuple[str, str] | None = None
    said: str = ""
    live_url: str = ""


def find_metric(request: Request, uid: str) -> tuple[Run, Metric]:
    """The run and its metric named by `?m=`, else 404 (2 queries)."""
    run = find_run(request, uid)
    name = request.GET.get("m", "")
    metric = Metric.objects.filter(run=run, name=name).first()
    if metric is None:
        raise Http404(f"The run has no metric “{name[:80]}”.")
    metric.run = run
    return run, metric


@page
def metrics(request: Request, uid: str) -> HttpResponse:
    """The names on the left, the chosen ones on the right. With charts, points are read later."""
    run = find_run(request, uid)
    asked = ChartState.of(request.GET)
    chosen, n_dropped = chosen_metrics(run, asked)
    columns = columns_of(chosen)
    asked = asked.without_defaults(columns)
    state = asked.showing(tuple(metric.name for metric in chosen))
    entries, n_found = listed(run, state)
    base = reverse("run-metrics", args=[request.workspace.name, run.uid])
    frame = run_context(request, run, tab="metrics")
    n_names = next(tab["n"] for tab in frame["tabs"] if tab["key"] == "metrics")
    news_url = reverse("run-metric-news", args=[request.workspace.name, run.uid])
    context = {
        **frame,
        "state": state,
        "axes": AXES,
        "entries": entries,
        "n_found": n_found,
        "n_unlisted": max(0, n_found - MAX_NAMES_LISTED),
        "n_names": n_names,
        "news_url": "" if run.is_terminal else f"{news_url}?{urlencode({'find': state.find})}",
        "n_dropped": n_dropped,
        "cards": Cards(request, run, state, columns).of(chosen),
        "has_charts": not state.is_table,
        "chart_url": base + state.as_table(False).query(),
        "table_url": base + state.as_table(True).query(),
        "clear_url": base,
    }
    answer = render_page(request, "runs/metrics.html", context, part="runs/_metrics.html")
    if request.htmx and entries:
        # The form's own address would carry every empty field. The first ones need no naming.
        shown = asked if not asked.names else state
        # Neither a search nor a page that waits for its first metric is a step in the history.
        is_step = request.htmx.trigger_name != "find" and request.htmx.trigger != "runs-metrics"
        header = "HX-Push-Url" if is_step else "HX-Replace-Url"
        answer[header] = base + shown.query().removesuffix("?")
    return answer


@page
def news(request: Request, uid: str) -> HttpResponseBase:
    """The last values of the names listed, as JSON, while the run goes on; 204 without news."""
    run = find_run(request, uid)
    found = news_of(run, ChartState.of(request.GET))
    if request.GET.get("v") == found["version"]:
        return HttpResponse(status=204)
    return JsonResponse(found)


def chosen_metrics(run: Run, state: ChartState) -> tuple[list[Metric], int]:
    """The ticked metrics by name, the first few when none is ticked; how many were too many."""
    if not state.names:
        # Curves first: a loss says more at a glance than a table.
        is_line = Case(When(kind=Kind.SCALAR, then=0), default=1)
        return list(metrics_of(run).order_by(is_line, "name")[:N_FIRST]), 0
    chosen = list(metrics_of(run).filter(name__in=state.names[:MAX_CHARTS]))
    return chosen, max(0, len(state.names) - MAX_CHARTS)


def columns_of(chosen: Sequence[Metric]) -> dict[str, list[str]]:
    """The numeric columns of the chosen tables, by name (1 query, none without tables).

    Their first and last rows are looked at: a page is no place to read millions.
    """
    tables = {metric.pk: metric.name for metric in chosen if metric.kind == Kind.TABLE}
    found = {tables[pk]: numeric_columns(rows) for pk, rows in some_rows(tables).items()}
    return {name: columns for name, columns in found.items() if columns}


@dataclass(frozen=True, slots=True)
class Cards:
    """Makes the cards of a page."""

    request: Request
    run: Run
    state: ChartState
    columns: dict[str, list[str]]

    def of(self, chosen: Sequence[Metric]) -> list[Card]:
        """One card a metric; kinds with several charts get one for each (1 query for all that are
        tables)."""
        tables = self.tables(chosen)
        return [card for metric in chosen for card in self.cards(metric, tables.get(metric.pk))]

    def tables(self, chosen: Sequence[Metric]) -> dict[int, Table]:
        """Metric id -> its table, of those that are shown as one; one metric's points at a time."""
        by_id = {
            metric.pk: metric
            for metric in chosen
            if self.state.is_table or metric.kind in MAYBE_TABLES
        }
        if not by_id:
            return {}
        return {
            pk: table_of(by_id[pk], points)
            for pk, points in points_of_each(by_id)
            if self.state.is_table or not can_draw(list(points.values))
        }

    def cards(self, metric: Metric, table: Table | None) -> list[Card]:
        variants = VARIANTS.get(metric.kind, (("", ""),))
        return [
            self.card(metric, variant, title, table)
            for variant, title in (variants[:1] if table else variants)
        ]

    def card(self, metric: Metric, variant: str, title: str, table: Table | None) -> Card:
        state, address = self.state, [self.request.workspace.name, self.run.uid]
        named = urlencode({"m": metric.name})
        drawn = state.of_one(metric.name).query(with_list=False).removeprefix("?")
        figure_url = f"{reverse('run-figure', args=address)}?{named}"
        figure_url += f"&variant={variant}" if variant else ""
        table_url = table_address(self.run, metric, variant)
        is_matrix = metric.kind == Kind.CONFUSION_MATRIX
        other = replace(state, shares=not state.shares) if is_matrix else None
        columns = [] if table else self.columns.get(metric.name, [])
        return Card(
            key=key_of_card(metric, variant),
            name=metric.name,
            title=title,
            kind=metric.kind,
            label=label_of(metric),
            figure_url=figure_url + (f"&{drawn}" if drawn else ""),
            table_url=table_url,
            csv_url=f"{reverse('run-metric-csv', args=address)}?{named}",
            table=table,
            other_url=reverse("run-metrics", args=address) + other.query() if other else "",
            columns=columns,
            pair=pair_of(columns, *state.pair_of(metric.name)) if columns else None,
            live_url=news_address(self.run, metric, table_url) if table else "",
        )


def key_of(text: str) -> str:
    """A name as an id of an element."""
    return sha256(text.encode()).hexdigest()[:10]


def key_of_card(metric: Metric, variant: str) -> str:
    return key_of(f"{variant}:{metric.name}" if variant else metric.name)


def table_address(run: Run, metric: Metric, variant: str) -> str:
    """Where the table below a card is asked for."""
    query = {"m": metric.name} | ({"variant": variant} if variant else {})
    return f"{reverse('run-metric-table', args=[run.workspace.name, run.uid])}?{urlencode(query)}"


def news_address(run: Run, metric: Metric, table_url: str) -> str:
    """Where a table asks for newer points, "" when none will come."""
    return "" if run.is_terminal else f"{table_url}&v={version_of(run, metric)}"


def version_of(run: Run, metric: Metric) -> str:
    """Another one with each point, and with the end of the run: then nobody need ask again."""
    return f"{metric.n_points}-{'over' if run.is_terminal else 'live'}"


@page
def figure(request: Request, uid: str) -> HttpResponseBase:
    """The figure of one metric as JSON; 204 while it is still the version the page has.

    `is_live` tells the page to ask again; the version changes with the last answer of a run too.
    """
    run, metric = find_metric(request, uid)
    version = version_of(run, metric)
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    bounds = (bound_of(request.GET.get("from", "")), bound_of(request.GET.get("to", "")))
    state = ChartState.of(request.GET)
    variant = request.GET.get("variant", "")
    chart = chart_of(run, metric, state, variant=variant, bounds=bounds)
    drawn = chart.figure or {"data": [], "layout": {}}
    return JsonResponse(
        {
            **drawn,
            "version": version,
            "is_live": not run.is_terminal,
            "badge": chart.badge,
            "is_thinned": chart.is_thinned,
            "label": label_of(metric),
        }
    )


@page
def table(request: Request, uid: str) -> HttpResponse:
    """The table of one metric, for its place under the chart or in place of it; 204 while it is
    still the version the page has."""
    run, metric = find_metric(request, uid)
    if request.GET.get("v") == version_of(run, metric):
        return HttpResponse(status=204)
    variant = request.GET.get("variant", "")
    context = {
        "table": table_of(metric, points_of(metric)),
        "key": key_of_card(metric, variant),
        "name": metric.name,
        "live_url": news_address(run, metric, table_address(run, metric, variant)),
    }
    return render_parts(request, ["runs/_points.html"], context)


@page
def download(request: Request, uid: str) -> HttpResponseBase:
    """All points of one metric as CSV, written while it is sent."""
    run, metric = find_metric(request, uid)
    answer = StreamingHttpResponse(csv_of(metric), content_type="text/csv; charset=utf-8")
    name = f"{run.short_uid}-{slugify(metric.name) or 'metric'}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
