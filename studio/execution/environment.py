"""What a submitted script is started with: its command and its environment variables. Pure, but
for the environment of this process that it filters."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

# The server's own secrets and connections never reach a submitted script.
WITHHELD = re.compile(
    r"^(STUDIO_|DJANGO_|CELERY_|AWS_|PG|REDIS_|DATABASE_URL$|EMAIL_URL$|PORT$)"
    r"|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|API_?KEY",
    re.IGNORECASE,
)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment without what belongs to the server alone."""
    return {key: value for key, value in environ.items() if not WITHHELD.search(key)}


def interpreter(environment: Mapping[str, Any]) -> str:
    """The Python that runs the script: the one asked for, else the worker's own."""
    return str(environment.get("python") or sys.executable)


def command(argv: Sequence[str], environment: Mapping[str, Any]) -> list[str]:
    """The argument list of the process; a script gets an interpreter in front."""
    python = interpreter(environment)
    if not environment.get("is_command"):
        return [python, "-u", *argv]
    head, *rest = argv
    return [python if head in {"python", "python3"} else head, *rest]


def variables(environment: Mapping[str, Any], *, secret: str, target: str) -> dict[str, str]:
    """All environment variables of the script, the studio's last so that they hold."""
    asked = {str(k): str(v) for k, v in (environment.get("variables") or {}).items()}
    python_path = os.pathsep.join(
        part for part in (asked.get("PYTHONPATH"), str(settings.BASE_DIR)) if part
    )
    return {
        **inherited(os.environ),
        **asked,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": python_path,
        "STUDIO_RUN_ID": str(environment["run_uid"]),
        "STUDIO_WORKSPACE": str(environment["workspace"]),
        "STUDIO_URL": settings.STUDIO_BASE_URL,
        "STUDIO_TOKEN": secret,
        "STUDIO_TARGET": target,
    }
