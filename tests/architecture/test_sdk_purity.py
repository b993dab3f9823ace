"""Training code imports the SDK; it must not pay for a server it does not have."""

import json
import os
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.sources import ROOT, STUDIO, listing

HEAVY = {
    "django", "ninja", "pydantic", "celery", "kombu", "numpy", "pandas", "matplotlib", "plotly",
    "jinja2", "markdown", "bleach", "nh3", "psutil", "PIL", "redis", "psycopg",
}  # fmt: skip
CLIENT_SIDE = {
    "studio.sdk": {"sdk", "wire"},
    "studio.wire": {"wire"},
    "studio.cli": {"cli", "sdk", "wire"},
}
THERE = [name for name in CLIENT_SIDE if (STUDIO / name.split(".")[1]).is_dir()]


def loaded_by(module: str) -> list[str]:
    """The names of all modules that a fresh interpreter holds after importing `module`."""
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    bare = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**bare, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    names: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return names


@pytest.mark.parametrize("module", THERE)
def test_importing_the_client_side_loads_no_server(module: str) -> None:
    problems = []
    for name in loaded_by(module):
        top, _, rest = name.partition(".")
        if top in HEAVY:
            problems.append(f"import {module} loads {name}")
        elif top == "studio" and rest and rest.split(".")[0] not in CLIENT_SIDE[module]:
            problems.append(f"import {module} loads the server's {name}")

    assert not problems, listing(problems)


def test_the_guard_starts_with_the_bare_standard_library() -> None:
    """It runs as `python -I -S`: no installed package is even on its path."""
    guard = STUDIO / "compute" / "guard.py"
    words = [sys.executable, "-I", "-S", str(guard), "/no/such/meta.json"]

    done = subprocess.run(words, capture_output=True, text=True, cwd="/")

    assert "No such file or directory: '/no/such/meta.json'" in done.stderr


def test_what_pip_installs_exists_and_is_the_client_side() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]

    assert set(packages) == {"studio", *THERE}
