"""The tray: a person's own background work, on every page of the workspace."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.bulk.undoing import UNDO, can_undo
from studio.web.access import Request
from studio.web.work_words import doing, outcome
from studio.work.models import State, Work, on_the_mind

# So long after its end a work is told on the next page, should the person have left this one.
TOLD_FOR_S = 10.0
MOST = 5


@dataclass(frozen=True, slots=True)
class News:
    """The end of a work, as a toast."""

    text: str
    level: str
    url: str
    undo_url: str


@dataclass(frozen=True, slots=True)
class Tray:
    """Open works, newest first, each with its sentence (`n_more` others are only counted); those
    that just ended; where the page asks on, "" when nothing is open."""

    works: list[tuple[Work, str]]
    n_more: int
    news: list[News]
    url: str


def tray_of(request: Request, *, waited_for: Collection[str] = (), without: str = "") -> Tray:
    """The tray (1 query). waited_for: uids that were open when the page last asked; only of these
    an end is news, of all on a new page. without: the uid of a work that the page shows anyway."""
    room = request.workspace
    seconds = TOLD_FOR_S if not waited_for else 10 * TOLD_FOR_S
    found = on_the_mind(room, request.user, ended_within_s=seconds)
    undone = {work.arguments.get("of") for work in found if work.kind == UNDO}
    works = [work for work in found if work.is_open and work.uid != without]
    ended = [work for work in found if not work.is_open and work.uid != without]
    if waited_for:
        ended = [work for work in ended if work.uid in waited_for]
    for work in found:
        work.workspace = room
    news = [news_of(request, work, is_undone=work.uid in undone) for work in ended[:MOST]]
    shown = [(work, doing(work)) for work in works[:MOST]]
    return Tray(shown, max(0, len(works) - MOST), news, _url(request, works, without))


def news_of(request: Request, work: Work, *, is_undone: bool) -> News:
    """What came of a work that is over; with Undo where that is possible."""
    where = [request.workspace.name, work.uid]
    undoable = can_undo(work) and not is_undone and Permission.EDIT_RUN in request.permissions
    level = {State.DONE: "success", State.FAILED: "error"}.get(State(work.state), "info")
    if level == "success" and not work.n_done:
        level = "warning"
    undo_url = reverse("work-undo", args=where) if undoable else ""
    return News(outcome(work), level, reverse("work-detail", args=where), undo_url)


def _url(request: Request, works: list[Work], without: str) -> str:
    if not works:
        return ""
    query = {"open": ",".join(work.uid for work in works[:MOST]), "without": without}
    asked = urlencode({name: value for name, value in query.items() if value})
    return reverse("work-tray", args=[request.workspace.name]) + "?" + asked
