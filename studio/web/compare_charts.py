"""Charts below the table of a comparison, loaded when a reader comes near them."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django_htmx.http import push_url

from studio.custom_views.charts import ChartSpec, fitting, print_charts
from studio.custom_views.stored import long_words
from studio.runs.models import Run
from studio.search.columns import Column
from studio.search.comparing import Common, common_metrics
from studio.search.scanner import MAX_CHARACTERS
from studio.web.access import Request
from studio.web.compare_state import Comparison
from studio.web.compared_runs import compared_runs
from studio.web.frame import frame
from studio.web.render import render_parts, wants_part
from studio.web.run_charts import chart_context

# So many of the common metrics are drawn until somebody chooses.
MAX_USUAL = 6
SECTION = "compare-charts"


def wants_charts(request: Request) -> bool:
    return wants_part(request) and request.htmx.target == SECTION


def charts_part(request: Request, asked: Comparison) -> HttpResponse:
    """The charts alone (those of `asked`), and the page's address with them.

    What else the page shows is read from its own address: the table may have changed since the
    link was made.
    """
    page = Comparison.from_query(QueryDict(urlsplit(request.htmx.current_url or "").query).dict())
    state = replace(page, charts=asked.charts) if page.chosen else asked
    context = {**frame(request, active="runs"), **charts_context(request, state)}
    answer = render_parts(request, ["compare/_charts.html"], context)
    if state.charts == page.charts:
        return answer
    here = reverse("run-compare", args=[request.workspace.name])
    return push_url(answer, here + state.to_query())


def charts_context(request: Request, state: Comparison) -> dict[str, Any]:
    """What `compare/_charts.html` shows (2 queries)."""
    runs = list(Run.objects.of(request.workspace).filter(uid__in=state.chosen).only("pk"))
    common = common_metrics(runs)
    text = state.charts or print_charts(usual_charts(common))
    here = reverse("run-compare", args=[request.workspace.name])
    drawn = fitting(text, MAX_CHARACTERS)
    return {
        **chart_context(compared_runs(request, state, drawn), request.workspace.name),
        "charts_told": long_words("charts", text),
        "n_common": len(common),
        "n_usual": min(MAX_USUAL, len(common)),
        "is_usual": not state.charts,
        "usual_url": here + state.with_charts("").to_query(),
        "charts_target": f"#{SECTION}",
    }


def usual_charts(common: list[Common]) -> list[ChartSpec]:
    """A line chart of each metric, bars for one that is a single value; those of most runs first,
    and lines before bars."""
    first = sorted(common, key=lambda one: (not one.is_line, -one.n_runs))[:MAX_USUAL]
    width = 1 if len(first) > 1 else 2
    return [
        ChartSpec("line" if one.is_line else "bar", y=(Column("metric", one.name),), width=width)
        for one in first
    ]
