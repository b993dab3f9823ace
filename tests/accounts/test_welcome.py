"""The link with which a person sets a password: once, for a time, and only for whom it may be."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.accounts.actions import set_member
from studio.accounts.members import WrongMember, add_member, create_member, remove_member
from studio.accounts.models import MemberEvent, OidcIdentity, Role, User, Workspace
from studio.accounts.permissions import NotAllowed
from studio.accounts.welcome import link_parts, new_link, use_link, user_of_link
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def erin(people: Any, workspace: Workspace) -> User:
    return create_member(workspace, "erin", "reader", by=make.actor(people.alice))


def test_a_link_is_good_for_a_week_and_until_a_password_is_set(erin: User) -> None:
    uidb64, token = link_parts(erin)
    assert user_of_link(uidb64, token) == erin
    soon, late = (timezone.now() + timedelta(days=days) for days in (6.9, 7.1))
    assert user_of_link(uidb64, token, now=soon) == erin
    assert user_of_link(uidb64, token, now=late) is None

    erin.set_password("correct horse battery")
    erin.save()
    assert user_of_link(uidb64, token) is None


def test_a_link_to_an_account_with_a_password_is_good_for_an_hour(people: Any) -> None:
    uidb64, token = link_parts(people.bob)
    soon, late = (timezone.now() + timedelta(minutes=minutes) for minutes in (59, 61))
    assert user_of_link(uidb64, token, now=soon) == people.bob
    assert user_of_link(uidb64, token, now=late) is None


def test_a_link_is_used_once(erin: User) -> None:
    parts = link_parts(erin)
    assert use_link(*parts, "correct horse battery") == erin
    assert use_link(*parts, "something else entirely") is None
    assert User.objects.get(pk=erin.pk).check_password("correct horse battery")


def test_signing_in_ends_a_link(people: Any, workspace: Workspace) -> None:
    uidb64, token = link_parts(people.bob)
    Client().force_login(people.bob)
    assert user_of_link(uidb64, token) is None


def test_an_account_that_is_off_has_no_link(erin: User) -> None:
    parts = link_parts(erin)
    User.objects.filter(pk=erin.pk).update(is_active=False)
    assert user_of_link(*parts) is None


@pytest.mark.parametrize(
    "uidb64", ["", "x", "%", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "4p2k"]
)
def test_a_made_up_link_is_none(uidb64: str, erin: User) -> None:
    assert user_of_link(uidb64, link_parts(erin)[1]) is None
    assert user_of_link(link_parts(erin)[0], uidb64) is None


def test_the_link_of_one_person_does_not_open_another(erin: User, people: Any) -> None:
    assert user_of_link(link_parts(people.bob)[0], link_parts(erin)[1]) is None


def test_an_owner_makes_a_new_link_and_the_old_one_ends(
    erin: User, people: Any, workspace: Workspace
) -> None:
    old = link_parts(erin)
    found = new_link(workspace, "erin", by=make.actor(people.alice))
    assert user_of_link(*old) is None
    assert user_of_link(*link_parts(found)) == erin
    assert MemberEvent.objects.newest(workspace)[0].kind == "link"


def test_an_owner_makes_no_link_to_what_is_not_theirs(
    erin: User, people: Any, workspace: Workspace
) -> None:
    alice, dave = make.actor(people.alice), make.actor(people.dave)
    other = make.workspace("other", owner=people.dave)
    with pytest.raises(NotAllowed, match="Only an admin"):
        new_link(workspace, "bob", by=alice)

    # Somebody else's new account, taken in: its link would open the other workspace too.
    add_member(other, "erin", "reader", by=dave)
    for room, by in ((workspace, alice), (other, dave)):
        with pytest.raises(NotAllowed, match="Only an admin"):
            new_link(room, "erin", by=by)
    remove_member(workspace, "erin", by=alice)
    with pytest.raises(NotAllowed, match="Only an admin"):
        new_link(other, "erin", by=dave)


@pytest.mark.parametrize("who", ["bob", "carol", "dave"])
def test_only_owners_make_links(who: str, erin: User, people: Any, workspace: Workspace) -> None:
    with pytest.raises(NotAllowed):
        new_link(workspace, "erin", by=make.actor(getattr(people, who)))


def test_an_owner_makes_no_link_past_single_sign_on(
    erin: User, people: Any, workspace: Workspace
) -> None:
    OidcIdentity.objects.create(user=erin, issuer="https://login.example.org", subject="7")
    with pytest.raises(NotAllowed, match="erin"):
        new_link(workspace, "erin", by=make.actor(people.alice))


def test_an_admin_makes_links_for_every_member(
    erin: User, people: Any, workspace: Workspace
) -> None:
    root = make.actor(make.user("root", admin=True))
    for name in ("erin", "bob"):
        assert user_of_link(*link_parts(new_link(workspace, name, by=root)))
    # What bob has stays good until the link is used.
    assert User.objects.get(username="bob").check_password("correct horse battery")
    with pytest.raises(WrongMember, match="not a member"):
        new_link(workspace, "dave", by=root)
    set_member(workspace, people.dave, Role.READER, by=root)
    User.objects.filter(pk=people.dave.pk).update(is_active=False)
    with pytest.raises(WrongMember, match="switched off"):
        new_link(workspace, "dave", by=root)


def test_an_owner_never_makes_a_link_to_an_admin(people: Any, workspace: Workspace) -> None:
    root = make.user("root", admin=True)
    root.set_unusable_password()
    root.save()
    add_member(workspace, "root", "reader", by=make.actor(people.alice))
    with pytest.raises(NotAllowed, match="Only an admin"):
        new_link(workspace, "root", by=make.actor(people.alice))
