"""Many runs moved at once fare as each of them alone would have."""

from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.accounts.permissions import Actor
from studio.runs.lifecycle import InvalidTransition, transition, transition_many
from studio.runs.models import Run, RunEvent
from studio.runs.status import CANCELLABLE, TERMINAL, Status
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

BY = Actor.system("test")
STATES = st.tuples(st.sampled_from(list(Status)), st.booleans(), st.booleans())


def placed(experiment: Any, status: Status, has_begun: bool, is_asked: bool) -> Run:
    """A run put where the test wants it, past the machine (a test's privilege)."""
    run, now = make.run(experiment, start=False), timezone.now()
    Run.objects.filter(pk=run.pk).update(
        status=status,
        started_at=now if has_begun else None,
        ended_at=now if status in TERMINAL else None,
        cancel_requested_at=now if is_asked else None,
    )
    run.refresh_from_db()
    return run


def facts_of(run: Run) -> tuple[Any, ...]:
    """What a move writes, without the moments themselves."""
    run.refresh_from_db()
    events = RunEvent.objects.filter(run=run).order_by("pk")
    moments = (run.started_at, run.ended_at, run.last_beat_at, run.cancel_requested_at)
    return (
        run.status,
        run.status_reason,
        run.status_before_silence,
        run.exit_code,
        run.duration_s is not None and run.duration_s >= 0,
        [moment is not None for moment in moments],
        list(events.values_list("kind", "actor", "before", "after", "message")),
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    states=st.lists(STATES, min_size=1, max_size=6),
    to=st.sampled_from(list(Status)),
    only_from=st.sampled_from([None, CANCELLABLE]),
)
def test_many_fare_as_each_alone(
    experiment: Any, states: list[Any], to: Status, only_from: Any
) -> None:
    together = [placed(experiment, *state) for state in states]
    alone = [placed(experiment, *state) for state in states]
    said: dict[str, Any] = {"by": BY, "reason": "so", "only_from": only_from, "exit_code": 3}

    chosen = Run.objects.filter(pk__in=[run.pk for run in together])
    moved = transition_many(chosen, to, **said)
    moved_alone = []
    for run in alone:
        try:
            moved_alone.append(transition(run, to, **said))
        except InvalidTransition:
            continue

    assert [facts_of(run) for run in together] == [facts_of(run) for run in alone]
    assert [together.index(run) for run in moved] == [alone.index(run) for run in moved_alone]


def test_of_no_runs_none_is_moved() -> None:
    assert transition_many(Run.objects.none(), Status.CANCELED, by=BY) == []
