"""The band over a list that filters by its logs: how far they are searched, what was found."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django_htmx.http import reswap, retarget, trigger_client_event

from studio.accounts.permissions import Permission
from studio.artifacts.log_findings import key_of, n_written_since
from studio.artifacts.models import LogFinding, LogSearch
from studio.artifacts.ripgrep import Pattern, WrongPattern, checked
from studio.bulk.log_searching import MAX_RUNS, n_without, start_log_search
from studio.runs.limits import Invalid
from studio.search.errors import SearchSyntaxError
from studio.search.log_terms import log_texts
from studio.search.tree import Node
from studio.web.access import Request, action, page
from studio.web.bulk_asked import asked_of, back_url, selection_of
from studio.web.frame import frame
from studio.web.render import done, render_parts
from studio.web.run_list_reading import listing_aside, listing_said
from studio.web.run_rows import Listing
from studio.web.tray import tray_of
from studio.work.models import Work

CHANGED = "studio:runs-changed"
# Beyond this the band says "1,000+".
COUNT_UP_TO = 1_000
MAX_LINES = 20
LIMITS = ("view", "experiment", "type")


@dataclass(frozen=True, slots=True)
class LogBand:
    """What the band says. `search`: None before the first one; work: while it goes on; n_new and
    n_written: runs it has not looked at, and that have written since; lines: the newest hits."""

    texts: tuple[str, ...]
    search: LogSearch | None = None
    work: Work | None = None
    n_matched: int = 0
    n_new: int = 0
    n_written: int = 0
    lines: tuple[LogFinding, ...] = ()
    wrong: str = ""


def log_search_context(request: Request, listing: Listing, node: Node | None) -> dict[str, Any]:
    """For `runs/_log_search.html`: log_band, None for a list that asks nothing of logs (then no
    query, else 6 and those of the other conditions); log_state_url, log_limits, log_list."""
    texts = log_texts(node)
    band = _band(request, listing, texts) if texts else None
    address = reverse("run-list-logs", args=[request.workspace.name])
    told = str(band.n_matched) if band else ""
    return {
        "log_band": band,
        "log_back": listing.base_url,
        "log_state_url": listing.without_ticks().aside(address, told=told) if band else "",
        "log_limits": listing.limits if band else {},
        "log_list": listing.state.to_query() if band else "",
        "max_searched": MAX_RUNS,
        "may_search_logs": Permission.START_WORK in request.permissions,
    }


def _band(request: Request, listing: Listing, texts: tuple[str, ...]) -> LogBand:
    try:
        for text in texts:
            checked(Pattern(text))
    except WrongPattern as wrong:
        return LogBand(texts, wrong=str(wrong))
    keys = [key_of(text) for text in texts]
    searches = list(LogSearch.objects.filter(workspace=request.workspace, key__in=keys))
    if len(searches) < len(set(keys)):
        return LogBand(texts)
    oldest = min(searches, key=lambda search: search.started_at)
    hits = LogFinding.objects.filter(search__in=searches, line__isnull=False)
    work = Work.objects.of(request.workspace).open().filter(uid=oldest.work_uid).first()
    lines = hits.filter(run__deleted_at=None).select_related("run", "search").order_by("-run")
    try:
        name = listing.experiment.name if listing.experiment else ""
        selection = selection_of(listing, experiment=name, type=listing.type)
        n_new = n_without(
            request.workspace, selection, oldest, by=request.actor, most=COUNT_UP_TO + 1
        )
    except (Invalid, SearchSyntaxError):
        n_new = 0
    return LogBand(
        texts,
        oldest,
        work,
        n_matched=hits.count(),
        n_new=n_new,
        n_written=0 if work else n_written_since(oldest, most=COUNT_UP_TO + 1),
        lines=tuple(lines[:MAX_LINES]),
    )


@page
def state(request: Request) -> HttpResponse:
    """The band again while a search goes on; the list reloads when more was found."""
    listing = listing_aside(request)
    context = {
        **frame(request, active="runs"),
        **log_search_context(request, listing, listing.state.node),
    }
    answer = render_parts(request, ["runs/_log_search.html"], context)
    band = context["log_band"]
    is_news = band and (str(band.n_matched) != request.GET.get("told", "") or band.work is None)
    return trigger_client_event(answer, CHANGED) if is_news else answer


@action
def start(request: Request) -> HttpResponse:
    """Search the logs of the list that the form was sent from."""
    try:
        asked = asked_of(request)
        start_log_search(request.workspace, asked.selection, by=request.actor)
    except (Invalid, SearchSyntaxError) as wrong:
        return _refused(request, str(wrong))
    where = back_url(request) or reverse("run-list", args=[request.workspace.name])
    if not request.htmx:
        return done(request, where)
    query = QueryDict(request.POST.get("list", "").removeprefix("?"), mutable=True)
    limits = {name: request.POST[name] for name in LIMITS if request.POST.get(name)}
    query.update(limits)
    listing = listing_said(request, query)
    context = {
        **frame(request, active="runs"),
        **log_search_context(request, listing, listing.state.node),
        "tray": tray_of(request),
    }
    return render_parts(request, ["runs/_log_search.html", "work/_tray.html"], context)


def _refused(request: Request, message: str) -> HttpResponse:
    context = {**frame(request, active="runs"), "log_band": LogBand((), wrong=message)}
    answer = render_parts(request, ["runs/_log_search.html"], context, status=422)
    return retarget(reswap(answer, "outerHTML"), "#runs-log_search")
