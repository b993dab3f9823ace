"""The tab Metrics of a run: names to tick, charts or tables beside them, and the data behind."""

from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlencode

from django.db.models import Case, QuerySet, When
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import slugify

from studio.metrics.models import NUMERIC, Kind, Metric
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.chart_state import AXES, MAX_CHARTS, ChartState, bound_of
from studio.web.metric_charts import VARIANTS, chart_of, label_of, last_of
from studio.web.metric_tables import Table, csv_of, table_of
from studio.web.render import render_page, render_parts
from studio.web.run_detail import run_context

MAX_NAMES_LISTED = 200
N_FIRST = 6
# Kinds without a chart: shown as a table in either form.
ONLY_TABLES = (Kind.TEXT, Kind.IMAGE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric in the list of names."""

    name: str
    kind: str
    last: str
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A chosen metric; `table` only where it is shown as one. `key` makes its elements' ids.

    `other_url` draws a confusion matrix the other way: as counts or as shares.
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


def metrics_of(run: Run) -> QuerySet[Metric]:
    return Metric.objects.filter(run=run).exclude(kind=Kind.IMAGE).order_by("name")


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
    state = asked.showing(tuple(metric.name for metric in chosen))
    entries, n_found = listed(run, state)
    base = reverse("run-metrics", args=[request.workspace.name, run.uid])
    context = {
        **run_context(request, run, tab="metrics"),
        "state": state,
        "axes": AXES,
        "entries": entries,
        "n_found": n_found,
        "n_unlisted": max(0, n_found - MAX_NAMES_LISTED),
        "n_dropped": n_dropped,
        "cards": [card for metric in chosen for card in cards_of(request, run, metric, state)],
        "has_charts": not state.is_table,
        "chart_url": base + state.as_table(False).query(),
        "table_url": base + state.as_table(True).query(),
        "clear_url": base,
    }
    answer = render_page(request, "runs/metrics.html", context, part="runs/_metrics.html")
    if request.htmx:
        # The form's own address would carry every empty field. The first ones need no naming.
        shown = asked if not asked.names else state
        is_search = request.htmx.trigger_name == "find"
        header = "HX-Replace-Url" if is_search else "HX-Push-Url"
        answer[header] = base + shown.query().removesuffix("?")
    return answer


def chosen_metrics(run: Run, state: ChartState) -> tuple[list[Metric], int]:
    """The ticked metrics by name, the first few when none is ticked; how many were too many."""
    if not state.names:
        # Curves first: a loss says more at a glance than a table.
        is_line = Case(When(kind=Kind.SCALAR, then=0), default=1)
        return list(metrics_of(run).order_by(is_line, "name")[:N_FIRST]), 0
    chosen = list(metrics_of(run).filter(name__in=state.names[:MAX_CHARTS]))
    return chosen, max(0, len(state.names) - MAX_CHARTS)


def listed(run: Run, state: ChartState) -> tuple[list[Entry], int]:
    """Names that match the search, ticked ones that do not before them; how many match."""
    matching = metrics_of(run)
    if state.find:
        matching = matching.filter(name__icontains=state.find)
    found = list(matching[:MAX_NAMES_LISTED])
    n_found = len(found) if len(found) < MAX_NAMES_LISTED else matching.count()
    names = {metric.name for metric in found}
    missing = [name for name in state.names if name not in names]
    kept = list(metrics_of(run).filter(name__in=missing)) if missing else []
    entries = [
        Entry(metric.name, metric.get_kind_display(), hint_of(metric), metric.name in state.names)
        for metric in kept + found
    ]
    return entries, n_found


def hint_of(metric: Metric) -> str:
    """What stands beside a name: its last value, or the kind where that is no short word."""
    is_short = metric.kind in NUMERIC or metric.kind == Kind.TEXT
    return last_of(metric) if is_short else metric.get_kind_display()


def cards_of(request: Request, run: Run, metric: Metric, state: ChartState) -> list[Card]:
    """One card a metric; kinds with several charts get one for each."""
    address = [request.workspace.name, run.uid]
    named = urlencode({"m": metric.name})
    drawn = state.query(with_list=False).removeprefix("?")
    as_table = state.is_table or metric.kind in ONLY_TABLES
    variants = VARIANTS.get(metric.kind, (("", ""),))
    other = replace(state, raw=not state.raw) if metric.kind == Kind.CONFUSION_MATRIX else None
    return [
        Card(
            key=key_of(f"{variant}:{metric.name}" if variant else metric.name),
            name=metric.name,
            title=title,
            kind=metric.kind,
            label=label_of(metric),
            figure_url=f"{reverse('run-figure', args=address)}?{named}"
            + (f"&variant={variant}" if variant else "")
            + (f"&{drawn}" if drawn else ""),
            table_url=f"{reverse('run-metric-table', args=address)}?{named}",
            csv_url=f"{reverse('run-metric-csv', args=address)}?{named}",
            table=table_of(metric) if as_table else None,
            other_url=reverse("run-metrics", args=address) + other.query() if other else "",
        )
        for variant, title in (variants[:1] if as_table else variants)
    ]


def key_of(text: str) -> str:
    """A name as an id of an element."""
    return sha256(text.encode()).hexdigest()[:10]


@page
def figure(request: Request, uid: str) -> HttpResponseBase:
    """The figure of one metric as JSON; 204 while it is still the version the page has.

    `is_live` tells the page to ask again; the version changes with the last answer of a run too.
    """
    run, metric = find_metric(request, uid)
    version = f"{metric.n_points}-{'over' if run.is_terminal else 'live'}"
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
            "badge": chart.badge if chart.figure else "No numbers to draw: see the table.",
            "is_thinned": chart.is_thinned,
            "label": label_of(metric),
        }
    )


@page
def table(request: Request, uid: str) -> HttpResponse:
    """The table of one metric, for its place under the chart."""
    _, metric = find_metric(request, uid)
    key = key_of(metric.name)
    context = {"table": table_of(metric), "key": key, "name": metric.name}
    return render_parts(request, ["runs/_points.html"], context)


@page
def download(request: Request, uid: str) -> HttpResponseBase:
    """All points of one metric as CSV, written while it is sent."""
    run, metric = find_metric(request, uid)
    answer = StreamingHttpResponse(csv_of(metric), content_type="text/csv; charset=utf-8")
    name = f"{run.short_uid}-{slugify(metric.name) or 'metric'}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
