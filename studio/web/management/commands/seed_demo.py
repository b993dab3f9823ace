"""`manage.py seed_demo`: the workspace `demo`, filled by training runs that really run."""

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from studio.accounts.actions import WorkspaceClosed, add_workspace, make_token
from studio.accounts.models import Scope
from studio.web.first_start import ensure_admin

DEMO_WORKSPACE = "demo"


class Command(BaseCommand):
    help = "Submit the demo's training scripts to the running studio, into the workspace “demo”."

    def handle(self, *args: Any, **options: Any) -> None:
        admin, _ = ensure_admin()
        try:
            workspace = add_workspace(DEMO_WORKSPACE, owner=admin)
        except WorkspaceClosed as closed:
            raise CommandError(str(closed)) from closed
        _, secret = make_token(admin, name="demo", scope=Scope.WRITE, workspace=workspace)
        # A client like any other: it speaks to the running server over HTTP.
        script = settings.BASE_DIR / "fixtures" / "training" / "submit.py"
        environment = {
            **os.environ,
            "PYTHONPATH": str(settings.BASE_DIR),
            "STUDIO_URL": settings.STUDIO_BASE_URL,
            "STUDIO_WORKSPACE": workspace.name,
            "STUDIO_TOKEN": secret,
        }
        result = subprocess.run(
            [sys.executable, str(script)], env=environment, cwd=settings.STUDIO_HOME, check=False
        )
        if result.returncode:
            raise CommandError("The demo could not be submitted; is the studio running?")
        self.stdout.write(f"Watch it at {settings.STUDIO_BASE_URL}/w/{workspace.name}/runs")
