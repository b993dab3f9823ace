"""A kill is a line of the run's history, once, with who asked for it."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
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


def test_a_kill_locks_the_run_before_its_job(queued: Run, people: Any) -> None:
    Job.objects.filter(run=queued).update(claimed_at=timezone.now(), lease="a" * 32)
    run = actions.cancel_run(queued, by=make.actor(people.alice))
    with CaptureQueriesContext(connection) as asked:
        actions.kill_run(run, by=make.actor(people.alice))
    texts = [query["sql"] for query in asked]
    kills = next(at for at, sql in enumerate(texts) if 'SET "kill_requested_at"' in sql)
    begins = max(at for at, sql in enumerate(texts[:kills]) if sql.startswith("SAVEPOINT"))
    assert 'FROM "runs_run"' in texts[begins + 1]
    if connection.features.has_select_for_update:
        assert "FOR UPDATE" in texts[begins + 1]
