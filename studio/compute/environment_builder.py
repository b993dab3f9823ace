"""Finds or builds the Python of one run: a program of its own, ended like a script.

Run as `python -S -m studio.compute.environment_builder request.json`, standard library only. What
it and the installer print is for people; what came of it is in the report.

request   {store, most_bytes, own_python, python, wanted: [module], installer: path or "",
           requirements: null or {identity, and lists of [before, source, after]: options, packages,
           constraints}}
report    replaced as a whole: {state: looking | waiting | building | ready | failed, …}; ready has
          the fields of `Ready`, failed an `error` in words. Beside the request.

Killed at any moment it leaves nothing that is taken for whole: see `environments`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.compute.addresses import without_logins
from studio.compute.environments import Built, Store, key_of, seal, size_of
from studio.compute.index_settings import for_uv, no_index
from studio.compute.workdir import remove

REPORT_FILE = "report.json"
PROBE_S = 30.0
LOOK_S = 5.0
# What an interpreter says of itself; any Python 3 can run it.
PROBE = """
import importlib.util, json, os, platform, sys
base = getattr(sys, "_base_executable", "") or sys.executable
prefix = sys.prefix if sys.prefix != sys.base_prefix or os.path.isdir(
    os.path.join(sys.prefix, "conda-meta")) else ""
print(json.dumps({
    "version": platform.python_version(), "implementation": sys.implementation.name,
    "platform": sys.platform + "-" + platform.machine(), "base": os.path.realpath(base),
    "executable": sys.executable, "prefix": prefix,
    "missing": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]}))
"""
# What the installer reads, and the option that names it.
FILES = {"packages.txt": "-r", "constraints.txt": "-c"}
OWN = {"", "python", "python3"}
NO_SPACE = "No space left on device"


class Failure(Exception):
    """The environment can't be made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The Python of a run: `source` is given, cache or built; `prefix` is the folder of a virtual
    or conda environment, else empty; `missing`: wanted modules that it can't import."""

    python: str
    version: str
    source: str
    prefix: str = ""
    key: str = ""
    n_packages: int = 0
    seconds: float = 0.0
    missing: tuple[str, ...] = ()


class Report:
    """Tells the worker how far it is, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, state: str, **facts: Any) -> None:
        aside = self.path.with_suffix(".new")
        aside.write_text(json.dumps({"state": state, **facts}), encoding="utf-8")
        aside.replace(self.path)


class Builder:
    """One request, from the interpreter to the report."""

    def __init__(self, request: dict[str, Any], report: Report) -> None:
        self.request, self.report = request, report
        self.store = Store(Path(request["store"]))
        self.wanted: list[str] = request["wanted"]
        self.requirements: dict[str, Any] | None = request["requirements"]

    def run(self) -> Ready:
        """The Python that was asked for, made when it is not there yet. Raises Failure, OSError."""
        began = time.monotonic()
        python = find_python(self.request["python"], own=self.request["own_python"])
        facts = probe(python, self.wanted)
        if self.requirements is None:
            tell(f"Python {facts['version']} ({facts['executable']})")
            missing, prefix = tuple(facts["missing"]), facts["prefix"]
            return Ready(facts["executable"], facts["version"], "given", prefix, missing=missing)
        names = ("version", "implementation", "platform", "base")
        key = key_of(self.requirements["identity"], {name: facts[name] for name in names})
        built = self.store.find(key)
        if built is not None:
            return self._ready(built, "cache", began)
        with self.store.build_lock(key, lambda: self._wait(key)):
            built = self.store.find(key)
            if built is not None:
                return self._ready(built, "cache", began)
            self.store.sweep(locked=key)
            built = self._build(key, facts, self.requirements)
        for removed in self.store.shrink(self.request["most_bytes"]):
            tell(f"Removed the environment {removed[:12]}, which was not used for longest")
        return self._ready(built, "built", began)

    def _wait(self, key: str) -> None:
        tell(f"Waiting: another run builds the environment {key[:12]} at this moment")
        self.report.say("waiting", n_packages=self._n_packages())

    def _n_packages(self) -> int:
        return len(self.requirements["packages"]) if self.requirements else 0

    def _ready(self, built: Built, source: str, began: float) -> Ready:
        self.store.touch(built.key)
        words = "was built" if source == "built" else "is there from an earlier run"
        tell(f"The environment {built.key[:12]} {words}: Python {built.version}")
        seconds = round(time.monotonic() - began, 2)
        prefix = str(Path(built.python).parents[1])
        return Ready(
            *(built.python, built.version, source, prefix),
            *(built.key, built.n_packages, seconds, built.missing),
        )

    # ------------------------------------------------------------ building
    def _build(self, key: str, facts: dict[str, Any], asked: dict[str, Any]) -> Built:
        n = self._n_packages()
        self.report.say("building", n_packages=n)
        tell(f"Building the environment {key[:12]}: Python {facts['version']}, {_packages(n)}")
        began, folder = time.monotonic(), self.store.new_folder(key)
        try:
            python = self._install(folder, facts["executable"], asked)
            found = probe(str(python), self.wanted)
            for name in ("tmp", "sources"):
                remove(folder / name)
            for name in FILES:  # an address of an index may hold a password
                (folder / name).unlink(missing_ok=True)
            seal(folder / "venv")
            seconds = round(time.monotonic() - began, 2)
            size, missing = size_of(folder), tuple(found["missing"])
            built = Built(
                key, str(folder), str(python), found["version"], n, size, seconds, missing
            )
            self.store.publish(built)
            return built
        except BaseException:
            remove(folder)
            raise

    def _install(self, folder: Path, base: str, asked: dict[str, Any]) -> Path:
        """The interpreter of a new virtual environment below `folder` with all packages in it."""
        (folder / "tmp").mkdir()
        venv, uv = folder / "venv", self.request["installer"]
        python = venv / "bin" / "python"
        files, options = self._write_files(folder, asked)
        if uv:
            run([uv, "venv", "-q", "--no-project", "--python", base, str(venv)], folder)
            head = [uv, "pip", "install", "--compile-bytecode", "--python", str(python)]
            options = [*_uv_options(options), *(["--no-index"] if no_index(os.environ) else [])]
        else:
            run([base, "-m", "venv", str(venv)], folder)
            head = [str(python), "-m", "pip", "install", "--no-input"]
        if self._n_packages():
            run([*head, *options, *files], folder)
        return python

    def _write_files(self, folder: Path, asked: dict[str, Any]) -> tuple[list[str], list[str]]:
        """The arguments that name the files for the installer, and its options."""
        found: list[str] = []
        for file_name, flag in FILES.items():
            kind = file_name.removesuffix(".txt")
            lines = [self._line(folder, *line) for line in asked[kind]]
            if lines:
                file = folder / file_name
                file.write_text("\n".join([*lines, ""]), encoding="utf-8")
                found += [flag, str(file)]
        texts = (self._line(folder, *line) for line in asked["options"])
        return found, [part for text in texts for part in text.split(" ", 1)]

    def _line(self, folder: Path, before: str, source: str, after: str) -> str:
        if source and Path(source).is_dir():
            # An installer builds inside of it: the run's own copy stays as it was submitted.
            copies = folder / "sources"
            copies.mkdir(exist_ok=True)
            copy = copies / f"{len(list(copies.iterdir()))}" / Path(source).name
            source = str(shutil.copytree(source, copy, symlinks=True))
        return before + (Path(source).as_uri() if source else "") + after


def _packages(n: int) -> str:
    return f"{n:,} package{'' if n == 1 else 's'}"


def _uv_options(options: list[str]) -> list[str]:
    """Options of pip in the words of uv."""
    words = {"--pre": ["--prerelease", "allow"], "--prefer-binary": [],
             "--trusted-host": ["--allow-insecure-host"]}  # fmt: skip
    return [part for option in options for part in words.get(option, [option])]


def find_python(name: str, *, own: str) -> str:
    """The path of an interpreter by path, or by name on this machine. Raises Failure."""
    if name in OWN:
        return own
    if "/" in name:
        if os.path.isabs(name) and os.access(name, os.X_OK) and os.path.isfile(name):
            return name
        raise Failure(f"There is no Python at {name} on this worker. {what_there_is()}")
    wanted = f"python{name}" if name[:1].isdigit() else name
    for path in _on_path(re.escape(wanted)):
        if _answers(path):
            return str(path)
    raise Failure(f"There is no Python called “{name}” on this worker. {what_there_is()}")


def what_there_is() -> str:
    """The interpreters on the path, in words."""
    found: dict[str, Path] = {}
    for path in _on_path(r"(python|pypy)3(\.\d+)?t?"):
        if path.name not in found and _answers(path):
            found[path.name] = path
    words = ", ".join(f"{name} ({path})" for name, path in sorted(found.items()))
    return f"It has: {words or 'none'}. Give one of these, or none for the worker's own."


def _on_path(pattern: str) -> Iterator[Path]:
    """The programs whose names match, in the order in which they are found."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder and os.path.isdir(folder):
            for name in sorted(os.listdir(folder)):
                if re.fullmatch(pattern, name) and os.access(Path(folder, name), os.X_OK):
                    yield Path(folder, name)


def _answers(python: Path) -> bool:
    """Whether it runs at all: stand-ins for versions that are not there may be on the path."""
    quiet, env = subprocess.DEVNULL, installer_environment(None)
    try:
        done = subprocess.run(
            [python, "-c", ""], stdin=quiet, stdout=quiet, stderr=quiet, env=env, cwd="/",
            timeout=LOOK_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def probe(python: str, wanted: list[str]) -> dict[str, Any]:
    """What the interpreter says of itself. Raises Failure when it is none."""
    try:
        done = subprocess.run(
            [python, "-c", PROBE, *wanted],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROBE_S,
            cwd="/", errors="replace", env=installer_environment(None), check=True,
        )  # fmt: skip
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        last = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise Failure(f"{python} does not answer as a Python 3 does: {''.join(last)}") from error
    return facts


def installer_environment(folder: Path | None) -> dict[str, str]:
    """This process's variables without what would lead an installer or interpreter elsewhere; what
    it writes aside goes below `folder`."""
    left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET",
                "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV",
                "UV_PROJECT_ENVIRONMENT"}  # fmt: skip
    env = {key: value for key, value in os.environ.items() if key not in left_out}
    if folder is None:
        return env
    # Files shared with uv's cache could not be sealed: who changes one changes it for all.
    return {"UV_LINK_MODE": "copy"} | for_uv(env) | env | {
        "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1", "GIT_TERMINAL_PROMPT": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off",
        "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1",
    }  # fmt: skip


def run(argv: list[str], folder: Path) -> None:
    """One step of the installer, whose words go where this program's go. Raises Failure."""
    tell("$ " + " ".join(_short(word, folder) for word in argv))
    env = installer_environment(folder)
    code = subprocess.run(
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, check=False
    ).returncode
    if code:
        name = Path(argv[0]).name
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise Failure(f"{name if name == 'uv' else 'pip'} {how}")


def _short(word: str, folder: Path) -> str:
    """A word of a command line, without the folder that nobody needs to see, or a password."""
    return without_logins(word).replace(f"{folder}/", "")


def tell(words: str) -> None:
    sys.stdout.write(f"[studio] {words}\n")
    sys.stdout.flush()


def main(request_file: str) -> int:
    """The exit code: 0 when the report says ready."""
    path = Path(request_file)
    report = Report(path.with_name(REPORT_FILE))
    request = json.loads(path.read_text(encoding="utf-8"))
    try:
        ready = Builder(request, report).run()
    except KeyboardInterrupt:
        tell("Stopped")
        return 130
    except Failure as failure:
        return _failed(report, str(failure))
    except OSError as error:
        where = error.filename or request["store"]
        return _failed(report, f"{error.strerror or error} ({where})")
    report.say("ready", **asdict(ready))
    return 0


def _failed(report: Report, words: str) -> int:
    tell(words)
    report.say("failed", error=words)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
