"""The tab Monitoring of a run: what its processes used of each machine, as charts or tables."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.text import slugify

from studio.metrics.curves import Axis
from studio.metrics.models import NUMERIC, Metric
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.chart_state import AXES, bound_of
from studio.web.machine_charts import begins_of, chart_of, csv_of, tables_of
from studio.web.machines import Host, Panel, hosts_of, label_of
from studio.web.metric_charts import FIRST_MOMENT, LAST_MOMENT
from studio.web.metric_tables import Table
from studio.web.render import render_page, render_parts, wants_part
from studio.web.run_detail import run_context
from studio.web.run_metrics import Card, key_of
from studio.web.typed import storable

# Each host has half a dozen charts, which are drawn at once.
MAX_HOSTS = 4
MAX_HOSTS_LISTED = 100
MAX_METRICS = 5_000
MAX_PANELS = 24


@dataclass(frozen=True, slots=True)
class MonitoringState:
    """What a reader chose; the address is the state. hosts: none means the first few."""

    hosts: tuple[str, ...] = ()
    x: Axis = "time"
    is_table: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> "MonitoringState":
        """The state of a query string; what cannot be read is left at its default."""
        return cls(
            hosts=tuple(dict.fromkeys(query.getlist("host")))[:MAX_HOSTS],
            x="relative" if query.get("x") == "relative" else "time",
            is_table=query.get("as") == "table",
        )

    def query(self) -> str:
        """The query string, "?" included, defaults left out."""
        pairs = [("host", name) for name in self.hosts]
        pairs += [("x", self.x)] if self.x != "time" else []
        pairs += [("as", "table")] if self.is_table else []
        return f"?{urlencode(pairs)}" if pairs else "?"


@dataclass(frozen=True, slots=True)
class Shown:
    """A host on the page, its first and its last sample, its cards; n_left_out: charts too many."""

    host: Host
    began_at: datetime | None
    ended_at: datetime | None
    cards: list[Card]
    n_left_out: int

    @property
    def seconds(self) -> float | None:
        ends = self.began_at, self.ended_at
        return (ends[1] - ends[0]).total_seconds() if ends[0] and ends[1] else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A host to tick: `url` shows it too, or no longer."""

    title: str
    url: str
    is_on: bool


def machine_metrics(run: Run, host: str = "") -> list[Host]:
    """The hosts of the run with their charts (1 query)."""
    found = Metric.objects.of_machines(host).filter(run=run, kind__in=NUMERIC)
    return hosts_of(found.order_by("name")[:MAX_METRICS])


@page
def monitoring(request: Request, uid: str) -> HttpResponse:
    """A section for each host; 204 for a page that asks whether there are other charts by now."""
    run = find_run(request, uid)
    state = MonitoringState.of(request.GET)
    hosts = machine_metrics(run)
    shown = [host for host in hosts if host.name in state.hosts] or hosts[:MAX_HOSTS]
    version = f"{_version(hosts, shown)}-{'over' if run.is_terminal else 'live'}"
    if wants_part(request) and request.GET.get("v") == version:
        return HttpResponse(status=204)
    base = reverse("run-monitoring", args=[request.workspace.name, run.uid])
    context = {
        **run_context(request, run, tab="monitoring"),
        "state": state,
        "axes": [
            (AXES[x], base + replace(state, x=x).query(), x == state.x)
            for x in ("time", "relative")
        ],
        "chart_url": base + replace(state, is_table=False).query(),
        "table_url": base + replace(state, is_table=True).query(),
        "shown": _shown(request, run, shown, state),
        "n_hosts": len(hosts),
        "choices": _choices(base, hosts, shown, state),
        "n_unlisted": max(0, len(hosts) - MAX_HOSTS_LISTED),
        "missing": [name for name in state.hosts if name not in {host.name for host in hosts}],
        "live_url": _live_url(base, state, version, run),
        "is_submitted": run.job_id is not None,
        "every_s": settings.MONITOR_S,
    }
    return render_page(request, "runs/monitoring.html", context, part="runs/_monitoring.html")


def _version(hosts: list[Host], shown: list[Host]) -> str:
    """Changes with the hosts there are and the charts that are drawn, not with their points."""
    text = repr(([host.name for host in hosts], [(h.name, list(h.panels)) for h in shown]))
    return sha256(text.encode()).hexdigest()[:12]


def _live_url(base: str, state: MonitoringState, version: str, run: Run) -> str:
    """Where the page asks for news; "" when there can be none."""
    query = state.query()
    return "" if run.is_terminal else f"{base}{query}{'&' if query != '?' else ''}v={version}"


def _choices(
    base: str, hosts: list[Host], shown: list[Host], state: MonitoringState
) -> list[Choice]:
    """The hosts to tick, where there are too many for one page."""
    if len(hosts) <= MAX_HOSTS:
        return []
    on = tuple(host.name for host in shown)
    choices = []
    for host in hosts[:MAX_HOSTS_LISTED]:
        is_on = host.name in on
        names = tuple(n for n in on if n != host.name) if is_on else (*on, host.name)
        # A full page gives up the first of its hosts for another one.
        url = base + replace(state, hosts=names[-MAX_HOSTS:]).query()
        choices.append(Choice(host.title, url, is_on))
    return choices


def _shown(request: Request, run: Run, hosts: list[Host], state: MonitoringState) -> list[Shown]:
    """The sections of the page (1 query, and 1 more for tables)."""
    begins = begins_of(hosts)
    drawn = {host.name: list(host.panels.values())[:MAX_PANELS] for host in hosts}
    panels = [panel for some in drawn.values() for panel in some]
    tables = iter(tables_of(panels) if state.is_table else [None] * len(panels))
    return [
        Shown(
            host,
            _moment(begins.get(host.name)),
            _moment(host.ended_at or None),
            [_card(request, run, host, panel, next(tables), state) for panel in drawn[host.name]],
            len(host.panels) - len(drawn[host.name]),
        )
        for host in hosts
    ]


def _moment(at_s: float | None) -> datetime | None:
    if at_s is None:
        return None
    return datetime.fromtimestamp(min(max(at_s, FIRST_MOMENT), LAST_MOMENT), UTC)


def _card(
    request: Request, run: Run, host: Host, panel: Panel, table: Table | None, state: Any
) -> Card:
    address = [request.workspace.name, run.uid]
    named = urlencode([("host", host.name), ("panel", panel.key)])
    axis = "" if state.x == "time" else f"&x={state.x}"
    return Card(
        key=_key(host, panel),
        name=panel.title,
        title=panel.scale[0],
        kind="",
        label=label_of(host, panel),
        figure_url=f"{reverse('run-monitoring-figure', args=address)}?{named}{axis}",
        table_url=f"{reverse('run-monitoring-table', args=address)}?{named}",
        csv_url=f"{reverse('run-monitoring-csv', args=address)}?{named}",
        table=table,
        said=f"{panel.title} of {host.title}",
    )


def _key(host: Host, panel: Panel) -> str:
    return key_of(f"{host.name}/{panel.key}")


def find_panel(request: Request, uid: str) -> tuple[Run, Host, Panel]:
    """The run and its chart named by `?host=` and `?panel=`, else 404 (2 queries)."""
    run = find_run(request, uid)
    name, key = storable(request.GET.get("host", "")), request.GET.get("panel", "")
    host = next((host for host in machine_metrics(run, name) if host.name == name), None)
    panel = host.panels.get(key) if host else None
    if host is None or panel is None:
        raise Http404(f"The run has no samples “{key[:80]}” of a host “{name[:80]}”.")
    return run, host, panel


@page
def figure(request: Request, uid: str) -> HttpResponseBase:
    """One chart as JSON; 204 while it is still the version the page has (see `run_metrics`)."""
    run, host, panel = find_panel(request, uid)
    version = f"{panel.version}-{'over' if run.is_terminal else 'live'}"
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    bounds = (bound_of(request.GET.get("from", "")), bound_of(request.GET.get("to", "")))
    chart = chart_of(run, panel, MonitoringState.of(request.GET).x, bounds)
    return JsonResponse(
        {
            **(chart.figure or {}),
            "version": version,
            "is_live": not run.is_terminal,
            "badge": chart.badge,
            "is_thinned": chart.is_thinned,
            "label": label_of(host, panel),
        }
    )


@page
def table(request: Request, uid: str) -> HttpResponse:
    """The table of one chart, for its place under it."""
    _, host, panel = find_panel(request, uid)
    context = {
        "table": tables_of([panel])[0],
        "key": _key(host, panel),
        "name": f"{panel.title} of {host.title}",
    }
    return render_parts(request, ["runs/_points.html"], context)


@page
def download(request: Request, uid: str) -> HttpResponseBase:
    """All samples of one chart as CSV, written while it is sent."""
    run, host, panel = find_panel(request, uid)
    answer = StreamingHttpResponse(csv_of(panel), content_type="text/csv; charset=utf-8")
    name = slugify(f"{host.name} {panel.title}") or "samples"
    answer["Content-Disposition"] = f'attachment; filename="{run.short_uid}-{name}.csv"'
    return answer
