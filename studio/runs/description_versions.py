"""The versions of a description: the events of saving it, which hold each text and are never
deleted while its run or experiment is there.

Each save adds one to the stored version and one event, under a lock; so the number before the first
event never changes, and the n-th event is that number plus n.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from studio.runs.models import Experiment, ExperimentEvent, Run, RunEvent

SAVED, RESTORED = "description", "description_restored"
KINDS = (SAVED, RESTORED)
PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class Version:
    """One text, and the one it replaced. The one that a run or experiment came with, and no person
    saved, is_first; `note` says when an earlier one was brought back."""

    number: int
    text: str
    before: str
    actor: str
    at: datetime
    is_first: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions, the newest first; `below`: the number under which older ones are, or None."""

    versions: list[Version]
    newest: int
    below: int | None


@dataclass(frozen=True, slots=True)
class _Span:
    """`newest` is the stored version, `n` the events, `first` the number before all of them."""

    newest: int
    n: int
    made_by: str
    made_at: datetime

    @property
    def first(self) -> int:
        return self.newest - self.n


def versions_of(
    described: Run | Experiment, *, below: int | None = None, size: int = PAGE_SIZE
) -> VersionPage:
    """The `size` newest versions, or those under `below` (2 queries, one more for the text of a
    run that nobody saved)."""
    span = _span(described)
    end = span.n if below is None else min(max(below - span.first - 1, 0), span.n)
    start = max(0, end - size)
    events = list(_events(described)[start:end])
    found = [_saved(event, span.first + at) for at, event in enumerate(events, start + 1)]
    found.reverse()
    if start == 0 and (events or not span.n):
        made = _made(span, events[0].before if events else _stored_text(described))
        found += [made] if made.text else []
    return VersionPage(found, span.newest, found[-1].number if start else None)


def version_of(described: Run | Experiment, number: int) -> Version | None:
    """The version of that number, None when there is none (at most 3 queries)."""
    span = _span(described)
    if not span.first <= number <= span.newest:
        return None
    if number > span.first:
        return _saved(_events(described)[number - span.first - 1], number)
    made = _made(span, _events(described)[0].before if span.n else _stored_text(described))
    return made if made.text else None


def newest_version(described: Run | Experiment) -> int:
    """The number of the stored version, 0 for none (1 query)."""
    return _span(described).newest


def _events(described: Run | Experiment) -> QuerySet[Any]:
    """The saves, the oldest first: places in this order never change."""
    return described.events.filter(kind__in=KINDS).order_by("id")


def _span(described: Run | Experiment) -> _Span:
    """In one query: of two, a save in between would shift the numbers."""
    own: QuerySet[Any]
    if isinstance(described, Run):
        own, facts = Run.objects.all(), ("description_row__version", "submitter__username")
    else:
        own, facts = Experiment.objects.all(), ("description_version", "created_by__username")
    saves = Count("events", filter=Q(events__kind__in=KINDS))
    told = own.filter(pk=described.pk).values_list(*facts, "created_at").annotate(n=saves)
    newest, made_by, made_at, n = told.order_by().get()
    return _Span(newest or 0, n, made_by or "", made_at)


def _saved(event: RunEvent | ExperimentEvent, number: int) -> Version:
    note = "An earlier version brought back" if event.kind == RESTORED else ""
    return Version(
        number=number,
        text=str(event.after or ""),
        before=str(event.before or ""),
        actor=event.actor,
        at=event.at,
        # Only a run's events have words of their own.
        note=getattr(event, "message", "") or note,
    )


def _made(span: _Span, text: object) -> Version:
    return Version(span.first, str(text or ""), "", span.made_by, span.made_at, is_first=True)


def _stored_text(described: Run | Experiment) -> str:
    if isinstance(described, Experiment):
        return described.description
    row = getattr(described, "description_row", None)
    return row.text if row else ""
