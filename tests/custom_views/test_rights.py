"""Who sees a view, edits it, shares and deletes it: each role, each grant, each kind of token."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed
from studio.custom_views.actions import (
    bring_back,
    delete_view,
    duplicate_view,
    restore_version,
    save_view,
)
from studio.custom_views.finding import visible_views
from studio.custom_views.models import CustomView
from studio.custom_views.rights import may_see, rights
from studio.custom_views.sharing import note_use, pin_view, set_default, share_view
from tests import make
from tests.custom_views.world import as_actor, events, found, member, reading, running, view
from tests.rows import all_rows, changed_tables

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.data,
    pytest.mark.usefixtures("lasting_people", "lasting_workspace"),
]

# What each may do with a view of erin: nothing, see it, edit it (and not rename), manage it too.
NOTHING, SEE, EDIT, MANAGE, OWN = range(5)
KINDS: dict[str, dict[str, Any]] = {
    "private": {},
    "named": {"people": {"frank": "see", "bob": "edit", "carol": "edit"}},
    "all see": {"everyone": "see", "people": {"bob": "edit"}},
    "all edit": {"everyone": "edit"},
    "gone": {"people": {"bob": "edit"}},
}
MAY: dict[str, dict[str, int]] = {
    #                    private           named         all see         all edit      owner gone
    "erin": dict(zip(KINDS, (OWN, OWN, OWN, OWN, NOTHING), strict=True)),
    "bob": dict(zip(KINDS, (NOTHING, EDIT, EDIT, EDIT, EDIT), strict=True)),
    "frank": dict(zip(KINDS, (NOTHING, SEE, SEE, EDIT, NOTHING), strict=True)),
    "carol": dict(zip(KINDS, (NOTHING, SEE, SEE, SEE, NOTHING), strict=True)),
    "alice": dict(zip(KINDS, (NOTHING, NOTHING, MANAGE, MANAGE, OWN), strict=True)),
    "admin": dict(zip(KINDS, (NOTHING, NOTHING, MANAGE, MANAGE, OWN), strict=True)),
    "dave": dict.fromkeys(KINDS, NOTHING),
    "inactive": dict.fromkeys(KINDS, NOTHING),
    "reading bob": dict(zip(KINDS, (NOTHING, SEE, SEE, SEE, SEE), strict=True)),
    "reading alice": dict(zip(KINDS, (NOTHING, NOTHING, SEE, SEE, SEE), strict=True)),
    "reading erin": dict(zip(KINDS, (SEE, SEE, SEE, SEE, NOTHING), strict=True)),
    "running erin": dict(zip(KINDS, (NOTHING, NOTHING, SEE, SEE, NOTHING), strict=True)),
    "running bob": dict(zip(KINDS, (NOTHING, NOTHING, SEE, SEE, NOTHING), strict=True)),
    "elsewhere bob": dict.fromkeys(KINDS, NOTHING),
}
DEEDS: list[tuple[int, Callable[[Any, Actor], Any]]] = [
    (EDIT, lambda held, by: save_view(held, by=by, expected_version=None, state={"q": "x"})),
    (EDIT, lambda held, by: save_view(held, by=by, expected_version=None, description="x")),
    (EDIT, lambda held, by: restore_version(held, 1, by=by)),
    (OWN, lambda held, by: save_view(held, by=by, expected_version=None, name="x")),
    (MANAGE, lambda held, by: share_view(held, everyone="", people={}, by=by)),
    (MANAGE, lambda held, by: delete_view(held, by=by)),
    (MANAGE, lambda held, by: bring_back(held, by=by)),
]


def copied(held: Any, by: Actor) -> Any:
    return duplicate_view(held, by=by)


FOR_ONESELF: list[Callable[[Any, Actor], Any]] = [
    lambda held, by: pin_view(held, by=by, pinned=True),
    lambda held, by: note_use(held, by=by),
    lambda held, by: set_default(held, by=by),
]


@pytest.fixture(scope="module")
def lasting_world(everybody: Any, lasting_lab: Any) -> dict[str, Any]:
    """Name -> actor, and "views": kind -> a view of erin's of that kind."""
    people, workspace = everybody, lasting_lab
    who = {name: getattr(people, name) for name in ("alice", "bob", "carol", "dave")}
    who |= {name: member(workspace, name) for name in ("erin", "frank", "inactive")}
    who["admin"] = make.user("admin", admin=True)
    actors: dict[str, Any] = {name: make.actor(user) for name, user in who.items()}
    actors |= {f"reading {name}": reading(who[name]) for name in ("alice", "bob", "erin")}
    actors |= {f"running {name}": running(who[name]) for name in ("bob", "erin")}
    other = make.workspace("elsewhere", owner=people.dave, contributor=people.bob)
    actors["elsewhere bob"] = Actor("bob", people.bob, workspace_id=other.pk)
    views = {kind: view(workspace, who["erin"], kind, **facts) for kind, facts in KINDS.items()}
    CustomView.objects.filter(pk=views["gone"].pk).update(owner=None)
    who["inactive"].is_active = False
    who["inactive"].save()
    actors["inactive"] = make.actor(who["inactive"])
    return actors | {"views": views}


@pytest.fixture
def world(lasting_world: dict[str, Any], put_back: None) -> dict[str, Any]:
    return deepcopy(lasting_world)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", MAY)
def test_each_sees_and_may_do_what_the_table_says(
    world: dict[str, Any], workspace: Any, who: str, kind: str
) -> None:
    by, may = world[who], MAY[who][kind]
    stored = CustomView.objects.get(pk=world["views"][kind].pk)
    held = found(workspace, by, stored)

    assert (held is not None) == (may >= SEE) == may_see(by, stored)
    assert (stored in visible_views(workspace, by)) == (may >= SEE)
    if held is not None:
        for known in (rights(by, held), rights(by, stored)):
            assert (known.may_edit, known.may_manage) == (may >= EDIT, may >= MANAGE)
            assert (known.why_not_rename == "") == (may >= OWN)
            assert known.is_own == (by.user == stored.owner)


@pytest.mark.any_database
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", MAY)
def test_each_deed_asks_for_the_right_by_itself(
    world: dict[str, Any], workspace: Any, who: str, kind: str
) -> None:
    """Also with a view that was found for somebody else, or before its sharing changed."""
    from django.db import transaction

    by, may = world[who], MAY[who][kind]
    before = all_rows()
    for needed, deed in DEEDS:
        held = CustomView.objects.select_related("workspace").get(pk=world["views"][kind].pk)
        if may >= needed:
            with transaction.atomic():
                deed(held, by)
                transaction.set_rollback(True)
        else:
            with pytest.raises(NotAllowed) as refused:
                deed(held, by)
            assert str(refused.value).endswith(".")
    assert not changed_tables(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", MAY)
def test_each_keeps_for_themselves_what_they_see(
    world: dict[str, Any], workspace: Any, who: str, kind: str
) -> None:
    by = world[who]
    is_program = who.startswith(("reading", "running"))
    before = all_rows()
    for deed in FOR_ONESELF:
        held = CustomView.objects.get(pk=world["views"][kind].pk)
        if MAY[who][kind] >= SEE and not is_program:
            deed(held, by)
        else:
            with pytest.raises(NotAllowed):
                deed(held, by)
    if MAY[who][kind] == NOTHING or is_program:
        assert not changed_tables(before)


def test_facts_of_one_person_are_no_facts_of_another(people: Any, workspace: Any) -> None:
    held = view(workspace, people.alice, people={"bob": "edit"})
    as_bob = found(workspace, people.bob, held)

    assert rights(make.actor(people.bob), as_bob).may_edit
    gina = member(workspace, "gina")
    assert not rights(make.actor(gina), as_bob).may_edit
    assert not may_see(make.actor(gina), as_bob)


def test_the_studio_itself_looks_after_shared_views_and_has_none(
    world: dict[str, Any], workspace: Any
) -> None:
    system = Actor.system("worker")
    for kind, held in world["views"].items():
        assert not may_see(system, held)
        stored = CustomView.objects.get(pk=held.pk)
        may_manage = kind in ("all see", "all edit", "gone")
        assert rights(system, stored).may_manage == may_manage
        for deed in (*FOR_ONESELF, copied):
            with pytest.raises(NotAllowed):
                deed(stored, system)
    assert not visible_views(workspace, system).exists()


def test_the_reasons_name_who_could_help(world: dict[str, Any], workspace: Any) -> None:
    def why(who: str, kind: str) -> tuple[str, str]:
        known = rights(world[who], CustomView.objects.get(pk=world["views"][kind].pk))
        return known.why_not_edit, known.why_not_manage

    assert why("frank", "named") == (
        "erin lets you see this view, not edit it. Use Save as.",
        "Only erin can do this with the view.",
    )
    assert why("bob", "gone") == ("", "Only an owner of the workspace can do this with the view.")
    assert why("bob", "named") == ("", "Only erin can do this with the view.")
    assert "Ask an owner" in why("carol", "named")[0]
    assert "may only read" in why("reading erin", "private")[0]


def test_an_address_finds_by_its_last_letters_and_never_stumbles(
    people: Any, workspace: Any
) -> None:
    from studio.custom_views.finding import find_view

    bob, held = make.actor(people.bob), view(workspace, people.bob)
    other = make.workspace("other", owner=people.alice, contributor=people.bob)
    good = [held.uid, held.address, f"renamed-since-{held.uid}", f"-{held.uid}"]
    hostile = ["", "-", "\x00", f"{held.uid}\x00", "é", "a" * 9_000, "\ud800", held.uid.upper()]

    assert all(find_view(workspace, bob, address) == held for address in good)
    assert not any(find_view(workspace, bob, address) for address in hostile)
    assert find_view(other, bob, held.uid) is None
    assert find_view(Workspace(pk=0), bob, held.uid) is None
    assert as_actor(bob) is bob
    assert events(held)[0][0] == "made"
