"""Snapshots, ignore rules, configuration files, script configurations."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from studio.cli.connection import Call
from studio.cli.failures import Failure
from studio.sdk import (
    Environment,
    Experiment,
    ExperimentExecutionException,
    ScriptRunConfig,
    SnapshotException,
    UserErrorException,
    Workspace,
    WorkspaceException,
    config,
    credentials,
    snapshots,
    sources,
)
from studio.sdk.ignores import Ignores
from studio.sdk.snapshots import Limits
from tests.sdk.fake_server import FakeStudio


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def stored(root: Path) -> list[str]:
    return [path for path, _, _ in snapshots.collect(root, Limits())]


PATTERNS = [
    "*.log", "!keep.log", "/build", "docs/*.txt", "**/tmp/", "data/**", "a/**/z", "?.md", "[xy].py",
    "nested/deep/", "\\#odd",
]  # fmt: skip
PATHS = [
    "a.log", "keep.log", "sub/b.log", "sub/keep.log", "build/x", "sub/build/x", "docs/a.txt",
    "docs/sub/a.txt", "x/tmp/y", "tmp/z", "data/one/two", "a/z", "a/b/c/z", "q.md", "qq.md", "x.py",
    "z.py", "sub/x.py", "nested/deep/f", "other/nested/deep/f", "#odd", "train.py",
]  # fmt: skip


def test_ignore_rules_agree_with_git(tmp_path: Path) -> None:
    tree(tmp_path, *PATHS)
    (tmp_path / ".gitignore").write_text("\n".join(PATTERNS))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert stored(tmp_path) == sorted(listed.stdout.split())


def test_our_ignore_file_wins_over_the_others(tmp_path: Path) -> None:
    tree(tmp_path, "a", "b", "c", ".venv/lib", "env/pyvenv.cfg", "__pycache__/x.pyc", ".git/HEAD")
    for name, line in ((".gitignore", "a"), (".amlignore", "b"), (".studioignore", "c")):
        (tmp_path / name).write_text(line)
    names = {".gitignore", ".amlignore", ".studioignore"}
    assert set(stored(tmp_path)) == names | {"a", "b"}
    (tmp_path / ".studioignore").unlink()
    assert "b" not in stored(tmp_path)
    assert "a" in stored(tmp_path)


def test_the_token_of_a_config_never_travels(tmp_path: Path) -> None:
    tree(tmp_path, ".studio/config.json", ".azureml/config.json", "train.py")
    assert stored(tmp_path) == ["train.py"]


def test_a_folder_over_the_limit_names_its_biggest_paths(tmp_path: Path) -> None:
    tree(tmp_path, "small.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "big.bin").write_bytes(b"0" * 3_000_000)
    with pytest.raises(SnapshotException, match=r"Biggest: data/ \(3.0 MB, 1 files\)"):
        snapshots.collect(tmp_path, Limits(n_bytes=1_000_000))
    with pytest.raises(SnapshotException, match=r"at most 300\.0 MB and 1 files"):
        snapshots.collect(tmp_path, Limits(n_files=1))


def test_only_new_contents_travel_and_the_zip_comes_back(
    experiment: Experiment, studio: FakeStudio, tmp_path: Path
) -> None:
    project = tree(tmp_path / "p", "train.py", "lib/x.py")
    first = experiment.submit(ScriptRunConfig(project, "train.py"))
    assert len(studio.store.puts) == 2
    (project / "train.py").write_text("changed")
    second = experiment.submit(ScriptRunConfig(project, "train.py", arguments=["--lr", 0.1]))
    assert len(studio.store.puts) == 3
    assert first.get_status() == second.get_status() == "Queued"
    submit = studio.store.runs[second.id]["submit"]
    assert (submit["script"], submit["arguments"]) == ("train.py", ["--lr", "0.1"])
    archive = second.restore_snapshot(submit["snapshot"], path=tmp_path / "snapshots")
    with zipfile.ZipFile(archive) as files:
        assert files.read("train.py") == b"changed"


def test_a_script_outside_the_source_folder_is_refused(
    experiment: Experiment, studio: FakeStudio, tmp_path: Path
) -> None:
    project = tree(tmp_path, "p/train.py", "outside.py") / "p"
    for script, hint in (("../outside.py", "outside"), ("none.py", "There is no script")):
        with pytest.raises(ExperimentExecutionException, match=hint):
            experiment.submit(ScriptRunConfig(project, script))
    with pytest.raises(ExperimentExecutionException, match="not a folder"):
        experiment.submit(ScriptRunConfig(tmp_path / "nowhere", "train.py"))
    assert not studio.store.runs
    assert not studio.store.puts


def test_script_configurations_check_their_arguments(tmp_path: Path) -> None:
    for wrong in ({}, {"script": "a", "command": "b"}, {"command": "b", "arguments": [1]}):
        with pytest.raises(UserErrorException):
            ScriptRunConfig(tmp_path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UserErrorException, match="arguments"):
        ScriptRunConfig(tree(tmp_path, "a.py"), "a.py", arguments=[[1]]).wire("s")
    tree(tmp_path, "req.txt")
    chosen = Environment("e", requirements="./req.txt", environment_variables={"A": "1"})
    made = ScriptRunConfig(tmp_path, command="python -m x 'a b'", environment=chosen).wire("s")
    assert made["command"] == ["python", "-m", "x", "a b"]
    assert made["environment"] == {
        "name": "e", "variables": {"A": "1"}, "requirements": "req.txt"
    }  # fmt: skip


def test_the_config_is_found_in_a_parent_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    Workspace("lab", url="http://x:1/", token="t").write_config(tmp_path)
    file = tmp_path / ".studio" / "config.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.chdir(below)
    found = Workspace.from_config()
    assert (found.name, found._client.url, found._client.token) == ("lab", "http://x:1", "t")
    assert Workspace.from_config(path=str(file)).name == "lab"


def test_an_original_config_takes_the_address_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".azureml").mkdir()
    original = {"subscription_id": "s", "resource_group": "r", "workspace_name": "lab"}
    (tmp_path / ".azureml" / "config.json").write_text(json.dumps(original))
    with pytest.raises(WorkspaceException, match="names no studio"):
        config.find(tmp_path)
    monkeypatch.setenv("STUDIO_URL", "http://s")
    assert config.find(tmp_path) == config.Config("http://s", "lab", "")


def test_the_token_of_the_environment_is_not_sent_where_a_folder_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    folder = tmp_path / "cloned"
    (folder / ".studio").mkdir(parents=True)
    file = folder / ".studio" / "config.json"
    file.write_text(json.dumps({"url": "https://h.example/a/", "workspace": "lab"}))
    monkeypatch.setenv("STUDIO_TOKEN", "mine")
    with pytest.raises(WorkspaceException, match="not sent to an address that a file names"):
        Workspace.from_config(folder)
    for home in ("https://other.example/a", "https://h.example:444/a", "https://h.example@o/a",
                 "http://h.example/a", "https://h.example/a?b"):  # fmt: skip
        monkeypatch.setenv("STUDIO_URL", home)
        with pytest.raises(WorkspaceException, match=r"STUDIO_TOKEN is for STUDIO_URL, http"):
            Workspace.from_config(folder)
        with pytest.raises(Failure, match=r"studio login https.* STUDIO_TOKEN is for STUDIO_URL"):
            Call(path=str(folder)).client()
        assert Workspace("lab", url="https://h.example/a")._client.token == ""
    monkeypatch.setenv("STUDIO_URL", "HTTPS://H.example:443/a")
    assert Workspace.from_config(folder)._client.token == "mine"
    monkeypatch.delenv("STUDIO_URL")
    assert Workspace("lab", url="https://h.example/a")._client.token == "mine"
    assert Call(path=str(folder), url="https://h.example/a").config().token == "mine"
    monkeypatch.setenv("STUDIO_URL", "https://other.example")
    credentials.remember(credentials.Login("https://h.example/a", "kept"))
    assert Workspace.from_config(folder)._client.token == "kept"
    file.write_text(json.dumps({"url": "https://h.example/a", "token": "of the file"}))
    assert Workspace.from_config(folder)._client.token == "of the file"


def test_without_any_config_the_searched_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceException, match=re.escape(str(tmp_path))):
        Workspace.from_config(tmp_path)
    (tmp_path / ".studio").mkdir()
    (tmp_path / ".studio" / "config.json").write_text("{")
    with pytest.raises(UserErrorException, match="cannot be read"):
        Workspace.from_config(tmp_path)


def test_git_facts_have_the_original_names_and_no_password(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert sources.git_properties(tmp_path / "nowhere") == {}
    git("init", "-q", "-b", "trunk")
    tree(tmp_path, "a")
    git("add", ".")
    git("commit", "-qm", "first")
    git("remote", "add", "origin", "https://ada:secret@host/repo.git")
    found = sources.git_properties(tmp_path)
    assert found["azureml.git.branch"] == found["mlflow.source.git.branch"] == "trunk"
    assert found["azureml.git.repository_uri"] == "https://host/repo.git"
    assert found["azureml.git.dirty"] == "False"
    assert len(found["mlflow.source.git.commit"]) == 40


def test_default_ignores_can_be_taken_back(tmp_path: Path) -> None:
    assert Ignores([]).match("node_modules", is_folder=True)
    assert not Ignores(["!node_modules/"]).match("node_modules", is_folder=True)
