"""A small workspace in which people, programs, workers and the reaper do whatever they please.

Everything goes through the real actions and the real supervisor (its thread never starts); people
act on copies of runs that they read earlier, which is where races come from.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.bulk.choices import CHOICES
from studio.compute.models import Job, Worker
from studio.execution.agent import Agent
from studio.execution.claims import claim_next
from studio.execution.reaper import reap
from studio.execution.recovery import leftovers, recover_job
from studio.execution.supervisor import Interrupted, Supervisor
from studio.execution.verdict import Ending
from studio.runs import actions
from studio.runs.actions import NewRun, Submission, keeping
from studio.runs.actions.beats import note_heartbeat
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.models import Run
from studio.runs.status import Status

REFUSALS = (InvalidTransition, LeaseLost, Interrupted, Refused)
SUBMIT = Submission(target="local", snapshot="", script="train.py")
# What a supervisor does, in its order, till the process runs.
STAGES = ("prepare", "mint", "mark", "run")
SHIFTS_S = (5, 31, 61, 121, 481, 601, 1300)


class Side:
    """One worker: its agent, and how far each of its supervisors has come."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.agent = Agent(worker.target.name, n_slots=4, node=worker.node)
        self.agent.worker = worker
        self.stage: dict[str, int] = {}

    def drop(self, lease: str) -> None:
        self.agent.supervisors.pop(lease, None)
        self.stage.pop(lease, None)


class World:
    """`trail` names what was done so far."""

    def __init__(self, seed: int, experiment: Any, people: Any, target: Any) -> None:
        self.rng = random.Random(seed)
        self.experiment, self.people, self.target = experiment, people, target
        self.trail: list[str] = []
        self.uids: list[str] = []
        self.copies: list[dict[str, Run]] = [{}, {}, {}]
        self.sides = [self.new_side(f"node-{i}") for i in range(2)]
        self.bear()

    # ------------------------------------------------------------ births
    def bear(self) -> None:
        """Six runs: a parent with three kinds of children, and a submitted run with a child."""
        by = self.person()
        parent = actions.create_run(self.experiment, NewRun(start=True), by=by)
        news = [NewRun(), NewRun(start=True), NewRun(submit=SUBMIT)]
        children = actions.create_children(parent, news, by=by)
        submitted = actions.create_run(self.experiment, NewRun(submit=SUBMIT), by=by)
        below = actions.create_run(self.experiment, NewRun(start=True), by=by, parent=submitted)
        self.uids += [run.uid for run in (parent, *children, submitted, below)]

    def new_side(self, node: str) -> Side:
        made = Worker.objects.create(node=node, host="h", pid=1, target=self.target, n_slots=4)
        return Side(made)

    def person(self) -> Actor:
        return Actor.of_user(self.rng.choice([self.people.alice, self.people.bob]))

    # ------------------------------------------------------------ steps
    def step(self) -> None:
        """Something happens; a refusal is as good as anything."""
        kinds: list[tuple[int, Callable[[], str]]] = [
            (30, self.somebody_acts),
            (25, self.a_supervisor_goes_on),
            (10, self.a_worker_claims),
            (8, self.time_passes),
            (8, self.the_reaper_sweeps),
            (5, self.a_worker_beats),
            (4, self.a_worker_delivers),
            (3, self.many_are_cancelled),
            (2, self.a_worker_dies),
            (2, self.a_clock_lies),
        ]
        weights = [weight for weight, _ in kinds]
        (_, kind) = self.rng.choices(kinds, weights)[0]
        self.trail.append(kind.__name__)
        try:
            said = kind()
        except REFUSALS as refused:
            said = f"refused: {refused}"
        self.trail[-1] += f" {said}"

    def copy_of(self, uid: str) -> Run:
        """What one of three people last saw of the run; sometimes they look again."""
        held = self.rng.choice(self.copies)
        if uid not in held or self.rng.random() < 0.4:
            held[uid] = Run.objects.for_detail().get(uid=uid)
        return held[uid]

    def somebody_acts(self) -> str:
        run, by = self.copy_of(self.rng.choice(self.uids)), self.person()
        if run.job_id and self.rng.random() < 0.4:
            # The program itself, with its own token.
            by = Actor("bob", self.people.bob, workspace_id=run.workspace_id, run_uid=run.uid)
        does = self.rng.choice(
            [one for one in DEEDS if not by.run_uid or one not in {"delete", "restore"}]
        )
        self.trail[-1] = f"{by.name} does {does} to {self.uids.index(run.uid)} seen {run.status}"
        DEEDS[does](run, by, self.rng)
        return ""

    def many_are_cancelled(self) -> str:
        some = self.rng.sample(self.uids, k=self.rng.randint(1, len(self.uids)))
        runs = [self.copy_of(uid) for uid in some]
        given = {"reason": "all of them", "children": self.rng.random() < 0.7}
        CHOICES["cancel"].apply(self.experiment.workspace, runs, given, self.person())
        return f"{len(runs)} {given['children']}"

    def time_passes(self, seconds: float | None = None) -> str:
        """Everything that is dated by a sign of life becomes so much older."""
        by = timedelta(seconds=seconds or self.rng.choice(SHIFTS_S))
        columns = ("last_beat_at", "status_at", "started_at", "cancel_requested_at")
        Run.objects.update(**{name: F(name) - by for name in columns})
        Job.objects.update(**{name: F(name) - by for name in ("beat_at", "claimed_at")})
        Worker.objects.update(last_seen_at=F("last_seen_at") - by)
        return str(by)

    def a_clock_lies(self) -> str:
        """A worker an hour ahead said when the run began."""
        later = timezone.now() + timedelta(hours=1)
        running = Run.objects.active().filter(started_at__isnull=False)
        return str(running.update(started_at=later))

    def the_reaper_sweeps(self) -> str:
        return str(reap())

    # ------------------------------------------------------------ workers
    def a_worker_claims(self) -> str:
        side = self.rng.choice(self.sides)
        claim = claim_next(side.worker)
        if claim is None:
            return "nothing"
        side.agent.supervisors[claim.lease] = Supervisor(claim, on_end=lambda _: None)
        side.stage[claim.lease] = 0
        return f"{side.worker.node} {self.uids.index(claim.run.uid)}"

    def a_worker_beats(self) -> str:
        self.rng.choice(self.sides).agent.beat()
        return ""

    def a_worker_delivers(self) -> str:
        self.rng.choice(self.sides).agent.deliver()
        return ""

    def a_worker_dies(self) -> str:
        """Killed; half the time its node starts again, and clears up."""
        at = self.rng.randrange(len(self.sides))
        node = self.sides[at].worker.node
        self.sides[at] = self.new_side(node)
        if self.rng.random() < 0.5:
            for claim in leftovers(node):
                recover_job(claim)
        return node

    def a_supervisor_goes_on(self) -> str:
        side = self.rng.choice(self.sides)
        if not side.stage:
            return "nobody"
        lease = self.rng.choice(sorted(side.stage))
        supervisor, stage = side.agent.supervisors[lease], side.stage[lease]
        name = STAGES[stage] if stage < len(STAGES) else "finish"
        self.trail[-1] += f" {name} of {self.uids.index(supervisor.claim.run.uid)}"
        try:
            self.advance(supervisor, name)
        except LeaseLost:
            side.drop(lease)
            raise
        except (InvalidTransition, Interrupted):
            side.drop(lease)
            ending = supervisor._not_begun()
            if ending is not None:
                supervisor._finish(ending)
            return "not begun"
        if name == "finish":
            side.drop(lease)
        else:
            side.stage[lease] += 1
        return ""

    def advance(self, supervisor: Supervisor, name: str) -> None:
        if supervisor._abandoned:
            raise LeaseLost("abandoned")
        if name == "prepare":
            supervisor._move(Status.PREPARING)
        elif name == "mint":
            supervisor._new_secret()
            supervisor._mind_requests()
        elif name == "mark":
            supervisor._mark_started()
        elif name == "run":
            supervisor._note_running()
        else:
            supervisor._finish(self.some_ending(supervisor))

    def some_ending(self, supervisor: Supervisor) -> Ending:
        return self.rng.choice(
            [
                Ending(exit_code=0),
                Ending(exit_code=1, log_tail="Traceback (most recent call last)\nE: no"),
                Ending(exit_signal=15, was_cancelled=supervisor._cancel),
                Ending(exit_signal=9, stopped_by_worker=True),
                Ending(could_not_start="no such file"),
                Ending(exit_signal=15, timed_out_after_s=3.0),
            ]
        )

    # ------------------------------------------------------------ the end
    def drain(self) -> None:
        """All workers are lost, nobody acts any more, and time passes: what had begun must end."""
        self.sides.clear()
        for seconds in (61, 0.001, 601, 601, 601):
            self.trail.append(f"drained by {self.time_passes(seconds)}, {reap()} moved")


def _delete(run: Run, by: Actor, rng: random.Random) -> None:
    keeping.delete_run(run, by=by, cancel=rng.random() < 0.5)


def _fail(run: Run, by: Actor, rng: random.Random) -> None:
    actions.fail_run(run, by=by, reason=rng.choice(["", "it looked wrong"]))


def _cancel(run: Run, by: Actor, rng: random.Random) -> None:
    actions.cancel_run(run, by=by, children=rng.random() < 0.7, reason=rng.choice(["", "why"]))


DEEDS: dict[str, Callable[[Run, Actor, random.Random], object]] = {
    "start": lambda run, by, _: actions.start_run(run, by=by),
    "complete": lambda run, by, _: actions.complete_run(run, by=by),
    "fail": _fail,
    "cancel": _cancel,
    "kill": lambda run, by, _: actions.kill_run(run, by=by),
    "confirm": lambda run, by, _: actions.confirm_canceled(run, by=by),
    "beat": lambda run, by, _: note_heartbeat(run, by=by),
    "delete": _delete,
    "restore": lambda run, by, _: keeping.restore_run(run, by=by),
}
