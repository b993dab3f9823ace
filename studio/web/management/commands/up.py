"""`manage.py up`: the whole studio on one machine: database, static files, web and worker.

SIGHUP starts all of it again, with the code that lies there now; runs go on meanwhile.
"""

import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.accounts.models import Workspace
from studio.compute.models import Worker
from studio.execution.upkeep import refresh_statistics
from studio.web import first_start
from studio.web.children import Child
from studio.web.collecting import collect_static
from studio.web.management.commands import seed_demo, web

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 25.0
# What means “on all addresses”, and one of them.
EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
LISTENS = socket.SOCK_STREAM


class Command(BaseCommand):
    help = "Start everything and keep it running until Ctrl-C."
    # The web process checks the same settings: once is enough to be told, and quicker.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="runs at a time")
        parser.add_argument(
            "--web-processes", type=int, default=web.usual_processes(), help="that serve pages"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._stop = self._again = False
        signal.signal(signal.SIGHUP, self._ask_restart)
        signal.signal(signal.SIGTERM, self._ask_stop)
        signal.signal(signal.SIGINT, self._ask_stop)
        check_port_is_free()
        self._step("database, files", lambda: aside(prepare_database, collect_static))
        start = first_start.prepare()
        children = [
            Child("web", web.arguments_of(options["web_processes"])),
            Child(
                "worker",
                ["worker", "--concurrency", str(options["concurrency"])],
                replaced_by=signal.SIGHUP,
            ),
        ]
        for child in children:
            child.start()
        try:
            self._step("web and worker", lambda: wait_until_ready(children, lambda: self._stop))
            if not self._stop:
                self._greet(start)
                if os.environ.get("STUDIO_DEMO") == "1":
                    self._seed_demo()
                self._watch(children)
        finally:
            stop_all(children, are_replaced=self._again)
            self.stdout.write("starting again" if self._again else "stopped")
        if self._again:
            self.stdout.flush()
            os.execv(sys.executable, sys.orig_argv)

    def _ask_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop = True
        self._again = False

    def _ask_restart(self, number: int, frame: FrameType | None) -> None:
        self._again = not self._stop
        self._stop = True

    def _step(self, name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        work()
        self.stdout.write(f"  {name:<16} {time.monotonic() - began:5.1f} s")

    def _greet(self, start: first_start.FirstStart) -> None:
        self.stdout.write(f"\nThe studio is at {settings.STUDIO_BASE_URL}")
        if start.password:
            self.stdout.write(f"Sign in as {start.user} with the password {start.password}")
            change = f"{sys.executable} manage.py changepassword {start.user}"
            self.stdout.write(f"(shown this once; change it with: {change})")
        if start.config_path is not None:
            self.stdout.write(f"The SDK is set up by {start.config_path}.", ending=" ")
        self.stdout.write("Ctrl-C stops it.\n")
        sys.stdout.flush()

    def _seed_demo(self) -> None:
        """Once: a restart keeps the demo it has."""
        if Workspace.objects.filter(name=seed_demo.DEMO_WORKSPACE).exists():
            self.stdout.write(f"Demo: {settings.STUDIO_BASE_URL}/w/{seed_demo.DEMO_WORKSPACE}/runs")
        else:
            call_command("seed_demo")

    def _watch(self, children: list[Child]) -> None:
        while not self._stop:
            for child in children:
                child.keep_alive()
            time.sleep(0.2)


def aside(*works: Callable[[], object]) -> None:
    """Do them at once, each in a forked process: what it loads would stay in memory as long as the
    studio runs. Raises CommandError when one failed, after all have ended."""
    processes = [get_context("fork").Process(target=work) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise CommandError("The studio could not be prepared; the lines above say why.")


def own_address() -> tuple[str, int]:
    """Where the web server of this start is asked, from the machine itself."""
    bind, port = web.listens_on()
    if not port.isdecimal():
        raise CommandError(f"PORT must be a number, not “{port}”.")
    host = bind.strip("[]")
    return EVERY_ADDRESS.get(host, host), int(port)


def check_port_is_free() -> None:
    """Of the port that is listened on: that of the public address may be a proxy's."""
    host, port = own_address()
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=LISTENS)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}") from error
        raise CommandError(
            f"Port {port} is taken ({error.strerror}). Choose another: PORT=8001 make run"
        ) from error


def prepare_database() -> None:
    call_command("migrate", verbosity=0, interactive=False)
    refresh_statistics()


def wait_until_ready(children: list[Child], stopped: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and not stopped():
        for child in children:
            child.keep_alive()
            if child.n_ends > 1:
                raise CommandError(
                    f"The {child.name} ended while it started; the lines above say why."
                )
        if is_served() and has_worker(children):
            return
        time.sleep(0.1)
    if not stopped():
        raise CommandError(f"Web server and worker were not ready within {READY_WITHIN_S:g} s.")


def has_worker(children: list[Child]) -> bool:
    """Whether the worker started here has signed on (not one of an earlier start)."""
    pids = [child.process.pid for child in children if child.process is not None]
    return Worker.objects.live().filter(pid__in=pids).exists()


def is_served() -> bool:
    """Whether the web server answers, under its own address: the public one may be that of a proxy
    which is started later, or which this machine neither reaches nor trusts."""
    asked = HTTPConnection(*own_address(), timeout=2)
    try:
        asked.request("GET", "/healthz")
        return asked.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def stop_all(children: list[Child], *, are_replaced: bool = False) -> None:
    for child in children:
        child.ask_to_stop(is_replaced=are_replaced)
    deadline = time.monotonic() + STOP_WITHIN_S
    for child in children:
        child.wait_or_kill(deadline)
