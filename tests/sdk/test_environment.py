"""The environment of a script, with the original's names, as the studio is told of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.sdk import (
    CondaDependencies,
    Environment,
    Experiment,
    RunConfiguration,
    ScriptRunConfig,
    UserErrorException,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "deep").mkdir(parents=True)
    (folder / "train.py").write_text("")
    (folder / "req.txt").write_text("six\n")
    (folder / "deep" / "req.txt").write_text("six\n")
    (tmp_path / "other.txt").write_text("# ours\nsix==1.16  # pinned\nnumpy\\\n>=2\n")
    (tmp_path / "options.txt").write_text("--pre\nsix\n")
    return folder


def sent(source: Path, environment: Any, **more: Any) -> dict[str, Any]:
    config = ScriptRunConfig(source, "train.py", environment=environment, **more)
    return {key: value for key, value in config.wire("s")["environment"].items() if value}


def chosen(change: Callable[[Environment], Any]) -> Environment:
    environment = Environment("e")
    change(environment)
    return environment


def use(environment: Environment, *, python: str, managed: bool) -> None:
    environment.python.interpreter_path = python
    environment.python.user_managed_dependencies = managed
    environment.python.conda_dependencies.add_pip_package("six")


def test_what_the_studio_is_told(source: Path) -> None:
    needed = CondaDependencies.create(
        pip_packages=["a", "a"], conda_packages=["python=3.12", "pip"]
    )
    told: list[tuple[Any, dict[str, Any]]] = [
        (None, {}),
        ("/opt/py", {"python": "/opt/py"}),
        ("req.txt", {"requirements": "req.txt"}),
        ({"python": "python3.12", "variables": {"A": "1"}},
         {"python": "python3.12", "variables": {"A": "1"}}),
        (Environment("e"), {"name": "e"}),
        (Environment.from_existing_interpreter("e", "/py"), {"name": "e", "python": "/py"}),
        (Environment.from_pip_requirements("e", "./deep/req.txt"),
         {"name": "e", "requirements": "deep/req.txt"}),
        (Environment.from_pip_requirements("e", source / "req.txt"),
         {"name": "e", "requirements": "req.txt"}),
        (Environment.from_pip_requirements("e", source.parent / "other.txt"),
         {"name": "e", "packages": ["six==1.16", "numpy>=2"]}),
        (chosen(lambda e: use(e, python="python", managed=True)), {"name": "e"}),
        (chosen(lambda e: use(e, python="/py", managed=True)), {"name": "e", "python": "/py"}),
        (chosen(lambda e: use(e, python="/py", managed=False)),
         {"name": "e", "python": "/py", "packages": ["six"]}),
        (chosen(lambda e: setattr(e.python, "conda_dependencies", needed)),
         {"name": "e", "python": "python3.12", "packages": ["a"]}),
    ]  # fmt: skip
    for environment, body in told:
        assert sent(source, environment) == body


def test_a_run_configuration_brings_its_environment(source: Path) -> None:
    needed = CondaDependencies()
    needed.add_pip_package("six")
    needed.add_pip_package("numpy")
    needed.remove_pip_package("six")
    given = RunConfiguration("train.py", ["--lr", 1], conda_dependencies=needed)
    given.environment_variables["A"] = "1"
    given.max_run_duration_seconds = 60
    config = ScriptRunConfig(source, run_config=given)
    body = config.wire("s")
    assert body["environment"] == {"packages": ["numpy"], "variables": {"A": "1"}}
    assert (body["script"], body["arguments"], body["target"]) == (
        "train.py",
        ["--lr", "1"],
        "local",
    )
    assert config.max_run_duration_seconds == 60


def test_what_is_given_wins_over_the_run_configuration() -> None:
    script, command = RunConfiguration("train.py", ["--lr", 1]), RunConfiguration(command="echo a")
    script.max_run_duration_seconds = 60
    by_command = ScriptRunConfig(command=["echo", "b"], run_config=script)
    assert (by_command.script, by_command.arguments) == (None, [])
    assert by_command.command == ["echo", "b"]
    by_script = ScriptRunConfig(script="other.py", run_config=command)
    assert (by_script.script, by_script.command) == ("other.py", None)
    assert ScriptRunConfig(run_config=command).command == "echo a"
    longest = [
        ScriptRunConfig(run_config=script, max_run_duration_seconds=given).max_run_duration_seconds
        for given in (2_592_000, None, 5)
    ]
    assert longest == [2_592_000, None, 5]
    with pytest.raises(UserErrorException, match="either a script or a command"):
        ScriptRunConfig(script="a.py", command="echo", run_config=script)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.python.conda_dependencies.add_conda_package("numpy"), "can't install .*numpy"),
        (lambda e: e.python.conda_dependencies.add_pip_package("-r x.txt"), "options belong"),
        (lambda e: setattr(e, "requirements", "none.txt"), "no requirements file 'none.txt'"),
        (lambda e: setattr(e, "requirements", "../options.txt"), "has the option '--pre'"),
    ],
)
def test_what_the_studio_can_not_make_is_refused_here(
    source: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Environment], Any], words: str
) -> None:
    monkeypatch.chdir(source)
    with pytest.raises(UserErrorException, match=words):
        sent(source, chosen(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: None,
        lambda e: setattr(e.python, "interpreter_path", "python3.12"),
        lambda e: e.python.conda_dependencies.add_pip_package("six==1.16"),
        lambda e: setattr(e, "requirements", "deep/req.txt"),
    ],
)
def test_a_submitted_run_tells_its_environment(
    change: Callable[[Environment], Any], source: Path, experiment: Experiment
) -> None:
    environment = chosen(change)
    environment.environment_variables["KEY"] = "secret"
    run = experiment.submit(ScriptRunConfig(source, "train.py", environment=environment))

    told = run.get_environment()

    expected = sent(source, environment)
    assert expected.pop("variables") == {"KEY": "secret"}
    assert sent(source, told) == expected


def test_a_run_that_was_not_submitted_has_no_environment(experiment: Experiment) -> None:
    run = experiment.start_logging(snapshot_directory=None)
    with pytest.raises(UserErrorException, match="was not submitted"):
        run.get_environment()
    run.complete()
