"""A submitted script gets the worker's environment without the server's secrets."""

import sys
from typing import Any

import pytest

from studio.execution.environment import command, inherited, variables

REQUEST = {"run_uid": "abc", "workspace": "lab", "variables": {"EPOCHS": 3}}


@pytest.mark.parametrize(
    "name",
    [
        "STUDIO_SECRET_KEY",
        "STUDIO_ADMIN_PASSWORD",
        "DATABASE_URL",
        "CELERY_BROKER_URL",
        "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",
        "EMAIL_URL",
        "DJANGO_SETTINGS_MODULE",
        "GITHUB_TOKEN",
        "SOME_API_KEY",
    ],
)
def test_a_secret_of_the_server_is_withheld(name: str) -> None:
    assert inherited({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_what_training_needs_passes() -> None:
    kept = {"CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "2", "LANG": "C.UTF-8"}
    assert inherited(kept) == kept


def test_the_studios_own_variables_cannot_be_replaced(settings: Any) -> None:
    asked = {**REQUEST, "variables": {"STUDIO_RUN_ID": "other", "EPOCHS": 3}}
    found = variables(asked, secret="s", target="local")
    assert found["STUDIO_RUN_ID"] == "abc"
    assert found["EPOCHS"] == "3"
    assert found["STUDIO_TOKEN"] == "s"


def test_a_script_runs_under_an_interpreter_and_a_command_as_it_is() -> None:
    assert command(["train.py", "--lr", "1"], {}) == [sys.executable, "-u", "train.py", "--lr", "1"]
    assert command(["python", "-m", "x"], {"is_command": True}) == [sys.executable, "-m", "x"]
    assert command(["echo", "a; rm -rf /"], {"is_command": True}) == ["echo", "a; rm -rf /"]
    assert command(["t.py"], {"python": "/opt/py"}) == ["/opt/py", "-u", "t.py"]
