"""What tells that the head of a run's page is out of date, read with the run's own row.

A page asks every second while its run goes on: the usual answer, nothing new, must cost one query.
"""

import zlib

from django.db.models import Aggregate, Count, Exists, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from studio.artifacts.models import Snapshot
from studio.runs.models import Run, RunEvent
from studio.runs.waiting import wait_signs, with_waiting
from studio.web.run_ladder import changes_by_itself


def signed(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The same runs, each with what `version_of` needs (no query more)."""
    tagged = RunEvent.objects.filter(run=OuterRef("pk"), kind="tags").order_by("-id")
    return with_waiting(runs).annotate(
        last_tags_event=Subquery(tagged.values("pk")[:1]),
        n_below=_of_children(Count("pk")),
        below_changed_at=_of_children(Max("status_at")),
        read_at=Now(),
    )


def sourced(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The same runs, each with whether its source is still stored (no query more)."""
    stored = Snapshot.objects.filter(
        workspace=OuterRef("workspace"), digest=OuterRef("job__snapshot")
    )
    return runs.annotate(has_source=Exists(stored))


def _of_children(what: Aggregate) -> Subquery:
    below = Run.objects.filter(parent=OuterRef("pk"), deleted_at=None).order_by()
    return Subquery(below.values("parent").annotate(sign=what).values("sign"))


def version_of(run: Run) -> str:
    """Differs when anything changed that the head of the page shows; `run` comes from `signed`."""
    signs = vars(run)
    shown = [run.status_at, run.status_reason, run.display_name, signs["last_tags_event"]]
    shown += [run.archived_at, signs["n_below"], signs["below_changed_at"], *wait_signs(run)]
    shown += changes_by_itself(run)
    if run.job is not None:
        job = run.job
        shown += [job.cancel_step, job.cancel_step_at, job.kill_requested_at, job.grace_s]
    return str(zlib.crc32("\n".join(map(str, shown)).encode("utf-8", "replace")))
