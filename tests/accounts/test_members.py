"""Who is in a workspace: the actions, their rules and their history."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.actions import add_workspace, find_token, make_token, set_member
from studio.accounts.members import (
    LastOwner,
    Taken,
    WrongMember,
    add_member,
    change_role,
    create_member,
    leave_workspace,
    remove_member,
)
from studio.accounts.models import (
    ApiToken,
    MemberEvent,
    Membership,
    Role,
    Scope,
    User,
    Workspace,
    new_token,
)
from studio.accounts.permissions import Actor, NotAllowed, role_in
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def alice(people: Any, workspace: Workspace) -> Any:
    return make.actor(people.alice)


def last(workspace: Workspace) -> tuple[Any, ...]:
    event = MemberEvent.objects.newest(workspace)[0]
    return (event.kind, event.actor, event.subject, event.before, event.after)


def n_events(workspace: Workspace) -> int:
    return MemberEvent.objects.newest(workspace).count()


def test_the_workspaces_of_the_tests_are_what_the_actions_make(people: Any) -> None:
    ours = make.workspace("lab", owner=people.alice, contributor=people.bob, reader=people.carol)
    made, by = add_workspace("made", owner=people.alice), make.actor(people.alice)
    set_member(made, people.bob, Role.CONTRIBUTOR, by=by)
    set_member(made, people.carol, Role.READER, by=by)

    def rows(model: Any, workspace: Workspace) -> list[dict[str, Any]]:
        unlike = {"id", "workspace_id", "since", "at"}
        found = model.objects.filter(workspace=workspace).order_by("pk").values()
        return [{name: row[name] for name in row if name not in unlike} for row in found]

    for model in (Membership, MemberEvent):
        assert rows(model, ours) == rows(model, made)
        assert len(rows(model, made)) == 3


def test_an_account_is_added_changed_and_removed(
    people: Any, workspace: Workspace, alice: Actor
) -> None:
    held = add_member(workspace, " dave ", "reader", by=alice)
    assert (held.user, held.role) == (people.dave, Role.READER)
    assert held.since is not None
    assert last(workspace) == ("added", "alice", "dave", None, "reader")

    change_role(workspace, "dave", "owner", by=alice)
    assert role_in(people.dave, workspace) == Role.OWNER
    assert last(workspace) == ("role", "alice", "dave", "reader", "owner")

    remove_member(workspace, "dave", by=alice)
    assert role_in(people.dave, workspace) is None
    assert last(workspace) == ("removed", "alice", "dave", "owner", None)


def test_the_first_line_of_the_history_is_who_made_the_workspace(workspace: Workspace) -> None:
    event = MemberEvent.objects.newest(workspace).last()
    assert event is not None
    assert (event.kind, event.subject, event.after) == ("made", "alice", "owner")


def test_the_same_role_again_is_no_change(workspace: Workspace, alice: Actor) -> None:
    before = n_events(workspace)
    assert change_role(workspace, "bob", "contributor", by=alice).role == Role.CONTRIBUTOR
    assert n_events(workspace) == before


def test_a_new_account_has_no_password_and_one_event(workspace: Workspace, alice: Actor) -> None:
    before = n_events(workspace)
    user = create_member(workspace, "erin", "contributor", full_name=" Erin Hale ", by=alice)

    stored = User.objects.get(username="erin")
    assert (stored.get_full_name(), stored.is_superuser, stored.is_staff) == (
        "Erin Hale",
        False,
        False,
    )
    assert not stored.has_usable_password()
    assert role_in(user, workspace) == Role.CONTRIBUTOR
    assert n_events(workspace) == before + 1
    assert last(workspace) == ("created", "alice", "erin", None, "contributor")


@pytest.mark.parametrize("name", ["bob", "BOB", " Bob", "dave"])
def test_a_name_in_use_is_refused_and_nothing_stays(
    name: str, workspace: Workspace, alice: Actor
) -> None:
    before = User.objects.count(), n_events(workspace)
    with pytest.raises(Taken, match="Add it instead"):
        create_member(workspace, name, "reader", by=alice)
    assert (User.objects.count(), n_events(workspace)) == before


@pytest.mark.parametrize("name", ["", "  ", "a b", "a/b", "x" * 151, "a\nb", "<b>"])
def test_a_name_that_django_refuses_is_refused(
    name: str, workspace: Workspace, alice: Actor
) -> None:
    with pytest.raises(WrongMember) as wrong:
        create_member(workspace, name, "reader", by=alice)
    assert wrong.value.field == "name"


def test_a_full_name_that_is_too_long_is_refused(workspace: Workspace, alice: Actor) -> None:
    with pytest.raises(WrongMember) as wrong:
        create_member(workspace, "erin", "reader", full_name="x" * 151, by=alice)
    assert wrong.value.field == "full_name"


def test_what_can_not_be_added_is_said(people: Any, workspace: Workspace, alice: Actor) -> None:
    User.objects.filter(pk=people.dave.pk).update(is_active=False)
    for name in ("dave", "nobody", ""):
        with pytest.raises(WrongMember, match="no active account"):
            add_member(workspace, name, "reader", by=alice)
    with pytest.raises(Taken, match="a member already, as Contributor"):
        add_member(workspace, "bob", "owner", by=alice)
    with pytest.raises(WrongMember, match="Choose a role"):
        add_member(workspace, "dave", "god", by=alice)
    with pytest.raises(WrongMember, match="not a member"):
        change_role(workspace, "dave", "reader", by=alice)
    with pytest.raises(WrongMember, match="not a member"):
        remove_member(workspace, "dave", by=alice)


@pytest.mark.parametrize("who", ["bob", "carol", "dave"])
def test_only_owners_change_members_and_others_learn_nothing_of_accounts(
    who: str, people: Any, workspace: Workspace
) -> None:
    by, before = make.actor(getattr(people, who)), n_events(workspace)
    said = set()
    for name in ("dave", "nobody", "alice"):
        for change in (add_member, create_member, change_role):
            with pytest.raises(NotAllowed) as refused:
                change(workspace, name, "owner", by=by)
            said.add(str(refused.value))
        with pytest.raises(NotAllowed) as refused:
            remove_member(workspace, name, by=by)
        said.add(str(refused.value))
    assert len(said) == 1
    assert n_events(workspace) == before


def test_an_admin_of_the_studio_manages_what_they_are_no_member_of(workspace: Workspace) -> None:
    root = make.actor(make.user("root", admin=True))
    assert create_member(workspace, "erin", "reader", by=root)
    remove_member(workspace, "erin", by=root)
    with pytest.raises(LastOwner):
        remove_member(workspace, "alice", by=root)


def test_the_last_owner_stays(people: Any, workspace: Workspace, alice: Actor) -> None:
    for change in (
        lambda: change_role(workspace, "alice", "reader", by=alice),
        lambda: remove_member(workspace, "alice", by=alice),
        lambda: leave_workspace(workspace, by=alice),
    ):
        with pytest.raises(LastOwner, match="alice is the last owner of “lab”"):
            change()
    assert role_in(people.alice, workspace) == Role.OWNER


def test_an_owner_whose_account_is_off_counts_for_nothing(
    people: Any, workspace: Workspace, alice: Actor
) -> None:
    set_member(workspace, people.bob, Role.OWNER, by=alice)
    User.objects.filter(pk=people.bob.pk).update(is_active=False)
    with pytest.raises(LastOwner):
        leave_workspace(workspace, by=alice)


def test_everybody_else_may_leave(people: Any, workspace: Workspace) -> None:
    for person in (people.bob, people.carol):
        leave_workspace(workspace, by=make.actor(person))
        assert role_in(person, workspace) is None
        assert last(workspace)[:3] == ("left", person.username, person.username)
    with pytest.raises(NotAllowed):
        leave_workspace(workspace, by=make.actor(people.dave))


def test_a_token_that_reads_does_not_leave(people: Any, workspace: Workspace) -> None:
    token = find_token(make.token(people.bob, workspace=workspace, scope="read"))
    assert token is not None
    with pytest.raises(NotAllowed):
        leave_workspace(workspace, by=Actor.of_token(token))


def test_removing_ends_the_tokens_of_this_workspace_only(
    people: Any, workspace: Workspace, alice: Actor
) -> None:
    other = make.workspace("other", owner=people.bob)
    here, there, all_of_them = (
        make_token(people.bob, name="t", scope=Scope.WRITE, workspace=room)[1]
        for room in (workspace, other, None)
    )
    _, of_run = new_token(
        people.bob, name="run", scope=Scope.WRITE, workspace=workspace, run_uid="abc"
    )
    of_carol = make.token(people.carol, workspace=workspace)

    remove_member(workspace, "bob", by=alice)

    assert [find_token(secret) is None for secret in (here, of_run)] == [True, True]
    assert all(find_token(secret) for secret in (there, all_of_them, of_carol))
    add_member(workspace, "bob", "reader", by=alice)
    assert find_token(here) is None


def test_what_was_granted_a_moment_ago_does_not_count(
    people: Any, workspace: Workspace, alice: Actor
) -> None:
    """A request remembers the role it was let in with; the change looks again."""
    set_member(workspace, people.bob, Role.OWNER, by=alice)
    as_let_in = Actor(name="bob", user=people.bob, seen_role=(workspace.pk, Role.OWNER.value))
    change_role(workspace, "bob", "reader", by=alice)
    with pytest.raises(NotAllowed):
        change_role(workspace, "alice", "reader", by=as_let_in)


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_demote_each_other_at_once_one_stays() -> None:
    people = [make.user(name) for name in ("ann", "ben")]
    workspace = add_workspace("duel", owner=people[0])
    set_member(workspace, people[1], Role.OWNER, by=make.actor(people[0]))
    for _ in range(5):
        Membership.objects.of(workspace).update(role=Role.OWNER)
        outcomes = duel(workspace, people)
        assert sorted(outcomes) == ["done", "refused"]
        assert Membership.objects.of(workspace).active_owners().count() == 1


def duel(workspace: Workspace, people: list[Any]) -> list[str]:
    """Both start together, each let in as an owner by a request of a moment ago."""
    ready, outcomes = threading.Barrier(2), []

    def demote(by: Any, other: Any) -> None:
        actor = Actor(name=by.username, user=by, seen_role=(workspace.pk, Role.OWNER.value))
        ready.wait()
        try:
            change_role(workspace, other.username, "reader", by=actor)
            outcomes.append("done")
        except NotAllowed:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=demote, args=pair) for pair in (people, list(reversed(people)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_the_last_two_owners_can_not_both_leave() -> None:
    people = [make.user(name) for name in ("ann", "ben")]
    workspace = add_workspace("duel", owner=people[0])
    set_member(workspace, people[1], Role.OWNER, by=make.actor(people[0]))
    leave_workspace(workspace, by=make.actor(people[0]))
    with pytest.raises(LastOwner):
        leave_workspace(workspace, by=make.actor(people[1]))


def test_an_expired_token_stays_listed_until_it_is_revoked(people: Any) -> None:
    token, secret = make_token(
        people.bob, name="brief", scope=Scope.READ, lifetime=timedelta(seconds=60)
    )
    assert find_token(secret, now=timezone.now() + timedelta(seconds=61)) is None
    assert list(ApiToken.objects.made_by_hand(people.bob)) == [token]


def test_an_account_may_be_created_with_an_address(workspace: Workspace, alice: Actor) -> None:
    made = create_member(workspace, "gus", "reader", email=" gus@Lab.Example ", by=alice)
    assert made.email == "gus@lab.example"

    with pytest.raises(WrongMember) as wrong:
        create_member(workspace, "hal", "reader", email="hal at home", by=alice)
    assert wrong.value.field == "email"
    assert not User.objects.filter(username="hal").exists()
