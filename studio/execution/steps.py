"""Steps of a pipeline that can never start: one they depend on failed or was cancelled."""

import logging

from django.db import transaction

from studio.accounts.permissions import Actor
from studio.compute.actions import withdraw_job
from studio.compute.models import Job
from studio.runs.lifecycle import InvalidTransition, transition
from studio.runs.models import Dependency, Run
from studio.runs.status import Status

logger = logging.getLogger(__name__)

SCHEDULER = Actor.system("scheduler")
ONE_SWEEP = 500


def close_doomed() -> int:
    """Queued steps that depend on one that Failed or was Canceled become Canceled, saying which,
    and so do those that depend on them. Returns how many; safe on every worker at once.

    Queries: one for each level of the graph, and a few for each step closed.
    """
    n_closed = 0
    while found := _doomed():
        closed = sum(_close(run) for run in found)
        if not closed:
            break
        n_closed += closed
    return n_closed


def _doomed() -> list[Run]:
    jobs = Job.objects.waiting().filter(Dependency.objects.dooming().of_job()).order_by()
    waiting = Run.objects.filter(job__in=list(jobs.values_list("pk", flat=True)[:ONE_SWEEP]))
    return list(waiting.select_related("workspace", "job"))


def _close(run: Run) -> bool:
    broken = Dependency.objects.dooming().filter(run=run).select_related("needs").first()
    if broken is None or run.job is None:
        return False
    name, status = broken.needs.display_name, Status(broken.needs.status).label
    reason = f"Never started: it depends on “{name}”, which is {status}"
    with transaction.atomic():
        # Whoever changes a run and its job locks the run first.
        Run.objects.select_for_update(of=("self",), no_key=True).get(pk=run.pk)
        if not withdraw_job(run.job):
            return False
        try:
            transition(run, Status.CANCELED, by=SCHEDULER, reason=reason)
        except InvalidTransition as refused:
            logger.info("not closed run=%s because=%s", run.uid, refused)
            return False
    return True
