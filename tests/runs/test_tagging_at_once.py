"""Two people save one tag at the same time: one wins, the other is told of what the first saved."""

from itertools import pairwise
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from studio.runs import actions
from studio.runs.actions import NO_TAG, Seen, TagConflict
from studio.runs.models import Run, RunEvent
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
# Each is two saves.
N_ROUNDS = 250
PATIENCE_S = 60


def tags_of(run: Any) -> dict[str, str | None]:
    return dict(run.tags.values_list("key", "value"))


def lines(run: Any) -> list[tuple[Any, Any]]:
    """(before, after) of the history's lines about tags, the oldest first."""
    found = RunEvent.objects.filter(run=run, kind="tags").order_by("pk")
    return list(found.values_list("before", "after"))


def test_of_two_saves_of_one_tag_one_wins_and_the_other_is_told(run: Any, people: Any) -> None:
    """Each round both have read the same value. Every tenth round it is deleted by one of them."""
    gate, then, told = Barrier(3, timeout=PATIENCE_S), [NO_TAG], {}

    def write(name: str, user: Any) -> None:
        own, by = Run.objects.select_related("workspace").get(pk=run.pk), make.actor(user)
        for at in range(N_ROUNDS):
            gate.wait()
            value = f"{name} {at}"
            deletes = name == "bob" and at % 10 == 9
            change = {"remove": ["note"]} if deletes else {"put": {"note": value}}
            told[name] = NO_TAG if deletes else Seen(True, value)
            try:
                actions.change_tags(own, by=by, seen={"note": then[0]}, **change)
            except TagConflict as conflict:
                told[name] = conflict
            gate.wait()
        connection.close()

    threads = [Thread(target=write, args=(n, getattr(people, n))) for n in ("bob", "alice")]
    for thread in threads:
        thread.start()
    accepted = []
    for _ in range(N_ROUNDS):
        gate.wait()
        gate.wait()
        ((winner, won),) = [one for one in told.items() if isinstance(one[1], Seen)]
        ((lost),) = [one for one in told.values() if isinstance(one, TagConflict)]
        (clash,) = lost.clashes
        assert (clash.before, clash.now, clash.by) == (then[0], won, winner)
        assert clash.asked != won
        accepted.append((then[0], won))
        then[0] = won
    for thread in threads:
        thread.join()

    held = [tuple(Seen("note" in tags, tags.get("note")) for tags in line) for line in lines(run)]
    assert held == accepted
    assert all(line[0] == earlier[1] for earlier, line in pairwise(lines(run)))


def test_different_tags_of_one_run_never_clash(run: Any, people: Any) -> None:
    gate = Barrier(2, timeout=PATIENCE_S)

    def write(name: str) -> None:
        own, seen = Run.objects.select_related("workspace").get(pk=run.pk), NO_TAG
        for at in range(40):
            gate.wait()
            by = make.actor(getattr(people, name))
            actions.change_tags(own, by=by, put={name: str(at)}, seen={name: seen})
            seen = Seen(True, str(at))
        connection.close()

    threads = [Thread(target=write, args=(name,)) for name in ("bob", "alice")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tags_of(run) == {"bob": "39", "alice": "39"}
    assert len(lines(run)) == 80
