"""The steps of a cancel, from the interrupt to the kill: what is kept of them, and what it took in
words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from studio.compute.launcher import GuardStatus
from studio.execution.claims import Claim
from studio.runs.lifecycle import record_event
from studio.runs.models import Run, RunEvent

# The kind of the line of history of each step; its value is the step.
EVENT = "cancel_step"
SIGNALS = {"interrupting": "SIGINT", "terminating": "SIGTERM", "killing": "SIGKILL"}

# (step, when by the worker's clock as epoch seconds, seconds after the first step)
Step = tuple[str, float, float]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps taken, in order; `total_s`: from the first to the end of the last process, None
    while it lives; `kill_asked`: somebody skipped the rest of the grace period."""

    steps: tuple[Step, ...] = ()
    total_s: float | None = None
    kill_asked: bool = False


NO_LADDER = Ladder()


def ladder_of(status: GuardStatus | None, *, kill_asked: bool = False) -> Ladder:
    """The ladder that a guard reported; none when what it ended was only left over by a script that
    had ended by itself."""
    if status is None or status.reason is None:
        return NO_LADDER
    steps = tuple((str(step[0]), float(step[1]), float(step[2])) for step in status.steps)
    return Ladder(steps, status.ladder_s, kill_asked)


def what_it_took(ladder: Ladder) -> str:
    """ "Needed SIGTERM after 30 s"; "" when no step was taken."""
    if not ladder.steps:
        return ""
    step, _, after_s = ladder.steps[-1]
    if step == "interrupting":
        total = "" if ladder.total_s is None else f", within {seconds(ladder.total_s)}"
        return f"Ended when it was interrupted{total}"
    after = f" after {seconds(after_s)}" if len(ladder.steps) > 1 else " at once"
    if step == "killing" and ladder.kill_asked:
        return f"Killed{after}, as was asked for"
    return f"Needed {SIGNALS[step]}{after}"


def seconds(length_s: float) -> str:
    """ "0.4 s" and "30 s": a tenth matters only of a short time."""
    return f"{length_s:.1f} s" if length_s < 9.95 else f"{length_s:.0f} s"


def note_steps(claim: Claim, steps: Sequence[Step]) -> None:
    """Write a line of history for each step that has none yet, within a transaction (2 queries,
    and 1 for each line)."""
    # Whoever changes a run locks it first.
    Run.objects.select_for_update(of=("self",)).get(pk=claim.run.pk)
    told = set(RunEvent.objects.filter(run=claim.run, kind=EVENT).values_list("after", flat=True))
    for step, at_s, after_s in steps:
        if step in told or step not in SIGNALS:
            continue
        later = f", {seconds(after_s)} after the first" if after_s > 0.05 else ""
        record_event(
            claim.run,
            EVENT,
            by=claim.actor,
            after=step,
            message=f"{SIGNALS[step]} to every process of the run{later}",
            at=datetime.fromtimestamp(at_s, tz=UTC),
        )
