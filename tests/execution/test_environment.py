"""A submitted script gets the worker's environment without the server's secrets."""

import sys
from typing import Any

import pytest

from studio.compute.environment_builder import Ready
from studio.execution.building import facts_of, is_own, words_of
from studio.execution.environment import (
    Interpreter,
    command,
    for_installer,
    inherited,
    variables,
)

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
    assert for_installer({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_what_training_needs_passes() -> None:
    kept = {"CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "2", "LANG": "C.UTF-8"}
    assert inherited(kept) == kept


def test_an_installer_is_let_in_by_the_machines_index_and_a_script_is_not() -> None:
    index = {"PIP_INDEX_URL": "https://i", "UV_INDEX_URL": "https://i"}
    login = {"UV_INDEX_OURS_USERNAME": "me", "UV_INDEX_OURS_PASSWORD": "secret"}
    assert for_installer(index | login) == index | login
    assert inherited(index | login | {"PIP_EXTRA_INDEX_URL": "https://me:x@i"}) == {}
    assert for_installer({"UV_PUBLISH_PASSWORD": "x", "UV_PUBLISH_TOKEN": "x"}) == {}


def test_the_studios_own_variables_cannot_be_replaced(settings: Any) -> None:
    asked = {**REQUEST, "variables": {"STUDIO_RUN_ID": "other", "EPOCHS": 3}}
    found = variables(asked, secret="s", target="local", spool="/run/spool")
    assert found["STUDIO_RUN_ID"] == "abc"
    assert found["EPOCHS"] == "3"
    assert found["STUDIO_TOKEN"] == "s"
    assert found["STUDIO_SPOOL_DIR"] == "/run/spool"


def test_a_script_logs_with_mlflow_into_its_own_run_unless_it_is_told_where(settings: Any) -> None:
    settings.STUDIO_BASE_URL = "http://studio.example"
    found = variables(REQUEST, secret="s", target="local", spool="/run/spool")
    assert found["MLFLOW_TRACKING_URI"] == "http://studio.example"
    assert (found["MLFLOW_TRACKING_TOKEN"], found["MLFLOW_RUN_ID"]) == ("s", "abc")

    own = {**REQUEST, "variables": {"MLFLOW_TRACKING_URI": "http://mine"}}
    told = variables(own, secret="s", target="local", spool="/run/spool")
    assert told["MLFLOW_TRACKING_URI"] == "http://mine"
    assert not {"MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID"} & set(told)


def test_a_built_environment_comes_before_the_workers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PATH", "/usr/bin"), ("VIRTUAL_ENV", "/own"), ("CONDA_PREFIX", "/conda")):
        monkeypatch.setenv(name, value)
    python = Interpreter("/e/bin/python", prefix="/e", modules="/lent")
    found = variables(REQUEST, secret="s", target="local", spool="/run/spool", python=python)
    assert (found["PATH"], found["VIRTUAL_ENV"]) == ("/e/bin:/usr/bin", "/e")
    assert "CONDA_PREFIX" not in found
    assert found["PYTHONPATH"].endswith(":/lent")
    own = variables(
        {**REQUEST, "variables": {"PATH": "/mine"}}, secret="s", target="local", spool="/run/spool"
    )
    assert (own["PATH"], own["VIRTUAL_ENV"]) == ("/mine", "/own")


def test_a_script_runs_under_an_interpreter_and_a_command_as_it_is() -> None:
    assert command(["train.py", "--lr", "1"], "/py") == ["/py", "-u", "train.py", "--lr", "1"]
    assert command(["python", "-m", "x"], "/py", is_command=True) == ["/py", "-m", "x"]
    assert command(["echo", "a; rm -rf /"], "/py", is_command=True) == ["echo", "a; rm -rf /"]
    assert Interpreter().path == sys.executable


@pytest.mark.parametrize(
    ("environment", "own"),
    [
        ({}, True),
        ({"python": "python", "packages": []}, True),
        ({"python": "python3.12"}, False),
        ({"requirements": "r.txt"}, False),
        ({"packages": ["six"]}, False),
    ],
)
def test_the_workers_own_python_needs_no_preparing(environment: dict[str, Any], own: bool) -> None:
    assert is_own(environment) is own


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({}, ""),
        ({"state": "ready"}, ""),
        ({"state": "building", "n_packages": 1}, "Building environment (1 package)"),
        ({"state": "building", "n_packages": 1200}, "Building environment (1,200 packages)"),
        (
            {"state": "waiting", "n_packages": 2},
            "Waiting for another run that builds the same environment (2 packages)",
        ),
    ],
)
def test_what_a_builder_is_at_in_words(report: dict[str, Any], words: str) -> None:
    assert words_of(report) == words


def test_a_run_is_told_of_its_python() -> None:
    assert facts_of(Ready("/py", "3.12.1", "given")) == {
        "environment.python": "3.12.1",
        "environment.source": "given",
        "environment.interpreter": "/py",
    }
    built = Ready("/e/bin/python", "3.12.1", "built", "/e", "k" * 32, 12, 3.14)
    assert facts_of(built) == {
        "environment.python": "3.12.1",
        "environment.source": "built",
        "environment.key": "k" * 32,
        "environment.packages": "12",
        "environment.seconds": "3.1",
    }
