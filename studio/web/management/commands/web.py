"""`manage.py web`: serves the pages and the API with gunicorn."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

DEFAULT_PORT = 8000


class Command(BaseCommand):
    help = "Serve the studio's pages and API (on the loopback address unless told otherwise)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default=os.environ.get("STUDIO_BIND", "127.0.0.1"))
        parser.add_argument("--port", default=os.environ.get("PORT", str(DEFAULT_PORT)))
        parser.add_argument("--workers", type=int, default=1, help="processes")
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
            # gunicorn 27 would make a folder in the home directory for its control socket.
            "--no-control-socket",
            f"--chdir={settings.BASE_DIR}",
        ]
        # Replace this process: signals reach gunicorn itself, and nothing stays above it.
        os.execv(sys.executable, [sys.executable, "-m", *arguments])
