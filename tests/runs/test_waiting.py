"""What a queued run waits for, as its page and the API say it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from studio.compute.models import Job, Target, Worker
from studio.runs import actions, waiting
from studio.runs.models import Run
from studio.runs.waiting import wait_of, with_waiting
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]
SUBMIT = actions.Submission(target="local", snapshot="", script="train.py")


def queued(experiment: Any, **facts: Any) -> Run:
    made: Run = make.run(experiment, start=False, submit=SUBMIT, **facts)
    return made


def words(run: Run) -> str:
    found = wait_of(with_waiting(Run.objects.filter(pk=run.pk)).get())
    return found.words if found else ""


def serve(**facts: Any) -> Worker:
    local = Target.objects.get(name="local")
    return Worker.objects.create(node="n", host="h", pid=1, target=local, n_slots=1, **facts)


def test_it_waits_for_a_worker_for_its_turn_and_for_the_target(
    experiment: Any, people: Any, workspace: Any
) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.alice)
    runs = [queued(experiment), queued(make.experiment(other)), queued(experiment)]
    last = queued(experiment)
    assert words(last) == "No worker serves “local”"
    worker = serve()
    assert [words(run) for run in (runs[0], last)] == ["It is next", "3 runs before it"]
    actions.cancel_run(runs[0], by=make.actor(people.bob))
    Job.objects.filter(run=runs[1]).update(lease="x", claimed_at=timezone.now())
    assert words(last) == "1 run before it"
    Worker.objects.filter(pk=worker.pk).update(drain_asked_at=timezone.now())
    assert "draining" in words(last)
    Target.objects.update(is_enabled=False)
    assert words(last) == "The target “local” is disabled: it begins no run"
    assert wait_of(Run.objects.get(pk=runs[0].pk)) is None


def test_a_step_waits_for_others_and_stands_in_nobodys_way(experiment: Any) -> None:
    serve()
    parent = make.run(experiment)
    needed = [make.run(experiment, parent=parent, display_name=name) for name in "abcde"]
    step = queued(experiment, parent=parent, depends_on=[run.uid for run in needed])
    assert words(step) == "Waits for steps “a”, “b”, “c” and 2 more"
    assert words(queued(experiment)) == "It is next"
    for run in needed[1:]:
        actions.complete_run(run, by=make.actor(run.submitter))
    assert words(step) == "Waits for step “a”"
    actions.complete_run(needed[0], by=make.actor(run.submitter))
    assert words(step) == "It is next"


def test_a_long_queue_is_counted_to_its_limit(
    experiment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_BEFORE", 2)
    serve()
    runs = [queued(experiment) for _ in range(5)]
    assert words(runs[2]) == "2 runs before it"
    assert words(runs[4]) == "More than 2 runs before it"


def test_it_costs_no_query_more_with_the_run_and_one_without(experiment: Any) -> None:
    run = queued(experiment)
    known = with_waiting(Run.objects.select_related("target")).get(pk=run.pk)
    plain = Run.objects.select_related("target").get(pk=run.pk)
    for one, n in ((known, 0), (plain, 1)):
        with CaptureQueriesContext(connection) as seen:
            assert wait_of(one) is not None
        assert len(seen) == n


def test_the_api_says_it_of_one_run_and_not_in_lists(api: Any, experiment: Any) -> None:
    run = queued(experiment)
    found = api.get(f"/runs/{run.uid}").json()
    assert (found["waiting_for"], found["n_before"]) == ("No worker serves “local”", 0)
    (listed,) = api.get("/runs").json()["items"]
    assert "waiting_for" not in listed
    going = make.run(experiment)
    assert api.get(f"/runs/{going.uid}").json()["waiting_for"] is None
