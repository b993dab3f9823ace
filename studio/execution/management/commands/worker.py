"""`manage.py worker --target NAME`: runs the submitted scripts of one compute target."""

import logging
import os
import signal
import sys
import warnings
from types import FrameType
from typing import Any

from celery import bootsteps
from celery.exceptions import SecurityWarning
from celery.signals import worker_shutting_down
from celery.worker import state
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.celery import app
from studio.compute.targets import WrongTarget
from studio.execution.agent import Agent
from studio.execution.registering import NodeBusy, WrongNode

logger = logging.getLogger(__name__)

AGAIN_AFTER_S = 2.0


class Command(BaseCommand):
    help = "Serve a compute target: run what is submitted to it, and the studio's own tasks."
    # They would load every page, of which a worker draws none (see also `handle`).
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--target",
            default="local",
            help="compute target, or WORKSPACE/TARGET for one of a workspace (default: local)",
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=max(2, (os.cpu_count() or 2) // 2),
            help="how many runs at a time",
        )
        parser.add_argument("--node", default="", help="name of this worker (default: host-target)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["concurrency"] < 1:
            raise CommandError("--concurrency must be at least 1.")
        agent = Agent(options["target"], n_slots=options["concurrency"], node=options["node"])
        hand_over_on_hangup(agent)
        try:
            agent.start()
        except (NodeBusy, WrongNode, WrongTarget) as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"worker {agent.node} serves “{agent.target_name}”")
        # Celery's own shutdown waits for its (short) tasks; the runs must end at the same time.
        worker_shutting_down.connect(lambda **_: agent.begin_stop(), weak=False)
        # Celery would check the settings after all, with every page; the web server does.
        os.environ["CELERY_SKIP_CHECKS"] = "1"
        # Who runs the worker is the admin's choice; Celery's paragraph about it helps nobody.
        warnings.simplefilter("ignore", SecurityWarning)
        try:
            while not agent.stopping.is_set():
                listen(agent)
        finally:
            agent.stop()
        sys.exit(0)


def hand_over_on_hangup(agent: Agent) -> None:
    """SIGHUP: end this process, but leave its runs to the next worker of this node."""

    def on_hangup(number: int, frame: FrameType | None) -> None:
        agent.begin_handover()
        state.should_stop = os.EX_OK

    class OnHangup(bootsteps.StartStopStep):  # type: ignore[misc]
        # Celery would restart itself by SIGHUP; it sets that up before it starts its steps.
        def start(self, parent: object) -> None:
            signal.signal(signal.SIGHUP, on_hangup)

    app.steps["worker"].add(OnHangup)
    signal.signal(signal.SIGHUP, on_hangup)


def listen(agent: Agent) -> None:
    """Run Celery until it is told to stop; when the broker breaks it, the runs held here go on,
    and it is started again a little later."""
    try:
        app.worker_main(celery_arguments(agent))
    except SystemExit as end:
        logger.info("celery ended code=%s", end.code)
    except Exception:
        logger.exception("celery failed")
    if not agent.stopping.wait(AGAIN_AFTER_S):
        logger.warning("listening to the broker again")


def celery_arguments(agent: Agent) -> list[str]:
    queues = ["studio", agent.worker.target.queue, f"node.{agent.node}"]
    return [
        "--quiet",
        "worker",
        "--pool=threads",
        "--concurrency=4",
        f"--queues={','.join(queues)}",
        f"--hostname={agent.node}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=WARNING",
    ]
