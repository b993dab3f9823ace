"""`manage.py web`: serves the pages and the API with gunicorn."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

DEFAULT_PORT = 8000
DEFAULT_BIND = "127.0.0.1"
# More processes than these want memory that a small machine misses, and a server of its own.
MOST_ON_ONE_MACHINE = 2


def usual_processes() -> int:
    """How many serve the studio on one machine: two where there are two processors, since the
    threads of one process share one (docs/adr/0054)."""
    n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(MOST_ON_ONE_MACHINE, n_processors)


def listens_on() -> tuple[str, str]:
    """The address and the port on which `web` listens when it is not told others."""
    return os.environ.get("STUDIO_BIND", DEFAULT_BIND), os.environ.get("PORT", str(DEFAULT_PORT))


def arguments_of(n_processes: int) -> list[str]:
    """The words after `manage.py` by which `up` serves."""
    return ["web", "--preload", "--workers", str(n_processes)]


class Command(BaseCommand):
    help = "Serve the studio's pages and API (on the loopback address unless told otherwise)."
    # The first process that serves checks the settings: it has loaded what there is to check.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        bind, port = listens_on()
        parser.add_argument("--bind", default=bind)
        parser.add_argument("--port", default=port)
        parser.add_argument("--workers", type=int, default=1, help="processes")
        parser.add_argument(
            "--preload",
            action="store_true",
            help="load the code once for all processes: less memory, but SIGHUP brings no new code",
        )
        parser.add_argument("--threads", type=int, default=16, help="threads a process")

    def handle(self, *args: Any, **options: Any) -> None:
        arguments = [
            "gunicorn",
            "studio.wsgi:application",
            f"--bind={options['bind']}:{options['port']}",
            "--worker-class=studio.web.gunicorn_worker.DoorWorker",
            f"--workers={options['workers']}",
            f"--threads={options['threads']}",
            "--timeout=120",
            "--graceful-timeout=5",
            "--keep-alive=30",
            # The state of a list is its address: many columns and a hundred ticked runs.
            "--limit-request-line=8190",
            "--log-level=warning",
            "--logger-class=studio.web.gunicorn_log.Log",
            # What a proxy says counts by STUDIO_TRUST_PROXY alone: gunicorn would believe whoever
            # connects from this machine, and a proxy there passes on what clients make up.
            "--forwarded-allow-ips=",
            "--forwarder-headers=",
            # gunicorn 27 would make a folder in the home directory for its control socket.
            "--no-control-socket",
        ]
        if options["preload"]:
            arguments.append("--config=python:studio.web.gunicorn_preload")
        if options["workers"] > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counts_folder())
        # The checks at the start ask what the server listens on.
        os.environ["STUDIO_BIND"] = options["bind"]
        # Python looks there for the code, and for the settings of gunicorn among it.
        os.chdir(settings.BASE_DIR)
        # Replace this process: signals reach gunicorn itself, and nothing stays above it.
        os.execv(sys.executable, [sys.executable, "-m", *arguments])


def counts_folder() -> Path:
    """A new folder in which the processes of this server add up what they count; those that ended
    servers of this machine left are removed. It goes by this process, which gunicorn replaces."""
    root = settings.STUDIO_HOME / "counts"
    root.mkdir(exist_ok=True, mode=0o700)
    for old in root.iterdir():
        if old.name == str(os.getpid()) or not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    mine = root / str(os.getpid())
    mine.mkdir(mode=0o700)
    return mine
