"""Run configurations: what a script is run with, kept in a `.runconfig` file of a project.

config = RunConfiguration.load(".", "sklearn")     # .studio/sklearn.runconfig
exp.submit(ScriptRunConfig(".", "train.py", run_config=config))
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from studio.sdk.environment import CondaDependencies, Environment
from studio.sdk.errors import UserErrorException
from studio.sdk.script import DEFAULT_DURATION_S

FOLDERS = (".studio", ".azureml", "aml_config")
SUFFIX = ".runconfig"
DEPENDENCIES = "environment.python.condaDependencies.dependencies"
NO_CONDA = (
    "packages of conda are not installed; list them in a requirements.txt and name that as "
    "requirementsFile"
)
WORKERS_OWN = ("python", "python3", "")


class RunConfiguration:
    """Script, arguments or command, target, environment and variables of a submission.

    `notices`: what a loaded file asks for that has no meaning here, in words.
    """

    def __init__(
        self,
        script: str | None = None,
        arguments: list[Any] | None = None,
        framework: str = "Python",
        communicator: str = "None",
        conda_dependencies: Any = None,
        command: list[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.script, self.arguments, self.command = script, list(arguments or []), command
        self.framework, self.communicator = framework, communicator
        self.target = "local"
        self.max_run_duration_seconds: float = DEFAULT_DURATION_S
        self.environment = Environment()
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        self.environment_variables: dict[str, str] = {}
        self.notices: list[str] = []

    @classmethod
    def load(cls, path: str | os.PathLike[str], name: str | None = None) -> RunConfiguration:
        """The configuration in a file, or called `name` in a project folder: `.studio/<name>`,
        `.studio/<name>.runconfig`, the same in `.azureml/`, and in the folder itself.

        Raises UserErrorException naming what was searched, RunConfigurationException naming the
        line of a field that is unknown or of the wrong type.
        """
        from studio.sdk.runconfig_yaml import read

        file = _found(Path(path), name)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as problem:
            raise UserErrorException(f"{file} cannot be read: {problem}") from None
        found = read(text, str(file))
        made = cls._of(found.values)
        if found.ignored:
            names = ", ".join(f"{name} (line {line})" for name, line in found.ignored)
            made.notices.insert(0, f"{file.name}: without a meaning here: {names}")
        return made

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        separate_environment_yaml: bool = False,
    ) -> str:
        """Write `.studio/<name>.runconfig` below a project folder, or the file `path`; returns
        the path written."""
        from studio.sdk.runconfig_yaml import write

        file = self._target_of(Path(path or "."), name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(write(self._values()), encoding="utf-8")
        return str(file)

    @staticmethod
    def delete(path: str | os.PathLike[str], name: str) -> None:
        """Remove the file of a configuration; UserErrorException when there is none."""
        _found(Path(path), name).unlink()

    @classmethod
    def _of(cls, values: dict[str, Any]) -> RunConfiguration:
        made = cls(
            script=values.get("script") or None,
            arguments=values.get("arguments"),
            framework=values.get("framework") or "Python",
            communicator=values.get("communicator") or "None",
            command=values.get("command") or None,
        )
        made.target = values.get("target") or "local"
        made.max_run_duration_seconds = values.get("maxRunDurationSeconds") or DEFAULT_DURATION_S
        made.environment_variables = values.get("environmentVariables") or {}
        made.environment = made._environment_of(values)
        made.notices += _unmet(values)
        return made

    def _environment_of(self, values: dict[str, Any]) -> Environment:
        """The interpreter as it is when the file says that its dependencies are there already; else
        what the requirements file and the dependencies name, installed for that interpreter."""
        python = values.get("environment.python.interpreterPath") or ""
        requirements = values.get("environment.python.requirementsFile")
        conda = values.get("environment.python.condaDependenciesFile") or ""
        if not requirements and conda.endswith(".txt"):
            requirements = conda
        needed = _dependencies_of(values.get(DEPENDENCIES) or {})
        made = Environment(
            name=values.get("environment.name") or "",
            python=python if python not in WORKERS_OWN else None,
            requirements=requirements,
            environment_variables=values.get("environment.environmentVariables") or {},
        )
        made.python.conda_dependencies = needed
        if values.get("environment.python.userManagedDependencies"):
            made.python.user_managed_dependencies = True
            return made
        made.python.user_managed_dependencies = bool(python) and not _installs(made)
        if conda and not requirements:
            self.notices.append(f"{conda}: {NO_CONDA}")
        if needed.conda_packages:
            self.notices.append(f"{', '.join(needed.conda_packages)}: {NO_CONDA}")
        return made

    def _values(self) -> dict[str, Any]:
        environment, section = self.environment, self.environment.python
        longest_s = self.max_run_duration_seconds
        return {
            "script": self.script,
            "arguments": [str(argument) for argument in self.arguments],
            "command": self.command,
            "target": str(getattr(self.target, "name", self.target)),
            "framework": self.framework,
            "communicator": self.communicator,
            "maxRunDurationSeconds": longest_s and float(longest_s),
            "environment.name": environment.name or None,
            "environment.python.userManagedDependencies": section.user_managed_dependencies
            or not _installs(environment),
            "environment.python.interpreterPath": str(section.interpreter_path or "python"),
            "environment.python.requirementsFile": environment.requirements,
            DEPENDENCIES: _as_list(section.conda_dependencies),
            "environment.environmentVariables": environment.environment_variables or None,
            "environmentVariables": self.environment_variables or None,
        }

    @staticmethod
    def _target_of(path: Path, name: str | None) -> Path:
        if path.is_dir():
            if not name:
                raise UserErrorException("save needs the name of the run configuration")
            return path / FOLDERS[0] / (name if name.endswith(SUFFIX) else name + SUFFIX)
        if not path.parent.is_dir():
            raise UserErrorException(f"save: there is no folder {str(path.parent)!r}")
        return path

    def __repr__(self) -> str:
        what = self.command or self.script
        return f"RunConfiguration({what!r}, target={self.target!r})"


def _installs(environment: Environment) -> bool:
    """Whether anything is asked for on top of an interpreter."""
    return bool(environment.requirements or _as_list(environment.python.conda_dependencies))


def _as_list(needed: CondaDependencies) -> list[Any] | None:
    """Dependencies as in an environment file of conda; None when there are none."""
    python = [f"python={needed.python_version}"] if needed.python_version else []
    pip = [{"pip": needed.pip_packages}] if needed.pip_packages else []
    return [*python, *needed.conda_packages, *pip] or None


def _dependencies_of(values: dict[str, list[str]]) -> CondaDependencies:
    return CondaDependencies.create(
        pip_packages=values.get("pip"), conda_packages=values.get("conda")
    )


def _found(path: Path, name: str | None) -> Path:
    if path.is_file():
        return path
    if not name:
        raise UserErrorException(f"{str(path)!r} is no file; give the name of the configuration")
    folders = [*(path / folder for folder in FOLDERS), path]
    for folder in folders:
        for file in (folder / name, folder / (name + SUFFIX)):
            if file.is_file():
                return file
    there = sorted({file.stem for folder in folders for file in folder.glob("*" + SUFFIX)})
    known = f"; there are {', '.join(there)}" if there else "; `studio folder attach` writes two"
    places = f"{FOLDERS[0]}/{name}{SUFFIX} or {FOLDERS[1]}/{name}{SUFFIX}"
    raise UserErrorException(f"There is no {places} in {path.absolute()}{known}.")


def _unmet(values: dict[str, Any]) -> list[str]:
    """What the file asks for, and does not get."""
    found = []
    if values.get("framework", "Python") not in ("Python", ""):
        found.append(f"framework {values['framework']}: the script runs as plain Python")
    if values.get("communicator", "None") not in ("None", "none", ""):
        found.append(f"communicator {values['communicator']}: one process is started")
    if values.get("history.outputCollection") is False:
        found.append("history.outputCollection: the files of outputs/ are kept all the same")
    if values.get("history.snapshotProject") is False:
        found.append("history.snapshotProject: the source travels to the worker all the same")
    watched = values.get("history.directoriesToWatch")
    if watched and watched != ["logs"]:
        found.append("history.directoriesToWatch: only logs/ is followed while the script runs")
    return found
