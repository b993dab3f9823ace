"""`.runconfig` files: what they may hold, what is wrong with its line, and out and in again."""

from pathlib import Path
from typing import Any

import pytest

from studio.sdk import Environment, RunConfiguration, UserErrorException
from studio.sdk.errors import RunConfigurationException
from studio.sdk.runconfig import NO_CONDA

ORIGINAL = """\
script: train.py
arguments: [--lr, 1e-3, --on, no]
target: gpu
framework: Python
communicator: None
maxRunDurationSeconds: 3600
nodeCount: 1
environment:
  name: sklearn
  version:
  environmentVariables: {OMP_NUM_THREADS: 2}
  python:
    userManagedDependencies: true
    interpreterPath: /opt/venv/bin/python
    condaDependenciesFile: .azureml/conda_dependencies.yml
  docker: {enabled: true, baseImage: some/image}
  spark: {repositories: []}
history: {outputCollection: true, snapshotProject: true, directoriesToWatch: [logs]}
spark: {configuration: {spark.app.name: Azure ML Experiment}}
docker: {useDocker: false, sharedVolumes: false, arguments: []}
mpi: {processCountPerNode: 1}
environmentVariables: {EMPTY: , STAGE: dev}
"""


def written(folder: Path, text: str, name: str = "sklearn.runconfig") -> Path:
    (folder / ".studio").mkdir(exist_ok=True)
    (folder / ".studio" / name).write_text(text)
    return folder


def asked_of(environment: Environment) -> dict[str, Any]:
    """What the studio is told of an environment, but for its name."""
    return {key: value for key, value in environment.wire().items() if key != "name"}


def test_a_file_of_the_original_is_read_and_what_has_no_meaning_is_told(tmp_path: Path) -> None:
    config = RunConfiguration.load(written(tmp_path, ORIGINAL), "sklearn")

    assert (config.script, config.target) == ("train.py", "gpu")
    assert config.arguments == ["--lr", "1e-3", "--on", "no"]
    assert config.max_run_duration_seconds == 3600
    assert asked_of(config.environment) == {
        "python": "/opt/venv/bin/python",
        "variables": {"OMP_NUM_THREADS": "2"},
    }
    assert config.environment_variables == {"EMPTY": "", "STAGE": "dev"}
    assert config.notices == [
        "sklearn.runconfig: without a meaning here: "
        "environment.docker (line 16), spark (line 19), mpi (line 21)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scrpt: train.py", "line 1: 'scrpt' is not a known field; did you mean 'script'?"),
        ("script: a.py\narguments: --lr 1", "line 2: arguments must be a list, not '--lr 1'"),
        ("script: [a.py]", "line 1: script must be a text, not a list"),
        ("\n\ntarget: {name: x}", "line 3: target must be a text, not a group of fields"),
        ("maxRunDurationSeconds: soon", "must be a number of seconds, not 'soon'"),
        ("maxRunDurationSeconds: .inf", "must be a number of seconds"),
        ("history:\n  outputCollection: perhaps", "line 2: history.outputCollection must be true"),
        ("environment:\n  python:\n    interpreterpath: x", "line 3: 'environment.python.interpr"),
        ("environmentVariables: [A]", "environmentVariables must hold fields"),
        ("environmentVariables: {A: [1]}", "environmentVariables.A must be a text, not a list"),
        (
            "environment: {python: {condaDependencies: {dependencies: [{npm: [a]}]}}}",
            "dependencies must be a text, or hold pip",
        ),
        ("environment: [a]", "environment must hold fields"),
        ("- script", "the file must hold fields (name: value), not a list"),
        ("? [a]\n: b", "a name must be a text"),
        ("script: 'a", "line 1: this is no YAML"),
        ("a: b: c", "line 1: this is no YAML"),
        ("!!python/object/apply:os.system [ls]", "the file must hold fields"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RunConfigurationException) as refused:
        RunConfiguration.load(written(tmp_path, text), "sklearn")

    assert said in str(refused.value)
    assert "sklearn.runconfig, line" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("framework: PySpark", "framework PySpark: the script runs as plain Python"),
        ("communicator: Mpi", "communicator Mpi: one process is started"),
        ("history: {snapshotProject: false}", "the source travels to the worker all the same"),
        ("environment: env/conda.yml", "env/conda.yml: packages of conda are not installed"),
        ("data: &again\n  x: *again\n  y: 1", "without a meaning here: data (line 1)"),
    ],
)
def test_what_is_asked_for_and_not_done_is_said(tmp_path: Path, text: str, said: str) -> None:
    config = RunConfiguration.load(written(tmp_path, text), "sklearn")

    assert said in " ".join(config.notices)


@pytest.mark.parametrize("text", ["", "# nothing\n", "script:\nenvironment:\n"])
def test_an_empty_file_is_the_default(tmp_path: Path, text: str) -> None:
    config = RunConfiguration.load(written(tmp_path, text), "sklearn")

    assert (config.script, config.arguments, config.target) == (None, [], "local")
    assert asked_of(config.environment) == {"variables": {}}


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("{requirementsFile: r.txt}", {"requirements": "r.txt"}),
        ("{condaDependenciesFile: r.txt}", {"requirements": "r.txt"}),
        ("{interpreterPath: python}", {}),
        ("{interpreterPath: /opt/p}", {"python": "/opt/p"}),
        (
            "{interpreterPath: /opt/p, requirementsFile: r.txt}",
            {"requirements": "r.txt", "python": "/opt/p"},
        ),
        (
            "{condaDependencies: {channels: [x], dependencies: [python=3.12, pip, {pip: [six]}]}}",
            {"packages": ["six"], "python": "python3.12"},
        ),
        (
            "{userManagedDependencies: true, interpreterPath: /opt/p, requirementsFile: r.txt}",
            {"python": "/opt/p"},
        ),
    ],
)
def test_the_environment_is_an_interpreter_or_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, expected: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.txt").write_text("")
    text = f"environment: {{python: {python}}}"

    found = RunConfiguration.load(written(tmp_path, text), "sklearn").environment

    assert asked_of(found) == {"variables": {}, **expected}


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    config = RunConfiguration("train.py", ["--lr", 0.1, "no"])
    config.target = "gpu"
    config.max_run_duration_seconds = 60
    config.environment = Environment(requirements="requirements.txt")
    config.environment_variables = {"STAGE": "ünï: code"}

    path = config.save(tmp_path, "first")

    assert path == str(tmp_path / ".studio" / "first.runconfig")
    again = RunConfiguration.load(tmp_path, "first")
    assert again.arguments == ["--lr", "0.1", "no"]
    assert (again.script, again.target, again.max_run_duration_seconds) == ("train.py", "gpu", 60)
    assert again.environment.requirements == "requirements.txt"
    assert again.environment_variables == {"STAGE": "ünï: code"}
    config.environment = Environment(python="/opt/p")
    config.save(tmp_path, "first")
    assert asked_of(RunConfiguration.load(tmp_path, "first").environment)["python"] == "/opt/p"
    RunConfiguration.delete(tmp_path, "first")
    with pytest.raises(UserErrorException, match=r"There is no \.studio/first\.runconfig"):
        RunConfiguration.load(tmp_path, "first")


def test_packages_and_their_interpreter_survive_a_file(tmp_path: Path) -> None:
    config = RunConfiguration("train.py")
    section = config.environment.python
    section.interpreter_path = "/opt/p"
    for package in ("six", "numpy>=2"):
        section.conda_dependencies.add_pip_package(package)
    config.save(tmp_path, "first")
    again = RunConfiguration.load(tmp_path, "first")
    assert asked_of(again.environment) == asked_of(config.environment)
    assert asked_of(again.environment)["packages"] == ["six", "numpy>=2"]
    assert again.notices == []

    section.conda_dependencies.set_python_version("3.12")
    section.conda_dependencies.add_conda_package("cudatoolkit")
    text = Path(config.save(tmp_path, "second")).read_text()
    again = RunConfiguration.load(tmp_path, "second")
    assert Path(again.save(tmp_path, "third")).read_text() == text
    assert again.notices == [f"cudatoolkit: {NO_CONDA}"]
    with pytest.raises(UserErrorException, match="can't install packages of Conda: cudatoolkit"):
        again.environment.wire()
    section.user_managed_dependencies = True
    config.save(tmp_path, "fourth")
    again = RunConfiguration.load(tmp_path, "fourth")
    assert asked_of(again.environment) == {"python": "/opt/p", "variables": {}}
    assert again.environment.python.conda_dependencies.pip_packages == ["six", "numpy>=2"]


def test_names_are_found_in_both_folders_with_and_without_their_ending(tmp_path: Path) -> None:
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "local").write_text("script: a.py")
    (tmp_path / "beside.runconfig").write_text("script: b.py")

    assert RunConfiguration.load(tmp_path, "local").script == "a.py"
    assert RunConfiguration.load(tmp_path, "beside").script == "b.py"
    assert RunConfiguration.load(tmp_path / "beside.runconfig").script == "b.py"
    with pytest.raises(UserErrorException, match="there are beside"):
        RunConfiguration.load(tmp_path, "besides")


def test_a_place_that_cannot_be_saved_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="needs the name"):
        RunConfiguration().save(tmp_path)
    with pytest.raises(UserErrorException, match="there is no folder"):
        RunConfiguration().save(tmp_path / "nowhere" / "x.runconfig")
