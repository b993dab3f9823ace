"""Several people save one description at the same time: each save is a version, or a conflict that
carries the other text."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment
from studio.runs.actions.restore_description import (
    restore_description,
    restore_experiment_description,
)
from studio.runs.description_versions import Version, versions_of
from studio.runs.models import Run
from tests import make
from tests.amount import form
from tests.database import address_for_others

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
N_THREADS, N_ROUNDS = 5, form(30, 100)
N_PROCESSES, N_EACH = 3, 30

# A person who saves again and again upon what was read; tells what became of each save.
WRITER = """
import json, sys
import django
django.setup()
from studio.accounts.models import User
from studio.accounts.permissions import Actor
from studio.runs import actions
from studio.runs.description_versions import version_of
from studio.runs.models import Description, Run

name, n = sys.argv[1], int(sys.argv[2])
run, by, done = Run.objects.get(), Actor.of_user(User.objects.get(username="bob")), []
print("ready", flush=True)
sys.stdin.readline()
for i in range(n):
    read = Description.objects.filter(run=run).first()
    seen = read.version if read else 0
    text = f"{name}{i}"
    try:
        row = actions.describe_run(run, text, by=by, expected_version=seen)
        done.append([row.version, text])
    except actions.EditConflict as conflict:
        now = conflict.current
        assert now.version > seen
        assert version_of(run, now.version).text == now.text
        done.append(None)
found = [version_of(run, i + 1) for i in range(Description.objects.get(run=run).version)]
print(json.dumps([done, [[one.number, one.text] for one in found]]), flush=True)
"""


@pytest.fixture(params=["run", "experiment"])
def held(request: Any, run: Any) -> Any:
    return run if request.param == "run" else run.experiment


def save(held: Any, text: str, by: Any, expected: int | None) -> tuple[int, str] | Any:
    """(version, text) of what was saved, or the conflict."""
    try:
        if isinstance(held, Run):
            row = actions.describe_run(held, text, by=by, expected_version=expected)
            return row.version, text
        # Not `held`: the action reads what it is given anew, and threads share that.
        own = type(held).objects.select_related("workspace").get(pk=held.pk)
        saved = describe_experiment(own, text, by=by, expected_version=expected)
        return saved.description_version, text
    except actions.EditConflict as conflict:
        return conflict
    finally:
        connection.close()


def all_versions(held: Any) -> list[Version]:
    """The oldest first."""
    found, below = [], None
    while True:
        page = versions_of(held, below=below)
        found += page.versions
        below = page.below
        if below is None:
            return found[::-1]


def assert_nothing_lost(held: Any, acknowledged: list[tuple[int, str]]) -> None:
    """Each save that was acknowledged is the version that it was said to be."""
    found = all_versions(held)
    assert [(one.number, one.text) for one in found] == acknowledged
    assert [version for version, _ in acknowledged] == list(range(1, len(acknowledged) + 1))
    texts = ["", *(text for _, text in acknowledged)]
    assert [(one.before, one.text) for one in found] == list(pairwise(texts))


def test_of_saves_at_once_each_is_a_version_or_is_told_of_the_other(held: Any, people: Any) -> None:
    """In each of N_ROUNDS rounds, N_THREADS threads save upon the version they have all read."""
    by, acknowledged = make.actor(people.bob), []
    with ThreadPoolExecutor(N_THREADS) as pool:
        for at in range(N_ROUNDS):
            texts = [f"round {at}\nthread {n}" for n in range(N_THREADS)]
            told = list(pool.map(lambda text, at=at: save(held, text, by, at), texts))
            won = [one for one in told if isinstance(one, tuple)]
            assert [version for version, _ in won] == [at + 1]
            for one in told:
                if not isinstance(one, tuple):
                    assert (one.current.version, one.current.text) == won[0]
                    assert one.current.edited_by == "bob"
            acknowledged += won
    assert_nothing_lost(held, acknowledged)


def test_who_overwrites_loses_nobodys_text(held: Any, people: Any) -> None:
    by = make.actor(people.bob)
    with ThreadPoolExecutor(N_THREADS) as pool:
        told = list(pool.map(lambda n: save(held, f"save {n}", by, None), range(N_ROUNDS)))

    found = all_versions(held)
    assert [one.number for one in found] == list(range(1, N_ROUNDS + 1))
    assert {one.text for one in found} == {text for _, text in told}
    assert_nothing_lost(held, [(one.number, one.text) for one in found])


def test_of_people_who_restore_at_once_one_does(held: Any, people: Any) -> None:
    by = make.actor(people.bob)
    for n in range(3):
        save(held, f"text {n}", by, n)
    restore: Any = restore_description if isinstance(held, Run) else restore_experiment_description

    def bring_back(version: int) -> int:
        """0, or the version that was in its way."""
        try:
            own = type(held).objects.select_related("workspace").get(pk=held.pk)
            restore(own, version, by=by, expected_version=3)
        except actions.EditConflict as conflict:
            return conflict.current.version
        finally:
            connection.close()
        return 0

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bring_back, [1, 2])) == [0, 4]
    assert len(all_versions(held)) == 4


def test_processes_that_save_at_once_lose_nothing(run: Any, people: Any, tmp_path: Path) -> None:
    env = os.environ | {"DATABASE_URL": address_for_others(tmp_path)}
    words = [sys.executable, "-c", WRITER]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [
        subprocess.Popen([*words, f"process{n} ", str(N_EACH)], env=env, **pipes)
        for n in range(N_PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    answers: list[Any] = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]

    won: list[Any] = sorted(one for done, _ in answers for one in done if one)
    versions = max((found for _, found in answers), key=len)
    assert sum(len(done) for done, _ in answers) == N_PROCESSES * N_EACH
    assert versions == won
    assert len(won) >= N_EACH
