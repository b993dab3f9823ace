"""The status machine: every move is one conditional UPDATE, every refusal changes nothing."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.accounts.permissions import Actor
from studio.runs.lifecycle import InvalidTransition, LeaseLost, beat, transition
from studio.runs.models import Run, RunEvent
from studio.runs.status import ACTIVE, ALLOWED, TERMINAL, Status, sources_of
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

SOMEBODY = Actor.system("test")


def put(run: Run, status: Status) -> Run:
    """Place a run in a status without passing through the machine (a test's privilege)."""
    from django.utils import timezone

    ended_at = timezone.now() if status in TERMINAL else None
    Run.objects.filter(pk=run.pk).update(status=status, ended_at=ended_at)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("source", list(Status))
@pytest.mark.parametrize("to", list(Status))
def test_exactly_the_allowed_moves_are_made(run: Run, source: Status, to: Status) -> None:
    put(run, source)
    n_before = RunEvent.objects.filter(run=run).count()
    if to in ALLOWED[source]:
        assert transition(run, to, by=SOMEBODY).status == to
        event = RunEvent.objects.filter(run=run).latest("id")
        assert (event.before, event.after) == (source, to)
    else:
        with pytest.raises(InvalidTransition) as refused:
            transition(run, to, by=SOMEBODY)
        assert source in str(refused.value)
        run.refresh_from_db()
        assert run.status == source
        assert RunEvent.objects.filter(run=run).count() == n_before


def test_no_path_leaves_a_terminal_status_but_the_explicit_mark() -> None:
    for status in TERMINAL:
        assert ALLOWED[status] == frozenset()
    assert Status.COMPLETED not in sources_of(Status.FAILED)
    assert Status.COMPLETED in sources_of(Status.FAILED, mark=True)
    assert Status.CANCELED not in sources_of(Status.FAILED, mark=True)


def test_every_active_status_can_end() -> None:
    def reach(status: Status) -> set[Status]:
        seen, todo = set(), [status]
        while todo:
            for to in ALLOWED[todo.pop()] - seen:
                seen.add(to)
                todo.append(to)
        return seen

    for status in ACTIVE:
        assert reach(status) >= TERMINAL


def test_a_terminal_move_sets_end_and_duration(run: Run) -> None:
    ended = transition(run, Status.COMPLETED, by=SOMEBODY)
    assert ended.ended_at is not None
    assert ended.duration_s is not None
    assert ended.duration_s >= 0


def test_a_write_with_a_lost_lease_changes_nothing(experiment: object, run: Run) -> None:
    from studio.compute.actions import ensure_local_target, queue_job

    job = queue_job(ensure_local_target(), argv=["x"], environment={}, snapshot="")
    type(job).objects.filter(pk=job.pk).update(lease="mine")
    Run.objects.filter(pk=run.pk).update(job=job)
    with pytest.raises(LeaseLost):
        transition(run, Status.COMPLETED, by=SOMEBODY, lease="theirs")
    run.refresh_from_db()
    assert run.status == Status.RUNNING
    assert transition(run, Status.COMPLETED, by=SOMEBODY, lease="mine").status == Status.COMPLETED


def test_a_silent_run_comes_back_to_what_it_was(run: Run) -> None:
    transition(run, Status.FINALIZING, by=SOMEBODY)
    silent = transition(run, Status.NOT_RESPONDING, by=SOMEBODY)
    assert beat(silent) == Status.FINALIZING


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(st.sampled_from(list(Status)), max_size=12))
def test_a_random_history_is_legal_and_ends_at_most_once(run: Run, moves: list[Status]) -> None:
    fresh = make.run(run.experiment)
    for to in moves:
        try:
            transition(fresh, to, by=SOMEBODY)
        except InvalidTransition:
            continue
    events = list(RunEvent.objects.filter(run=fresh, kind="status").order_by("id"))
    for earlier, later in itertools.pairwise(events):
        assert later.before == earlier.after
        assert later.after in ALLOWED[Status(later.before)]
    assert sum(event.after in TERMINAL for event in events) <= 1
