"""`studio folder …`: which workspace and experiment a project folder belongs to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from studio.cli.command import ExperimentName, Family
from studio.cli.connection import Call
from studio.cli.failures import Failure

LOCAL = """\
# Runs a script with the worker's own Python: studio run submit-script -c local train.py
script:
arguments: []
target: local
maxRunDurationSeconds: 2592000
environmentVariables: {}
"""
VENV = """\
# Runs a script in a virtual environment made of requirements.txt, which the worker keeps for as
# long as the file stays the same: studio run submit-script -c venv train.py
script:
arguments: []
target: local
maxRunDurationSeconds: 2592000
environment:
  python:
    userManagedDependencies: false
    requirementsFile: requirements.txt
environmentVariables: {}
"""
IGNORED = """\
# What does not travel with a submitted script, as in .gitignore. Caches, virtual environments,
# .git and .studio never do.
outputs/
logs/
assets/
"""
SAMPLES = {".studio/local.runconfig": LOCAL, ".studio/venv.runconfig": VENV}
SAMPLES[".studioignore"] = IGNORED


@click.group(cls=Family, example="studio folder attach -w lab -e explore-runs")
def folder() -> None:
    """Project folders."""


@folder.command(
    "attach",
    example="""
    studio folder attach -w lab -e explore-runs
    studio folder attach -w lab --path projects/vision
    """,
)
@click.option(
    "-e", "--experiment-name", "experiment", type=ExperimentName(), metavar="NAME",
    help="The experiment of the folder's runs; default: the folder's name.",
)  # fmt: skip
@click.pass_obj
def attach(call: Call, experiment: str | None) -> dict[str, Any]:
    """Attach a folder to a workspace: commands and scripts in it and below find the studio.

    Writes .studio/config.json, sample run configurations, and .studioignore. Samples that are
    there stay as they are.
    """
    from studio.sdk import config

    root = _made(Path(call.path))
    found = call.config()
    client = call.client()
    room = client.get("")["name"]
    name = experiment or _named_like(root)
    token = _token_to_keep(root, found)
    config.write(root, config.Config(found.url, room, token, name))
    written = [".studio/config.json"]
    for path, text in SAMPLES.items():
        if not (root / path).exists():
            (root / path).write_text(text, encoding="utf-8")
            written.append(path)
    return {
        "experiment_name": name,
        "workspace_name": room,
        "url": found.url,
        "project_path": str(root),
        "files_written": written,
    }


def _made(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise Failure(f"{path} is a file. Give a folder: --path FOLDER")
    path.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def _named_like(root: Path) -> str:
    """The folder's name as an experiment's; signs that names may not hold become dashes."""
    return re.sub(r"^[\W_]+|[^\w-]+", "-", root.name, flags=re.ASCII).strip("-")[:255] or "default"


def _token_to_keep(root: Path, found: Any) -> str:
    """The token for the file, which only its owner may read: none when a login has it."""
    from studio.sdk import credentials

    return "" if credentials.token_of(found.url) == found.token else str(found.token)
