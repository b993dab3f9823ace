"""Submitting scripts: what to run, from which folder, where, with what."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import uuid
from pathlib import Path
from typing import Any

from studio.sdk import snapshots, sources
from studio.sdk.client import Client
from studio.sdk.environment import Environment
from studio.sdk.errors import ExperimentExecutionException, UserErrorException
from studio.sdk.state import checked_texts

log = logging.getLogger("studio.sdk")

DEFAULT_DURATION_S = 2_592_000


class _Usual(int):
    """A number nobody gave: told apart from the same number when it was given."""


USUAL_DURATION_S = _Usual(DEFAULT_DURATION_S)


class ScriptRunConfig:
    """A script of a source folder with its arguments, target and environment.

    `command` (a list or a shell-like string) stands in for script and arguments. The script must
    lie inside the source folder. Without limits a run may take 30 days. `run_config` gives what is
    not given here; unlike in the original, what is given here always wins: with a command here, its
    script and arguments count for nothing, with a script here its command.
    """

    def __init__(
        self,
        source_directory: str | os.PathLike[str] | None = None,
        script: str | None = None,
        arguments: list[Any] | None = None,
        run_config: Any = None,
        compute_target: Any = None,
        environment: Any = None,
        distributed_job_config: Any = None,
        resume_from: Any = None,
        max_run_duration_seconds: float | None = USUAL_DURATION_S,
        command: list[Any] | str | None = None,
        docker_runtime_config: Any = None,
    ) -> None:
        self.source_directory = str(source_directory or ".")
        self.script, self.command = script or None, command or None
        if not command:
            self.script = script or getattr(run_config, "script", None)
            arguments = getattr(run_config, "arguments", None) if arguments is None else arguments
        if not script:
            self.command = command or getattr(run_config, "command", None) or None
        self.arguments = list(arguments or [])
        self.compute_target = compute_target or getattr(run_config, "target", None) or "local"
        self.environment = environment or getattr(run_config, "environment", None)
        self.environment_variables = dict(getattr(run_config, "environment_variables", None) or {})
        longest_s = getattr(run_config, "max_run_duration_seconds", None)
        if longest_s is None or not isinstance(max_run_duration_seconds, _Usual):
            longest_s = max_run_duration_seconds
        self.max_run_duration_seconds = longest_s
        self.grace_s: float | None = None
        unused = (distributed_job_config, resume_from, docker_runtime_config)
        if any(given is not None for given in unused):
            log.warning(
                "studio: distributed_job_config, resume_from and docker_runtime_config have no "
                "meaning here: one process is started, as the worker's own user"
            )
        if bool(self.script) == bool(self.command):
            raise UserErrorException("ScriptRunConfig takes either a script or a command")
        if self.command and self.arguments:
            raise UserErrorException("ScriptRunConfig: arguments belong to a script, not a command")

    def wire(self, snapshot: str) -> dict[str, Any]:
        """The `submit` part of a new run."""
        target = self.compute_target
        body: dict[str, Any] = {
            "snapshot": snapshot,
            "target": target if isinstance(target, str) else str(target.name),
            "environment": self._environment(),
        }
        if self.command:
            split = shlex.split(self.command) if isinstance(self.command, str) else self.command
            body["command"] = [str(part) for part in split]
        else:
            body["script"] = self.script_path()
            body["arguments"] = [_argument(value) for value in self.arguments]
        if self.grace_s is not None:
            body["grace_s"] = self.grace_s
        return body

    def script_path(self) -> str:
        """The script relative to the source folder; ExperimentExecutionException when it is not
        inside, or not there."""
        root = Path(self.source_directory).resolve()
        if not root.is_dir():
            raise ExperimentExecutionException(f"source_directory {str(root)!r} is not a folder")
        script = (root / str(self.script)).resolve()
        if not script.is_relative_to(root):
            raise ExperimentExecutionException(
                f"The script {str(self.script)!r} lies outside the source_directory {str(root)!r}; "
                "only files inside it travel to the worker."
            )
        if not script.is_file():
            raise ExperimentExecutionException(
                f"There is no script {str(self.script)!r} in the source_directory {str(root)!r}."
            )
        return script.relative_to(root).as_posix()

    def _environment(self) -> dict[str, Any]:
        chosen = self.environment
        if isinstance(chosen, dict):
            chosen = Environment(
                python=chosen.get("python"),
                requirements=chosen.get("requirements"),
                environment_variables=dict(chosen.get("variables") or {}),
            )
        if isinstance(chosen, str):
            text_file = chosen.endswith(".txt")
            chosen = Environment(requirements=chosen) if text_file else Environment(python=chosen)
        if chosen is None:
            chosen = Environment()
        if not isinstance(chosen, Environment):
            raise UserErrorException("environment takes an Environment, a dict or a path")
        body = chosen.wire(self.source_directory)
        body["variables"].update(checked_texts(self.environment_variables, "variables"))
        return body


def submit(
    client: Client,
    experiment: str,
    config: ScriptRunConfig,
    *,
    tags: dict[str, Any] | None = None,
    parent: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The record of a new, queued run: uploads the snapshot, then creates the run with it.

    options: run_id, display_name, type ("pipeline" for a script whose children are its steps),
    depends_on (ids of other children of the parent).
    """
    if not isinstance(config, ScriptRunConfig):
        raise UserErrorException(f"submit takes a ScriptRunConfig, not {type(config).__name__}")
    checked = config.script_path() if config.script else None
    git = sources.git_properties(config.source_directory)
    snapshot = snapshots.upload(client, config.source_directory)
    body = {
        "uid": options.get("run_id") or uuid.uuid4().hex,
        "experiment": experiment,
        "display_name": options.get("display_name"),
        "type": options.get("type") or "script",
        "parent": parent,
        "depends_on": options.get("depends_on"),
        "tags": checked_texts(tags or {}, "tags"),
        "properties": git,
        "definition": {
            "command_line": shlex.join([checked or "", *map(str, config.arguments)]).strip(),
            "git": {k.rpartition(".")[2]: v for k, v in git.items() if k.startswith("azureml.")},
            "submitted_with_python": ".".join(map(str, sys.version_info[:3])),
        },
        "max_run_duration_s": config.max_run_duration_seconds,
        "submit": config.wire(snapshot),
    }
    record: dict[str, Any] = client.post("/runs", {k: v for k, v in body.items() if v is not None})
    return record


def _argument(value: Any) -> str:
    if isinstance(value, list | tuple | dict | set) or value is None:
        raise UserErrorException(f"arguments are strings or numbers, not {value!r}")
    return str(value)
