"""Environments are built once per content, whole or not at all, and go when nobody needs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.compute.environments import Built, Store, copy_module, key_of, seal
from studio.compute.index_settings import for_uv, no_index
from studio.compute.workdir import remove
from tests.compute.wheels import write_wheel

KEY, OTHER = "a" * 32, "b" * 32
UV = str(Path(sys.executable).with_name("uv"))


def publish(store: Store, key: str, *, n_bytes: int = 10, used_at: float = 1.0) -> Path:
    folder = store.new_folder(key)
    built = Built(key, str(folder), sys.executable, "3.11.7", 1, n_bytes, 0.5)
    store.publish(built)
    os.utime(store.folder / f"{key}.json", (used_at, used_at))
    return folder


# ------------------------------------------------------------ the store
def test_a_folder_that_was_not_published_is_nothing_and_goes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    killed = store.new_folder(KEY)
    whole = publish(store, OTHER)
    assert store.find(KEY) is None
    with store.build_lock(KEY, lambda: None):
        assert store.sweep() == 0  # somebody may be at it
        assert store.sweep(locked=KEY) == 1
    assert (killed.exists(), whole.exists()) == (False, True)


def test_an_environment_whose_python_is_gone_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish(Built(KEY, str(store.new_folder(KEY)), "/no/python", "3.11.7", 1, 1, 0.5))
    assert store.find(KEY) is None
    (tmp_path / f"{OTHER}.json").write_text("{not json")
    assert store.find(OTHER) is None


def test_the_least_recently_used_go_first_and_those_in_use_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folders = [publish(store, letter * 32, used_at=i + 1) for i, letter in enumerate("cdef")]
    held = store.hold("c" * 32)
    assert held is not None
    assert store.shrink(25) == ["d" * 32, "e" * 32]
    assert [folder.exists() for folder in folders] == [True, False, False, True]
    held.close()
    os.utime(tmp_path / f"{'c' * 32}.json", (1, 1))
    assert store.shrink(0) == ["c" * 32, "f" * 32]
    assert store.hold("c" * 32) is None


def test_one_just_used_is_not_removed_before_its_run_can_hold_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish(store, KEY)
    store.touch(KEY)
    assert store.shrink(0) == []


def test_a_sealed_folder_leaves_what_a_link_leads_to(tmp_path: Path) -> None:
    for name in ("cached", "python"):
        (tmp_path / name).write_text("x")
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "shared").hardlink_to(tmp_path / "cached")
    (venv / "link").symlink_to(tmp_path / "python")
    (venv / "own").write_text("x")
    seal(venv)
    writable = [p.name for p in tmp_path.rglob("*") if p.stat().st_mode & 0o200]
    assert sorted(writable) == ["cached", "link", "python", "shared"]
    remove(venv)


def test_the_key_tells_contents_and_pythons_apart() -> None:
    python = {"version": "3.11.7", "implementation": "cpython", "platform": "linux", "base": "/a"}
    keys = {
        key_of([["a"], ["b"]], python),
        key_of([["a", "b"], []], python),
        *(key_of([["a"], ["b"]], {**python, name: "other"}) for name in python),
    }
    assert len(keys) == 6
    assert key_of([["a"], ["b"]], dict(reversed(python.items()))) in keys


def test_a_copied_module_is_alone_in_its_folder(tmp_path: Path) -> None:
    folder = copy_module("urllib3", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["urllib3"]
    assert copy_module("urllib3", tmp_path) == folder
    assert not [p for p in [folder, *folder.rglob("*")] if p.stat().st_mode & 0o222]
    with pytest.raises(ModuleNotFoundError):
        copy_module("no_such_module", tmp_path)


# ------------------------------------------------------------ the machine's index
@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, {}),
        ({"PIP_INDEX_URL": "https://a/s"}, {"UV_DEFAULT_INDEX": "https://a/s"}),
        ({"PIP_INDEX_URL": "https://a/s", "UV_INDEX_URL": "https://b/s"}, {}),
        (
            {"PIP_EXTRA_INDEX_URL": "https://a/s https://b/s"},
            {"UV_INDEX": "https://a/s https://b/s", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"CONF": "[global]\nindex-url = https://c/s\n"}, {"UV_DEFAULT_INDEX": "https://c/s"}),
        (
            {"CONF": "[global]\nindex-url = https://c/s\n", "PIP_INDEX_URL": "https://a/s"},
            {"UV_DEFAULT_INDEX": "https://a/s"},
        ),
        ({"CONF": "[install]\ntrusted-host = c\n"}, {"UV_INSECURE_HOST": "c"}),
        ({"CONF": "no section\n"}, {}),
    ],
)
def test_uv_is_told_what_pip_would_do(
    tmp_path: Path, environ: dict[str, str], told: dict[str, str]
) -> None:
    (tmp_path / "pip.conf").write_text(environ.pop("CONF", ""))
    # The machine's own files are left out of this: pip reads none with that name.
    asked = {**environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path)}
    of_machine = for_uv({"PIP_CONFIG_FILE": str(tmp_path / "none"), "HOME": str(tmp_path)})
    found = for_uv(asked)
    assert {key: found[key] for key in found if found[key] != of_machine.get(key)} == told
    assert no_index({**asked, "PIP_NO_INDEX": "1"})


# ------------------------------------------------------------ building
def request(folder: Path, *, text: str = "", **more: Any) -> Path:
    from studio.compute.requirements import read_requirements
    from studio.execution.building import as_request

    asked = None
    if text:
        (folder / "r.txt").write_text(text)
        asked = as_request(read_requirements(folder, "r.txt"))
    body = {
        "store": str(folder / "store"),
        "most_bytes": 10**9,
        "own_python": sys.executable,
        "python": "",
        "wanted": ["urllib3"],
        "installer": UV,
        "requirements": asked,
        **more,
    }
    place = folder / "build"
    place.mkdir()
    (place / "request.json").write_text(json.dumps(body))
    return place


def start(place: Path) -> "subprocess.Popen[str]":
    program = [sys.executable, "-S", "-m", "studio.compute.environment_builder"]
    # No network: what is not in the source is not found.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {**os.environ, "PIP_NO_INDEX": "1", "PYTHONPATH": os.getcwd(), "PATH": path}
    return subprocess.Popen(
        [*program, str(place / "request.json")], env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def report(place: Path) -> dict[str, Any]:
    return dict(json.loads((place / "report.json").read_text()))


def test_of_two_that_want_the_same_at_once_one_builds(tmp_path: Path) -> None:
    places = []
    for name in "ab":
        write_wheel(tmp_path / name, "tiny", "1.0")
        text = "./tiny-1.0-py3-none-any.whl\n"
        places.append(request(tmp_path / name, text=text, store=str(tmp_path / "store")))
    said = [process.communicate(timeout=60)[0] for process in [start(p) for p in places]]
    reports = [report(place) for place in places]
    assert sorted(one["source"] for one in reports) == ["built", "cache"], said
    (python,) = {one["python"] for one in reports}
    ask = "import tiny, sys; print(tiny.VERSION, sys.prefix)"
    answer = subprocess.check_output([python, "-c", ask], text=True).split()
    assert answer == ["1.0", reports[0]["prefix"]]
    assert reports[0]["missing"] == ["urllib3"]
    (folder,) = (tmp_path / "store").glob(f"{reports[0]['key']}-*")
    # Nobody changes what others use, and what was only needed to build is gone.
    assert {path.name for path in folder.iterdir()} == {"venv"}
    below = [folder.with_name(f"{reports[0]['key']}.json"), *(folder / "venv").rglob("*")]
    assert len(below) > 10
    assert not [p for p in below if not p.is_symlink() and p.stat().st_mode & 0o222]
    remove(folder)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"text": "not-there-at-all==9"}, "uv ended with exit code 1"),
        ({"python": "/no/such/python"}, "no Python at /no/such/python on this worker. It has: py"),
        ({"python": "python3.99"}, "no Python called “python3.99” on this worker. It has: py"),
        ({"python": "/bin/true"}, "/bin/true does not answer as a Python 3 does"),
        ({"store": "/proc/none"}, "/proc/none"),
    ],
)
def test_what_can_not_be_made_is_told_and_leaves_nothing(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    place = request(tmp_path, **more)
    process = start(place)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert words in report(place)["error"], said
    assert [path.name for path in (tmp_path / "store").glob("*-*")] == []


def test_a_given_interpreter_tells_what_it_is(tmp_path: Path) -> None:
    place = request(tmp_path, python=sys.executable)
    start(place).communicate(timeout=60)
    found = report(place)
    assert (found["state"], found["source"], found["missing"]) == ("ready", "given", [])
    assert found["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["prefix"] == sys.prefix
