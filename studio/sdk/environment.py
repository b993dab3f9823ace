"""The Python of a submitted script, with the names of the original: Environment, its sections
`python` and `python.conda_dependencies`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.sdk.errors import UserErrorException
from studio.sdk.state import checked_texts

OWN = ("", "python", "python3")
CONDA_PYTHON = re.compile(r"python\s*={1,2}\s*(\d+(?:\.\d+)?)(?:\.[\d*]+)?")


class CondaDependencies:
    """The packages of an environment. The studio installs with pip: packages of Conda are refused
    when the script is submitted, but for `python=3.12`, which chooses the interpreter."""

    def __init__(self) -> None:
        self._pip: list[str] = []
        self._conda: list[str] = []
        self.python_version = ""

    @classmethod
    def create(
        cls,
        *,
        pip_packages: Iterable[str] | None = None,
        conda_packages: Iterable[str] | None = None,
        python_version: str | None = None,
    ) -> CondaDependencies:
        """Dependencies with these packages."""
        made = cls()
        for package in pip_packages or ():
            made.add_pip_package(package)
        for package in conda_packages or ():
            made.add_conda_package(package)
        made.python_version = python_version or made.python_version
        return made

    @property
    def pip_packages(self) -> list[str]:
        """The packages that pip installs, in the order they were added."""
        return list(self._pip)

    @property
    def conda_packages(self) -> list[str]:
        """Packages of Conda, which the studio can't install."""
        return list(self._conda)

    def add_pip_package(self, pip_package: str) -> None:
        """Add one requirement such as `numpy>=2`; adding it again changes nothing."""
        text = str(pip_package).strip()
        if not text or text.startswith("-") or "\n" in text:
            raise UserErrorException(
                f"{pip_package!r} is not a package; options belong into a requirements file: "
                "Environment.from_pip_requirements(name, file_path)"
            )
        if text not in self._pip:
            self._pip.append(text)

    def remove_pip_package(self, pip_package: str) -> None:
        """Leave a requirement out that was added."""
        self._pip = [text for text in self._pip if text != pip_package]

    def add_conda_package(self, conda_package: str) -> None:
        """Choose the Python by `python=3.12`; other packages are refused at submit."""
        found = CONDA_PYTHON.fullmatch(conda_package.strip())
        if found:
            self.python_version = found[1]
        elif conda_package.strip() != "pip" and conda_package not in self._conda:
            self._conda.append(conda_package)

    def set_python_version(self, version: str) -> None:
        """Run on this Python of the worker, such as 3.12."""
        self.python_version = str(version)


class PythonSection:
    """What Python an environment is made of.

    With `user_managed_dependencies` nothing is installed: the script runs on `interpreter_path`,
    a path or a name on the worker ("python": the worker's own). Without, what
    `conda_dependencies` name is installed into an environment of its own, built once per content.
    """

    def __init__(self) -> None:
        self.user_managed_dependencies = False
        self.interpreter_path = "python"
        self.conda_dependencies = CondaDependencies()


class Environment:
    """How a script's Python is made: the worker's own, an interpreter, or built from a requirements
    file or packages; and environment variables."""

    def __init__(
        self,
        name: str = "",
        python: str | None = None,
        requirements: str | None = None,
        environment_variables: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.requirements = requirements
        self.environment_variables = dict(environment_variables or {})
        self.python = PythonSection()
        if python:
            self.python.interpreter_path = python
            self.python.user_managed_dependencies = not requirements

    @classmethod
    def from_pip_requirements(cls, name: str, file_path: str | os.PathLike[str]) -> Environment:
        """An environment built from a requirements file: one of the source folder, by its path from
        there, or any other of this machine, whose lines then travel with the run."""
        return cls(name, requirements=str(file_path))

    @classmethod
    def from_existing_interpreter(cls, name: str, interpreter_path: str) -> Environment:
        """An interpreter of the worker, a path or a name such as python3.12, as it is."""
        return cls(name, python=interpreter_path)

    @classmethod
    def told(cls, facts: dict[str, Any]) -> Environment:
        """The environment that the studio tells of a run, whose variables it keeps to itself."""
        made = cls(str(facts.get("name") or ""), facts.get("python"), facts.get("requirements"))
        for package in facts.get("packages") or ():
            made.python.conda_dependencies.add_pip_package(package)
            made.python.user_managed_dependencies = False
        return made

    def __repr__(self) -> str:
        return f"Environment({self.name!r})"

    def wire(self, source_directory: str | os.PathLike[str] = ".") -> dict[str, Any]:
        """The environment as the studio takes it, for a script of this folder. Raises
        UserErrorException."""
        variables = checked_texts(self.environment_variables, "variables")
        section, needed = self.python, self.python.conda_dependencies
        python = str(section.interpreter_path or "")
        body: dict[str, Any] = {"variables": variables}
        if self.name:
            body["name"] = self.name
        if section.user_managed_dependencies:
            return body | _python_of(python)
        if needed.conda_packages:
            raise UserErrorException(
                f"The studio installs with pip and can't install packages of Conda: "
                f"{', '.join(needed.conda_packages)}. Name them by add_pip_package, or use an "
                "interpreter that has them: python.user_managed_dependencies = True and "
                "python.interpreter_path"
            )
        packages = needed.pip_packages
        if self.requirements:
            file, lines = _found(self.requirements, Path(source_directory))
            body |= {"requirements": file} if file else {}
            packages = [*packages, *(line for line in lines if line not in packages)]
        if packages:
            body["packages"] = packages
        chosen = f"python{needed.python_version}" if needed.python_version else python
        return body | _python_of(chosen)


def _python_of(python: str) -> dict[str, str]:
    return {} if python in OWN else {"python": python}


def _found(requirements: str, source: Path) -> tuple[str, list[str]]:
    """(path in the source, []) of a requirements file that travels with it, ("", its lines) of
    another one."""
    root = source.resolve()
    there = [path for path in (root / requirements, Path(requirements)) if path.is_file()]
    if not there:
        raise UserErrorException(
            f"There is no requirements file {requirements!r}, neither in the source folder "
            f"{str(source)!r} nor from here"
        )
    file = there[0].resolve()
    if file.is_relative_to(root):
        return file.relative_to(root).as_posix(), []
    text = re.sub(r"\\\n", "", file.read_text(encoding="utf-8-sig"))
    lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in text.splitlines()]
    if options := [line for line in lines if line.startswith("-")]:
        raise UserErrorException(
            f"{requirements!r} has the option {options[0]!r}; a file with options must lie in the "
            "source folder, so that it travels to the worker as it is"
        )
    return "", [line for line in lines if line]
