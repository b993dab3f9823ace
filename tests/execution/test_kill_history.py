"""A kill is a line of the run's history, once, with who asked for it."""

from typing import Any

from django.utils import timezone

from studio.compute.models import Job
from studio.runs import actions
from studio.runs.models import Run, RunEvent
from tests import make


def test_a_kill_is_told_once_with_who_asked(queued: Run, people: Any) -> None:
    Job.objects.filter(run=queued).update(claimed_at=timezone.now(), lease="a" * 32)
    run = Run.objects.get(pk=queued.pk)

    for person in (people.alice, people.bob):
        actions.kill_run(run, by=make.actor(person))

    told = RunEvent.objects.filter(run=run, kind="kill")
    assert [(one.actor, one.message) for one in told] == [
        ("alice", "The rest of the grace period is skipped")
    ]
