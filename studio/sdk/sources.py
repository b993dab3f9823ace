"""Where a run comes from: git facts, command line, Python and packages of this process."""

from __future__ import annotations

import os
import platform
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

GIT_TIMEOUT_S = 5.0


def git_properties(folder: str | os.PathLike[str] = ".") -> dict[str, str]:
    """The commit of a folder under the original's property names; {} without git.

    AZUREML_GIT_REPOSITORY_URI, _BRANCH, _COMMIT and _DIRTY override what git says.
    """
    facts = {
        "repository_uri": _without_password(_git(folder, "ls-remote", "--get-url")),
        "branch": _git(folder, "symbolic-ref", "--short", "HEAD"),
        "commit": _git(folder, "rev-parse", "HEAD"),
    }
    if facts["commit"]:
        facts["dirty"] = str(bool(_git(folder, "status", "--porcelain", ".")))
    else:
        facts = dict.fromkeys(facts, "")
    properties = {}
    for key, fact in facts.items():
        known = os.environ.get(f"AZUREML_GIT_{key.upper()}") or fact
        if known:
            properties[f"azureml.git.{key}"] = known
    renamed = {"repository_uri": "repoURL", "branch": "branch", "commit": "commit"}
    for key, name in renamed.items():
        if value := properties.get(f"azureml.git.{key}"):
            properties[f"mlflow.source.git.{name}"] = value
    return properties


def definition(git: dict[str, str]) -> dict[str, Any]:
    """The circumstances of this process: command line, Python, packages, host, folder."""
    return {
        "command_line": shlex.join([sys.executable, *sys.argv]),
        "python_version": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages(),
        "git": {key.rpartition(".")[2]: v for key, v in git.items() if key.startswith("azureml.")},
        "hostname": socket.gethostname(),
        "cwd": os.getcwd(),
        "pid": os.getpid(),
    }


def packages() -> dict[str, str]:
    """Installed distributions and their versions, by name; at most 2,000."""
    from importlib import metadata

    found: dict[str, str] = {}
    for path in metadata.distributions():
        name = path.name if hasattr(path, "name") else ""
        if name and len(found) < 2000:
            found[name] = path.version
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def main_script() -> str:
    """The file name of the running program, or "" in a notebook or shell."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).name if file else ""


def _git(folder: str | os.PathLike[str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _without_password(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    if not separator or "@" not in host:
        return uri
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
