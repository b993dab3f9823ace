"""Background work: what is going on, what came of it, and what can be done about it."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import reswap, retarget, trigger_client_event

from studio.accounts.permissions import Permission
from studio.artifacts.uploads import CHECK, IMPORT
from studio.bulk.undoing import CannotUndo, can_undo, is_undone, start_undo
from studio.runs.models import Run
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.importing import can_import
from studio.web.render import done, render_page, render_parts
from studio.web.tray import tray_of
from studio.web.work_found import find_work
from studio.web.work_words import outcome
from studio.work.actions import AlreadyUnderWay, cancel_work
from studio.work.models import Work

PAGE_SIZE = 50
CHANGED = "studio:runs-changed"


@page
def work_list(request: Request) -> HttpResponse:
    """Newest first: one's own, or everybody's with all=1."""
    shows_all = request.GET.get("all") == "1"
    works = Work.objects.of(request.workspace).order_by("-pk")
    if not shows_all:
        works = works.of_person(request.user)
    after = request.GET.get("after", "")
    seen = Work.objects.of(request.workspace).filter(uid=after).first() if after else None
    if seen is not None:
        works = works.before(seen)
    found = list(works[: PAGE_SIZE + 1])
    here = reverse("work-list", args=[request.workspace.name])
    own = f"{here}?all=1" if shows_all else here
    has_more = len(found) > PAGE_SIZE
    sign = "&" if shows_all else "?"
    context = {
        **frame(request, active="work"),
        "rows": [(work, outcome(work)) for work in found[:PAGE_SIZE]],
        "shows_all": shows_all,
        "first_url": own if seen is not None else "",
        "older_url": f"{own}{sign}after={found[PAGE_SIZE - 1].uid}" if has_more else "",
        "size": PAGE_SIZE,
    }
    return render_page(request, "work/list.html", context, part="work/_results.html")


@page
def detail(request: Request, work: str) -> HttpResponse:
    context = work_context(request, find_work(request, work))
    return render_page(request, "work/detail.html", context)


@page
def progress(request: Request, work: str) -> HttpResponse:
    """The part that asks again every second, until the work is over."""
    context = work_context(request, find_work(request, work))
    return render_parts(request, ["work/_progress.html"], context)


@page
def tray(request: Request) -> HttpResponse:
    """The tray again; works that ended since are told as toasts, and lists of runs reload."""
    waited_for = request.GET.get("open", "").split(",")
    found = tray_of(request, waited_for=waited_for, without=request.GET.get("without", ""))
    context = {**frame(request, active=""), "tray": found}
    if not found.news:
        return render_parts(request, ["work/_tray.html"], context)
    answer = render_parts(request, ["work/_tray.html", "work/_news.html"], context)
    return trigger_client_event(answer, CHANGED)


@action
def cancel(request: Request, work: str) -> HttpResponse:
    """Stop after the piece under way."""
    found = cancel_work(find_work(request, work), by=request.actor)
    if not request.htmx:
        return done(request, reverse("work-detail", args=[request.workspace.name, found.uid]))
    if request.htmx.target == "work-progress":
        return render_parts(request, ["work/_progress.html"], work_context(request, found))
    context = {**frame(request, active=""), "tray": tray_of(request, waited_for=[found.uid])}
    return render_parts(request, ["work/_tray.html", "work/_news.html"], context)


@action
def undo(request: Request, work: str) -> HttpResponse:
    """Start putting back the tags it changed."""
    found = find_work(request, work)
    try:
        made = start_undo(found, by=request.actor)
    except (CannotUndo, AlreadyUnderWay) as refused:
        if request.htmx:
            toast = {"text": str(refused), "level": "error"}
            return trigger_client_event(HttpResponse(status=204), "studio:toast", toast)
        context = {**work_context(request, found), "error": str(refused)}
        return render_page(request, "work/detail.html", context, status=409)
    if not request.htmx:
        return done(request, reverse("work-detail", args=[request.workspace.name, made.uid]))
    context = {**frame(request, active=""), "tray": tray_of(request)}
    answer = render_parts(request, ["work/_tray.html"], context)
    return retarget(reswap(answer, "outerHTML"), "#work-tray")


def work_context(request: Request, work: Work) -> dict[str, Any]:
    """Everything `work/detail.html` shows (2 queries at most)."""
    uids = [problem["uid"] for problem in work.problems]
    named = Run.objects.of(request.workspace).filter(uid__in=uids) if uids else Run.objects.none()
    is_mine = work.actor_user_id == request.user.pk
    may_cancel = is_mine or Permission.CANCEL_ALL_WORK in request.permissions
    may_undo = Permission.EDIT_RUN in request.permissions and can_undo(work)
    return {
        **frame(request, active="work"),
        "tray": tray_of(request, without=work.uid),
        "work": work,
        "title": outcome(work),
        "elapsed_s": elapsed_s(work),
        "skipped": sorted(work.result.get("skipped", {}).items(), key=lambda item: -item[1]),
        "names": dict(named.values_list("uid", "display_name")),
        "may_cancel": may_cancel and work.is_open and work.cancel_requested_at is None,
        "may_undo": may_undo and not is_undone(work),
        "is_import": work.kind in (CHECK, IMPORT),
        "may_import": can_import(request, work),
        "error": "",
    }


def elapsed_s(work: Work) -> float | None:
    """For how long it was, or has been, at work."""
    if work.started_at is None:
        return None
    return ((work.ended_at or timezone.now()) - work.started_at).total_seconds()
