"""What the head of a run's page shows of a cancel while it goes on, and of a silence: the steps
done and to come, what follows when, and the line that stays when all is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from studio.compute.launcher import KILL_AFTER_S
from studio.compute.models import Job
from studio.execution.ladder import EVENT, SIGNALS
from studio.execution.silence import closed_unheard_at, given_up_at, heard_at, worker_lost_at
from studio.runs.models import Run, RunEvent
from studio.runs.status import Status
from studio.wire import BEAT_EVERY_S

MAY_LIVE = "Its process may live on"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step. `state`: "done" (`at`: when, None for nobody knows), "next" (`left_s`: in how many
    seconds, None for nobody knows) or "later"."""

    words: str
    state: str
    at: datetime | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stopping:
    """A cancel under way: its steps, and what happens now in words."""

    rungs: list[Rung]
    words: str


@dataclass(frozen=True, slots=True)
class Silence:
    """A run that does not respond: since when, and when it is given up: `at`, in `left_s`."""

    since: datetime
    at: datetime
    left_s: float


def now_of(run: Run) -> datetime:
    """The database's clock when `run` was read, if it comes from `run_signs.signed`."""
    found = vars(run).get("read_at")
    return found if isinstance(found, datetime) else timezone.now()


def left_s(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (at - now).total_seconds())


def is_stopping(run: Run) -> bool:
    """Whether a cancel is under way, heard or not."""
    if run.status == Status.CANCEL_REQUESTED:
        return True
    return run.status == Status.NOT_RESPONDING and run.cancel_requested_at is not None


def stopping_of(run: Run) -> Stopping | None:
    """The cancel under way; None when there is none (1 query of a run on a worker)."""
    if not is_stopping(run):
        return None
    if run.job is None:
        return _of_program(run)
    kinds = ("status", EVENT)
    events = list(RunEvent.objects.filter(run=run, kind__in=kinds).order_by("-id")[:12])
    return _of_worker(run, run.job, events)


# ------------------------------------------------------------ a program of somebody else
def is_told(run: Run) -> bool:
    """Whether the program was heard since the cancel: the answer told it."""
    asked_at, heard = run.cancel_requested_at, run.last_beat_at
    return asked_at is not None and heard is not None and heard > asked_at


def _of_program(run: Run) -> Stopping:
    now = now_of(run)
    told = is_told(run)
    telling = Rung("Told", "done") if told else Rung("Telling", "next")
    in_s = left_s(closed_unheard_at(run), now)
    closing = Rung("Closing as Canceled", "next" if told else "later", left_s=in_s)
    if told:
        words = f"The program was told. If it does not end, the run is closed. {MAY_LIVE}."
    else:
        words = (
            f"The program is told with its next heartbeat (at most {BEAT_EVERY_S:g} s). "
            f"Not answered, the run is closed. {MAY_LIVE}."
        )
    return Stopping([asked(run), telling, closing], words)


def asked(run: Run) -> Rung:
    return Rung("Asked", "done", run.cancel_requested_at)


# ------------------------------------------------------------ a process on a worker
FUTURE = {"interrupting": "Interrupting", "terminating": "Terminating", "killing": "Killing"}
PAST = {"interrupting": "Interrupted", "terminating": "Terminated", "killing": "Killed"}
SAID = {
    "": "The worker is being told.",
    "interrupting": "The script was interrupted (SIGINT). It may save its work and end.",
    "terminating": "The script did not end when interrupted: it was told to terminate (SIGTERM).",
    "killing": "The script and everything it started are being killed (SIGKILL).",
}
TOO_LATE = (
    "The script has ended already, its files are being collected. "
    "The run will be Completed or Failed, as it ended."
)


def _of_worker(run: Run, job: Job, events: Sequence[RunEvent]) -> Stopping:
    now = now_of(run)
    if was_finalizing(events):
        return Stopping([asked(run), Rung("Collecting files", "next")], TOO_LATE)
    if is_worker_lost(job, now):
        closing = Rung("Closing as Canceled", "next", left_s=left_s(closed_unheard_at(run), now))
        words = f"Its worker {job.node} does not answer. {MAY_LIVE} until that worker is back."
        return Stopping([asked(run), closing], words)
    step = "killing" if job.kill_requested_at else job.cancel_step
    return Stopping([asked(run), *_rungs(job, events, now)], SAID.get(step, SAID[""]))


def was_finalizing(events: Sequence[RunEvent]) -> bool:
    """Whether the script had ended when the cancel came; `events` are the newest first."""
    for event in events:
        if event.after == Status.CANCEL_REQUESTED:
            return event.before == Status.FINALIZING
    return False


def is_worker_lost(job: Job, now: datetime) -> bool:
    lost_at = worker_lost_at(job)
    return lost_at is not None and now > lost_at


def _rungs(job: Job, events: Sequence[RunEvent], now: datetime) -> list[Rung]:
    """The steps of the ladder; those that were skipped are left out."""
    times = {event.after: event.at for event in events if event.kind == EVENT}
    reached = list(SIGNALS).index(job.cancel_step) if job.cancel_step in SIGNALS else -1
    found: list[Rung] = []
    for i, step in enumerate(SIGNALS):
        if step in times or i == reached:
            at = times.get(step, job.cancel_step_at)
            found.append(Rung(PAST[step], "done", at))
        elif i > reached and not (job.kill_requested_at and step != "killing"):
            is_next = not any(rung.state == "next" for rung in found)
            left = left_s(_next_at(job), now) if is_next else None
            found.append(Rung(FUTURE[step], "next" if is_next else "later", left_s=left))
    return found


def _next_at(job: Job) -> datetime | None:
    """When the next step follows by itself."""
    waits_s = {"interrupting": job.grace_s, "terminating": KILL_AFTER_S}.get(job.cancel_step)
    if waits_s is None or job.cancel_step_at is None or job.kill_requested_at:
        return None
    return job.cancel_step_at + timedelta(seconds=waits_s)


# ------------------------------------------------------------ silence, and the end
def silence_of(run: Run) -> Silence | None:
    """Since when a run has not been heard, and when it is given up; None of others."""
    at = given_up_at(run)
    if at is None:
        return None
    return Silence(heard_at(run), at, left_s(at, now_of(run)) or 0.0)


def time_left_s(run: Run) -> float | None:
    """Seconds until a running run is over its time; None without a limit worth telling: one of a
    day at most, or one of which a tenth is used."""
    longest_s = run.max_duration_s
    if run.is_terminal or run.started_at is None or not longest_s:
        return None
    used_s = (now_of(run) - run.started_at).total_seconds()
    if longest_s > 86_400 and used_s < longest_s / 10:
        return None
    return max(0.0, longest_s - used_s)


def end_line(run: Run) -> str:
    """ "Canceled by ana (flat loss): needed SIGTERM after 30 s"; "" of a run that is not Canceled
    or that nobody asked to cancel."""
    if run.status != Status.CANCELED or not run.cancel_requested_by:
        return ""
    why = f" ({run.cancel_reason})" if run.cancel_reason else ""
    took = "" if run.status_reason == run.cancel_reason else run.status_reason
    return f"Canceled by {run.cancel_requested_by}{why}" + (f": {first_low(took)}" if took else "")


def first_low(text: str) -> str:
    return text[:1].lower() + text[1:]


def said_of(run: Run, stopping: Stopping | None, silence: Silence | None) -> str:
    """What a screen reader announces when it changes: no countdown is in it."""
    label = str(Status(run.status).label)
    if stopping is not None:
        done = [rung.words for rung in stopping.rungs if rung.state == "done"]
        return f"{label}: {', '.join(done)}. {stopping.words}"
    if silence is not None:
        return f"{label}. It is given up as Failed if it stays silent."
    return f"{label}. {end_line(run) or run.status_reason}".strip()


def changes_by_itself(run: Run) -> list[object]:
    """What the head shows anew without anybody writing it: whether the program, or the worker, was
    heard since the cancel."""
    if not is_stopping(run):
        return []
    return [is_told(run), run.job is not None and is_worker_lost(run.job, now_of(run))]
