"""What a submitted script is started with: its command and its environment variables. Pure, but
for the environment of this process that it filters."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

# The server's own secrets and connections never reach a submitted script, nor what the machine sets
# for installers: addresses of indexes may hold passwords.
WITHHELD = re.compile(
    r"^(STUDIO_|DJANGO_|CELERY_|AWS_|PG|REDIS_|DATABASE_URL$|EMAIL_URL$|PORT$)"
    r"|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|API_?KEY",
    re.IGNORECASE,
)
OF_INSTALLERS = re.compile(r"^(PIP|UV)_", re.IGNORECASE)
# What an installer needs to be let in by a package index.
OF_INDEXES = re.compile(r"^UV_INDEX_\w+_(USERNAME|PASSWORD)$")
# Where a script was told to log with MLflow.
MLFLOW_S_OWN = ("MLFLOW_TRACKING_", "MLFLOW_RUN_ID")
# Those of the worker's own environment lead another Python astray.
OF_PYTHON = ("VIRTUAL_ENV", "PYTHONHOME", "CONDA_PREFIX")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python of a run. `prefix` is the folder of its virtual environment, empty when it is in
    none of its own; `modules` a folder of what it lacks to report to the studio, else empty."""

    path: str = sys.executable
    prefix: str = ""
    modules: str = ""


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment for a script: without what belongs to the server or to installers
    alone."""
    kept = _without_secrets(environ).items()
    return {key: value for key, value in kept if not OF_INSTALLERS.search(key)}


def for_installer(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment for an installer: its index settings, no secrets of the server, and
    nothing of the run, since others use what is built."""
    logins = {key: value for key, value in environ.items() if OF_INDEXES.search(key)}
    return _without_secrets(environ) | logins


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if not WITHHELD.search(key)}


def command(argv: Sequence[str], python: str, *, is_command: bool = False) -> list[str]:
    """The argument list of the process; a script gets an interpreter in front."""
    if not is_command:
        return [python, "-u", *argv]
    head, *rest = argv
    return [python if head in {"python", "python3"} else head, *rest]


def variables(
    environment: Mapping[str, Any],
    *,
    secret: str,
    target: str,
    spool: str,
    python: Interpreter | None = None,
) -> dict[str, str]:
    """All environment variables of the script, the studio's last so that they hold. spool: the
    folder in which the SDK keeps what it cannot send."""
    python = python or Interpreter()
    asked = {str(k): str(v) for k, v in (environment.get("variables") or {}).items()}
    python_path = (asked.get("PYTHONPATH"), str(settings.BASE_DIR), python.modules)
    return {
        **_activated(python.prefix, asked),
        **_for_mlflow(environment, asked, secret=secret),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(part for part in python_path if part),
        "STUDIO_RUN_ID": str(environment["run_uid"]),
        "STUDIO_WORKSPACE": str(environment["workspace"]),
        "STUDIO_URL": settings.STUDIO_BASE_URL,
        "STUDIO_TOKEN": secret,
        "STUDIO_TARGET": target,
        "STUDIO_SPOOL_DIR": spool,
    }


def _for_mlflow(
    environment: Mapping[str, Any], asked: Mapping[str, str], *, secret: str
) -> dict[str, str]:
    """With these an unchanged script that logs with MLflow logs into its own run; nothing when it
    was told where to log."""
    if any(key.startswith(MLFLOW_S_OWN) for key in asked):
        return {}
    return {
        "MLFLOW_TRACKING_URI": settings.STUDIO_BASE_URL,
        "MLFLOW_TRACKING_TOKEN": secret,
        "MLFLOW_RUN_ID": str(environment["run_uid"]),
    }


def _activated(prefix: str, asked: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment and what was asked for, as in an activated environment: its programs
    are found before others, and nothing of the worker's own Python is left."""
    if not prefix:
        return {**inherited(os.environ), **asked}
    found = {k: v for k, v in inherited(os.environ).items() if k not in OF_PYTHON} | dict(asked)
    path = os.pathsep.join([os.path.join(prefix, "bin"), found.get("PATH", os.defpath)])
    return {**found, "VIRTUAL_ENV": prefix, "PATH": path}
