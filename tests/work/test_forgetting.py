"""Records that nobody asks for any more go after RECORD_DAYS; what is open or young stays."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from studio.bulk.tasks import sweep
from studio.metrics.models import Batch
from studio.runs import actions
from studio.runs.models import Run, RunEvent
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.api.calls import batch

pytestmark = [pytest.mark.data, pytest.mark.django_db]


@pytest.fixture
def long_ago() -> Any:
    return timezone.now() - timedelta(days=settings.RECORD_DAYS, minutes=1)


def tagged(api: Any, run: Any) -> Work:
    """A work that set a tag of the run, done."""
    asked = {"action": "tags", "selection": {"uids": [run.uid]}, "arguments": {"set": {"a": "b"}}}
    work = Work.objects.get(uid=api.post("/bulk", asked).json()["id"])
    run_work(work.pk)
    return work


def test_ended_work_goes_and_the_histories_of_the_runs_stay(
    api: Any, run: Any, long_ago: Any
) -> None:
    old, young = tagged(api, run), tagged(api, run)
    Work.objects.filter(pk=old.pk).update(created_at=long_ago, ended_at=long_ago)

    sweep()

    assert list(Work.objects.all()) == [young]
    assert RunEvent.objects.filter(run=run, kind="tags", work=old.uid).exists()


@pytest.mark.parametrize("state", [State.WAITING, State.RUNNING])
def test_open_work_stays_however_old(api: Any, run: Any, long_ago: Any, state: State) -> None:
    work = tagged(api, run)
    Work.objects.update(state=state, created_at=long_ago, ended_at=None, beat_at=long_ago)

    sweep()

    assert list(Work.objects.all()) == [work]


def test_batches_are_known_again_as_long_as_their_run_may_send_once_more(
    api: Any, experiment: Any, people: Any, long_ago: Any
) -> None:
    ended, just_ended, going = (make.run(experiment) for _ in range(3))
    sent = {run.uid: batch(1.0, 2.0) for run in (ended, just_ended, going)}
    for uid, message in sent.items():
        assert api.post(f"/runs/{uid}/batches", message).status_code < 300
    for run in (ended, just_ended):
        actions.complete_run(run, by=make.actor(people.bob))
    Run.objects.filter(pk=ended.pk).update(ended_at=long_ago)
    Batch.objects.update(at=long_ago)

    sweep()

    assert set(Batch.objects.values_list("run", flat=True)) == {just_ended.pk, going.pk}
    again = api.post(f"/runs/{going.uid}/batches", sent[going.uid])
    assert again.json()["duplicate"] is True


def test_young_batches_of_a_run_that_ended_stay(api: Any, run: Any, long_ago: Any) -> None:
    api.post(f"/runs/{run.uid}/batches", batch(1.0))
    Run.objects.filter(pk=run.pk).update(status="Completed", ended_at=long_ago)

    sweep()

    assert Batch.objects.count() == 1
