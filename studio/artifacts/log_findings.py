"""What searches of logs have found: a table that lists of runs filter by. See docs/adr/0031."""

import hashlib
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.artifacts.finding import first_hit
from studio.artifacts.models import MAIN_LOG, Artifact, LogFinding, LogSearch
from studio.artifacts.ripgrep import Pattern, checked
from studio.blobs import BlobNotFound
from studio.runs.models import Run

# Of the logs of one run; a longer look leaves the run without a finding.
LIMIT_S = 15.0
# As its size: what is not read to its end counts as written since.
UNREAD = -1
MAX_SEARCHES = 100
# Of one run, the main log first; more leave it as if more was written since.
MAX_LOGS = 50


def key_of(text: str) -> str:
    """What texts that differ in case alone have in common."""
    return hashlib.sha256(unicodedata.normalize("NFC", text).casefold().encode()).hexdigest()


def findings(workspace_ids: Sequence[int], text: str) -> QuerySet[LogFinding]:
    """What was found of a text in these workspaces, in no order."""
    return LogFinding.objects.filter(
        search__workspace__in=workspace_ids, search__key=key_of(text), line__isnull=False
    )


def begin(workspace: Workspace, texts: Iterable[str]) -> list[LogSearch]:
    """The searches of these texts, made where there are none; the oldest of more than MAX_SEARCHES
    leave. Raises WrongPattern."""
    made = []
    for text in texts:
        checked(Pattern(text))
        search, _ = LogSearch.objects.get_or_create(
            workspace=workspace, key=key_of(text), defaults={"text": text}
        )
        made.append(search)
    kept = LogSearch.objects.filter(workspace=workspace).order_by("-started_at")
    old = list(kept.exclude(pk__in=[one.pk for one in made]).values_list("pk", flat=True))
    LogSearch.objects.filter(pk__in=old[MAX_SEARCHES:]).delete()
    return made


def sizes_of(runs: Sequence[Run]) -> dict[int, int]:
    """run id -> bytes of its logs, 0 for none (1 query)."""
    rows = Artifact.objects.filter(run__in=runs, is_log=True).order_by().values("run")
    found = {row["run"]: row["n"] for row in rows.annotate(n=Coalesce(Sum("n_bytes"), 0))}
    return {run.pk: found.get(run.pk, 0) for run in runs}


def n_logs_of(runs: Sequence[Run]) -> dict[int, int]:
    """How many logs each run has (1 query); a run without any is left out."""
    logs = Artifact.objects.filter(run__in=runs, is_log=True).order_by()
    return dict(logs.values("run").annotate(n=Count("pk")).values_list("run", "n"))


def ask(searches: Sequence[int], sizes: dict[int, int]) -> None:
    """Note that the logs of these runs (id -> bytes now) are to be looked at; not again where a
    line was found, which stays, or where nothing was written since (2 queries a search)."""
    for search in searches:
        rows = LogFinding.objects.filter(search=search, run__in=sizes)
        known = {row.run_id: row for row in rows}
        again = [
            row.pk
            for row in known.values()
            if row.line is None and row.n_bytes != sizes[row.run_id]
        ]
        LogFinding.objects.filter(pk__in=again).update(is_pending=True)
        LogFinding.objects.bulk_create(
            [LogFinding(search_id=search, run_id=run) for run in sizes if run not in known],
            ignore_conflicts=True,
        )


def look(searches: Sequence[int], *, tick: Callable[[], None]) -> None:
    """Look at all that is asked for, each in a write of its own: reading takes long, and nobody
    should wait for the database meanwhile. May be repeated. `tick` is called before each run."""
    pending = LogFinding.objects.filter(search__in=searches, is_pending=True)
    for finding in pending.select_related("search").order_by("-run"):
        tick()
        logs = list(Artifact.objects.filter(run=finding.run_id, is_log=True).order_by("path"))
        logs.sort(key=lambda log: log.path != MAIN_LOG)
        finding.n_bytes, finding.is_pending = sum(log.n_bytes for log in logs), False
        if len(logs) > MAX_LOGS:
            finding.n_bytes = UNREAD
        until = time.monotonic() + LIMIT_S
        for log in logs[:MAX_LOGS]:
            left_s = until - time.monotonic()
            if left_s <= 0:
                finding.n_bytes = UNREAD
                break
            try:
                hit, is_whole = first_hit(log, Pattern(finding.search.text), limit_s=left_s)
            except BlobNotFound:
                # Replaced or purged meanwhile.
                hit, is_whole = None, False
            if not is_whole:
                finding.n_bytes = UNREAD
            if hit is not None:
                finding.path, finding.line = log.path, hit.line
                finding.parts = [list(part) for part in hit.parts]
                break
        # Not a save: the run may be purged meanwhile.
        LogFinding.objects.filter(pk=finding.pk).update(
            n_bytes=finding.n_bytes,
            is_pending=False,
            path=finding.path,
            line=finding.line,
            parts=finding.parts,
        )


def n_written_since(search: LogSearch, *, most: int) -> int:
    """In how many runs without a hit was more written since they were looked at; `most` at most."""
    quiet = LogFinding.objects.filter(search=search, line__isnull=True, is_pending=False)
    written = quiet.filter(run__artifacts__is_log=True).annotate(
        now=Sum("run__artifacts__n_bytes", filter=Q(run__artifacts__is_log=True))
    )
    return written.exclude(now=F("n_bytes")).order_by()[:most].count()


def forget_log_searches() -> int:
    """Delete searches that began more than RECORD_DAYS ago, with what they found; how many."""
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    gone = LogSearch.objects.filter(started_at__lt=limit)
    n = gone.count()
    gone.delete()
    return n
