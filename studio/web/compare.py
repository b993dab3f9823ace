"""Runs side by side: the table, its files, and what changed between the sources of two runs."""

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import push_url

from studio.artifacts import differences
from studio.artifacts.serving import disposition, inert
from studio.bulk.selection import matching
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.search.comparing import (
    MOST_RUNS,
    SECTIONS,
    STATS,
    compare,
    runs_to_compare,
    texts_of,
)
from studio.search.errors import SearchSyntaxError
from studio.web.access import Request, action, page
from studio.web.bulk_asked import asked_of, back_url
from studio.web.compare_charts import charts_context, charts_part, wants_charts
from studio.web.compare_rows import heads_of, shown_sections
from studio.web.compare_state import Comparison
from studio.web.compare_text import as_csv, as_markdown
from studio.web.frame import frame
from studio.web.render import done, render_page, wants_part

# With more runs than this a text of several lines would make the rows too high.
MOST_ROOMY = 4
MAX_FILES_SHOWN = 500
FORMATS = {"md": "text/markdown; charset=utf-8", "csv": "text/csv; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Link:
    """A choice of the toolbar."""

    label: str
    url: str
    is_on: bool


@page
def compare_runs(request: Request) -> HttpResponse:
    """The page; also for ids that are none, too many or too few, which it tells.

    `make`: what a button of a column changes; the answer is at the address it makes."""
    here = reverse("run-compare", args=[request.workspace.name])
    asked = Comparison.from_query(request.GET)
    if "make" in request.GET:
        asked = asked.changed(request.GET["make"])
        if len(asked.chosen) < 2:
            # The whole page: nothing is left for its tools to work on.
            return done(request, here + asked.to_query())
        if not wants_part(request):
            return redirect(here + asked.to_query())
    if wants_charts(request):
        return charts_part(request, asked)
    runs = runs_to_compare(request.workspace, asked.chosen)
    state = asked.of(run.uid for run in runs)
    table = reverse("run-compare-table", args=[request.workspace.name])
    context: dict[str, Any] = {
        **frame(request, active="runs"),
        "state": state,
        "here": here,
        "runs": runs,
        "notes": notes(asked, len(runs)),
        "hidden": state.parameters(),
        "stats": [
            Link(stat, here + state.with_stat(stat).to_query(), stat == state.stat)
            for stat in STATS
        ],
        "only_url": here + state.with_everything(not state.everything).to_query(),
        "file_urls": {kind: table + state.to_query(format=kind) for kind in FORMATS},
        "run_list_url": reverse("run-list", args=[request.workspace.name]) + chosen_query(state),
        "add_url": reverse("run-compare-add", args=[request.workspace.name]) + state.to_query(),
        "charts_url": here + state.to_query(),
    }
    if len(runs) > 1:
        context |= table_context(state, runs)
    if len(runs) == 2:
        context |= two_runs_context(request, runs)
    also = ["compare/_head.html", "compare/_toolbar.html"]
    if "drawn" in request.GET:
        # Charts are shown already, and other runs may be compared now.
        context |= charts_context(request, state)
        also.append("compare/_charts.html")
    answer = render_page(
        request, "compare/page.html", context, part="compare/_results.html", also=also
    )
    return push_url(answer, here + state.to_query()) if "make" in request.GET else answer


def chosen_query(state: Comparison) -> str:
    """The list's own parameter, so that it shows the runs ticked."""
    return Comparison(chosen=state.chosen).to_query()


def notes(asked: Comparison, n_found: int) -> list[str]:
    """What the reader must know: runs that were left out."""
    said = []
    if asked.n_asked > MOST_RUNS:
        said.append(
            f"{asked.n_asked:,} runs are chosen. The first {MOST_RUNS} are compared: more do not "
            "fit side by side."
        )
    n_gone = min(asked.n_asked, MOST_RUNS) - n_found
    if n_gone > 0:
        which = "One of the chosen runs is" if n_gone == 1 else f"{n_gone} of the chosen runs are"
        said.append(f"{which} not in this workspace, or deleted.")
    return said


def table_context(state: Comparison, runs: list[Run]) -> dict[str, Any]:
    """heads: see Head; sections: see ShownSection (10 queries)."""
    return {
        "heads": heads_of(state, runs),
        "sections": shown_sections(state, compare(runs, state.asked)),
        "is_roomy": len(runs) <= MOST_ROOMY,
        "unfind": state.with_find(""),
    }


def two_runs_context(request: Request, runs: list[Run]) -> dict[str, Any]:
    """What is shown of two runs below their table: description (None: alike), and the files of
    their sources (None: a run has none): see differences (2 queries)."""
    before, after = runs
    texts = texts_of(runs)
    old, new = texts.get(before.pk, ""), texts.get(after.pk, "")
    sources = differences.snapshots_of(request.workspace, [before.snapshot, after.snapshot])
    was, now = sources.get(before.snapshot), sources.get(after.snapshot)
    files = None if was is None or now is None else differences.changed_files(was, now)
    return {
        "description": differences.difference(old, new) if old != new else None,
        "files": None if files is None else files[:MAX_FILES_SHOWN],
        "n_files": len(files or ()),
        "without_source": [run for run, source in ((before, was), (after, now)) if source is None],
    }


@action
def compare_chosen(request: Request) -> HttpResponse:
    """From the form of a list, whose ids no link knows, on to the page (stores nothing)."""
    workspace = request.workspace
    try:
        selection = asked_of(request).selection
        uids = selection.uids
        if uids is None:
            found = matching(selection, workspace, user=request.user).newest()
            uids = tuple(found.values_list("uid", flat=True)[: MOST_RUNS + 1])
        if len(uids) > MOST_RUNS:
            raise Invalid("selection", f"More than {MOST_RUNS} runs do not fit side by side.")
    except (Invalid, SearchSyntaxError) as wrong:
        messages.error(request, str(wrong))
        return done(request, back_url(request) or reverse("run-list", args=[workspace.name]))
    here = reverse("run-compare", args=[workspace.name])
    return done(request, here + Comparison(chosen=uids).to_query())


@page
def compare_table(request: Request) -> HttpResponse:
    """The table as a file (`format`: md or csv), all rows that there is room for; folded sections
    are left out."""
    kind = request.GET.get("format", "md")
    if kind not in FORMATS:
        told = f"There is no such format. There are: {', '.join(FORMATS)}.\n"
        return HttpResponse(told, status=422, content_type="text/plain; charset=utf-8")
    asked = Comparison.from_query(request.GET)
    runs = runs_to_compare(request.workspace, asked.chosen)
    state = replace(asked.of(run.uid for run in runs), whole=tuple(SECTIONS))
    sections = shown_sections(state, compare(runs, state.asked))
    write = as_markdown if kind == "md" else as_csv
    text = write(runs, sections, base=state.base)
    answer = HttpResponse(text.encode("utf-8", "replace"))
    name = f"comparison-{request.workspace.name}-{timezone.now():%Y-%m-%d}.{kind}"
    answer["Content-Disposition"] = disposition(name)
    inert(answer, kind=FORMATS[kind])
    return answer


@page
def compare_file(request: Request) -> HttpResponse:
    """One file of the sources of two runs, line by line."""
    uids, path = (request.GET.get("a", ""), request.GET.get("b", "")), request.GET.get("path", "")
    found = {run.uid: run for run in runs_to_compare(request.workspace, uids)}
    if not all(uid in found for uid in uids):
        raise Http404("One of the two runs is not in this workspace, or deleted.")
    runs = [found[uid] for uid in uids]
    sources = differences.snapshots_of(request.workspace, [run.snapshot for run in runs])
    was, now = (sources.get(run.snapshot) for run in runs)
    if not differences.has_file(was, path) and not differences.has_file(now, path):
        raise Http404(f"Neither run has a file “{path[:200]}” in its source.")
    old, new = differences.text_of(was, path), differences.text_of(now, path)
    why_not = old.why_not or new.why_not
    context = {
        **frame(request, active="runs"),
        "runs": runs,
        "path": path,
        "why_not": why_not,
        "difference": None if why_not else differences.difference(old.text, new.text),
        "has_file": [differences.has_file(was, path), differences.has_file(now, path)],
        "back_url": reverse("run-compare", args=[request.workspace.name])
        + Comparison(chosen=uids).to_query(),
    }
    return render_page(request, "compare/file.html", context)
