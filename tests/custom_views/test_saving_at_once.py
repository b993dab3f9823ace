"""Several people save one view at the same time: each save is a version or is told of the other."""

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

from studio.accounts.permissions import NotAllowed
from studio.custom_views.actions import ViewConflict, save_view
from studio.custom_views.models import CustomView, ViewEvent, ViewRevision
from studio.custom_views.sharing import share_view
from tests import make
from tests.amount import form
from tests.custom_views.world import events, view
from tests.database import address_for_others

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
N_THREADS, N_SAVES = 5, form(30, 100)
N_PROCESSES, N_EACH = 3, 30

# A person who saves again and again: reads the view, waits for the others of the round, saves.
SAVER = """
import json, sys
import django
django.setup()
from studio.accounts.models import User
from studio.accounts.permissions import Actor
from studio.custom_views.actions import ViewConflict, save_view
from studio.custom_views.models import CustomView, ViewRevision

name, n = sys.argv[1], int(sys.argv[2])
by, done = Actor.of_user(User.objects.get(username="bob")), []
print("ready", flush=True)
sys.stdin.readline()
for i in range(n):
    view = CustomView.objects.select_related("workspace").get()
    try:
        saved = save_view(view, by=by, expected_version=view.version, state={"q": f"{name}{i}"})
        done.append([saved.version, saved.state["q"]])
    except ViewConflict as conflict:
        assert conflict.view.version > view.version
        done.append(None)
revisions = ViewRevision.objects.order_by("version").values_list("version", "state__q")
print(json.dumps([done, list(revisions), CustomView.objects.get().state["q"]]), flush=True)
"""


def test_of_saves_from_one_version_one_wins_and_the_others_are_told(
    people: Any, workspace: Any
) -> None:
    """In each of N_SAVES rounds, N_THREADS threads save what they have read in one version."""
    held, by = view(workspace, people.bob), make.actor(people.bob)

    def save(attempt: tuple[int, int, int]) -> tuple[int, str] | ViewConflict:
        at, thread, version = attempt
        query = f"round{at} thread{thread}"
        try:
            saved = save_view(held, by=by, expected_version=version, state={"q": query})
            return saved.version, query
        except ViewConflict as conflict:
            return conflict
        finally:
            connection.close()

    acknowledged = [(1, "net")]
    with ThreadPoolExecutor(N_THREADS) as pool:
        for at in range(N_SAVES):
            version = acknowledged[-1][0]
            told = list(pool.map(save, [(at, thread, version) for thread in range(N_THREADS)]))
            won = [one for one in told if not isinstance(one, ViewConflict)]
            assert [one[0] for one in won] == [version + 1]
            for one in told:
                if isinstance(one, ViewConflict):
                    assert (one.view.version, one.view.state) == (won[0][0], {"q": won[0][1]})
            acknowledged += won
    assert_nothing_lost(held, acknowledged)


def test_who_overwrites_loses_nobodys_version(people: Any, workspace: Any) -> None:
    held, by = view(workspace, people.bob), make.actor(people.bob)

    def save(n: int) -> tuple[int, str]:
        try:
            saved = save_view(held, by=by, expected_version=None, state={"q": f"save {n}"})
            return saved.version, saved.state["q"]
        finally:
            connection.close()

    with ThreadPoolExecutor(N_THREADS) as pool:
        told = list(pool.map(save, range(N_SAVES)))

    assert_nothing_lost(held, [(1, "net"), *sorted(told)])


def assert_nothing_lost(held: Any, acknowledged: list[tuple[int, str]]) -> None:
    """Each save that was acknowledged is the revision that it was said to be."""
    own = ViewRevision.objects.filter(view=held).order_by("pk")
    assert [(one.version, one.state["q"]) for one in own] == acknowledged
    assert [version for version, _ in acknowledged] == list(range(1, len(acknowledged) + 1))
    stored = CustomView.objects.get(pk=held.pk)
    assert (stored.version, stored.state["q"]) == acknowledged[-1]
    told = [
        (before["state"]["q"], after["state"]["q"])
        for kind, _, before, after in events(held)
        if kind == "saved"
    ]
    assert told == list(pairwise(query for _, query in acknowledged))


def test_processes_that_save_at_once_lose_nothing(
    people: Any, workspace: Any, tmp_path: Path
) -> None:
    view(workspace, people.bob)
    env = os.environ | {"DATABASE_URL": address_for_others(tmp_path)}
    words = [sys.executable, "-c", SAVER]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    savers = [
        subprocess.Popen([*words, f"process{n} ", str(N_EACH)], env=env, **pipes)
        for n in range(N_PROCESSES)
    ]
    for saver in savers:
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write("go\n")
        saver.stdin.flush()
    answers: list[Any] = [json.loads(saver.communicate(timeout=120)[0]) for saver in savers]

    won: list[Any] = sorted(one for done, _, _ in answers for one in done if one)
    _, revisions, state = max(answers, key=lambda answer: len(answer[1]))
    assert sum(len(done) for done, _, _ in answers) == N_PROCESSES * N_EACH
    assert revisions == [[1, "net"], *won]
    assert revisions[-1] == [len(won) + 1, state]
    assert len(won) >= N_EACH


def test_nothing_is_saved_after_the_right_to_it_has_ended(people: Any, workspace: Any) -> None:
    alice, bob = make.actor(people.alice), make.actor(people.bob)
    held = view(workspace, people.alice, everyone="edit")

    def act(n: int) -> bool:
        try:
            if n == 10:
                share_view(held, everyone="", people={}, by=alice)
            else:
                save_view(held, by=bob, expected_version=None, state={"q": f"save {n}"})
        except NotAllowed:
            return False
        finally:
            connection.close()
        return n != 10

    with ThreadPoolExecutor(N_THREADS) as pool:
        saved = list(pool.map(act, range(30)))

    kinds = list(ViewEvent.objects.filter(view=held).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["made", "shared", *["saved"] * sum(saved), "shared"]
    assert not act(99)
