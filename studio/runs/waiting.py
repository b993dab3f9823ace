"""What a queued run waits for, in words: steps, a disabled target, a worker, its turn.

Read with the run's own row: its page asks every second.
"""

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, When

from studio.compute.models import Job, Target, Worker
from studio.runs.dependencies import waits_for
from studio.runs.models import Dependency, Run
from studio.runs.status import Status

# As many are counted; "more than" is said of the rest.
MOST_BEFORE = 1_000
MOST_NAMED = 3
SIGNS = ("queue_open", "queue_serving", "queue_draining", "queue_before", "queue_unmet")


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a run is still Queued. `reason`: "steps", "disabled", "no worker", "draining" or "turn";
    `steps`: those it depends on that are not Completed; `n_before`: the runs that its target begins
    first, at most MOST_BEFORE + 1, None while it waits for steps."""

    reason: str
    words: str
    steps: tuple[Run, ...] = ()
    n_before: int | None = None


class _CountOf(Subquery):
    """How many rows a query has that may be cut."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = models.IntegerField()


def with_waiting(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The same runs, each with what `wait_of` reads (no query more; next to nothing for a run that
    is not queued). For a few runs: each counts those before it."""
    live = Worker.objects.live().filter(target=OuterRef("target")).order_by()
    before = Job.objects.waiting().filter(target=OuterRef("target"), pk__lt=OuterRef("job"))
    before = before.filter(~Dependency.objects.unmet().of_job()).order_by()
    unmet = Dependency.objects.filter(run=OuterRef("pk")).unmet().order_by()
    return runs.annotate(
        queue_open=_of_queued(F("target__is_enabled"), models.BooleanField()),
        queue_serving=_of_queued(_counted(live.filter(drain_asked_at=None))),
        queue_draining=_of_queued(_counted(live.exclude(drain_asked_at=None))),
        queue_before=_of_queued(_counted(before[: MOST_BEFORE + 1])),
        queue_unmet=_of_queued(_counted(unmet)),
    )


def _counted(rows: QuerySet[Any]) -> _CountOf:
    return _CountOf(rows.values("pk"))


def _of_queued(value: Any, field: "models.Field[Any, Any] | None" = None) -> Case:
    queued = Q(status=Status.QUEUED, job__isnull=False)
    return Case(When(queued, then=value), default=None, output_field=field or models.IntegerField())


def wait_signs(run: Run) -> tuple[Any, ...]:
    """Differs when `wait_of` would; `run` comes from `with_waiting`."""
    return tuple(vars(run)[sign] for sign in SIGNS)


def wait_of(run: Run) -> Wait | None:
    """What a queued run waits for; None for others, and for those that no worker is to start
    (1 query for a step, and 1 for a run that does not come from `with_waiting`)."""
    if run.status != Status.QUEUED or run.job_id is None or run.target is None:
        return None
    if any(sign not in vars(run) for sign in SIGNS):
        known = with_waiting(Run.objects.filter(pk=run.pk)).first()
        if known is None or known.status != Status.QUEUED:
            return None
        vars(run).update(zip(SIGNS, wait_signs(known), strict=True))
    is_open, n_serving, n_draining, n_before, n_unmet = wait_signs(run)
    if n_unmet:
        steps = waits_for(run)
        return Wait("steps", _step_words(steps), tuple(steps))
    reason, words = _why(run.target, is_open, n_serving, n_draining, n_before)
    return Wait(reason, words, n_before=n_before)


def _why(
    target: Target, is_open: bool, n_serving: int, n_draining: int, n_before: int
) -> tuple[str, str]:
    name = target.name
    if not is_open:
        return "disabled", f"The target “{name}” is disabled: it begins no run"
    if not n_serving and n_draining:
        return "draining", f"Every worker of “{name}” is draining: none takes a run"
    if not n_serving:
        return "no worker", f"No worker serves “{name}”"
    return "turn", before_words(n_before)


def before_words(n: int) -> str:
    if n == 0:
        return "It is next"
    if n > MOST_BEFORE:
        return f"More than {MOST_BEFORE:,} runs before it"
    return f"{n:,} run{'' if n == 1 else 's'} before it"


def _step_words(steps: list[Run]) -> str:
    named = [f"“{step.display_name}”" for step in steps[:MOST_NAMED]]
    more = len(steps) - len(named)
    if more:
        named.append(f"{more:,} more")
    last = named.pop() if len(named) > 1 else ""
    listed = ", ".join(named) + (f" and {last}" if last else "")
    return f"Waits for step{'' if len(steps) == 1 else 's'} {listed}"
