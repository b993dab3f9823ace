"""The role table, tokens, and who may see what."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.actions import find_token, make_token, revoke_run_tokens, set_member
from studio.accounts.models import ApiToken, Role, Scope, Workspace, new_token
from studio.accounts.permissions import (
    ADMIN,
    ROLES,
    Actor,
    NotAllowed,
    Permission,
    can,
    permissions_of,
)
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


def test_each_role_holds_all_rights_of_the_one_below() -> None:
    assert ROLES[Role.READER] < ROLES[Role.CONTRIBUTOR] < ROLES[Role.OWNER]
    assert ROLES[Role.OWNER] == frozenset(Permission) - ADMIN


def test_an_admin_holds_every_right_and_a_token_of_one_workspace_none_over_all(
    people: Any, workspace: Workspace
) -> None:
    admin = make.user("root", admin=True)
    assert permissions_of(Actor.of_user(admin), workspace) == frozenset(Permission)
    bound = find_token(make.token(admin, workspace=workspace))
    assert bound is not None
    assert permissions_of(Actor.of_token(bound), workspace) == ROLES[Role.OWNER]


def test_rights_follow_the_membership_at_once(people: Any, workspace: Workspace) -> None:
    carol = Actor.of_user(people.carol)
    assert not can(carol, Permission.EDIT_RUN, workspace)
    owner = Actor.of_user(people.alice)
    set_member(workspace, people.carol, Role.CONTRIBUTOR, by=owner)
    assert can(carol, Permission.EDIT_RUN, workspace)


def test_only_an_owner_changes_members(people: Any, workspace: Workspace) -> None:
    with pytest.raises(NotAllowed):
        set_member(workspace, people.dave, Role.OWNER, by=Actor.of_user(people.bob))


def test_an_outsider_has_no_right_at_all(people: Any, workspace: Workspace) -> None:
    assert permissions_of(Actor.of_user(people.dave), workspace) == frozenset()
    assert not Workspace.objects.visible_to(people.dave).exists()


def test_a_disabled_account_and_its_tokens_are_out_at_once(people: Any, workspace: Any) -> None:
    secret = make.token(people.bob)
    people.bob.is_active = False
    people.bob.save(update_fields=["is_active"])
    assert find_token(secret) is None
    assert permissions_of(Actor.of_user(people.bob), workspace) == frozenset()


def test_a_read_token_only_reads(people: Any, workspace: Workspace) -> None:
    secret = make.token(people.alice, scope="read")
    token = find_token(secret)
    assert token is not None
    assert permissions_of(Actor.of_token(token), workspace) == {Permission.SEE}


def test_a_token_of_one_workspace_opens_no_other(people: Any, workspace: Workspace) -> None:
    other = make.workspace("other", owner=people.alice)
    token = find_token(make.token(people.alice, workspace=workspace))
    assert token is not None
    assert permissions_of(Actor.of_token(token), other) == frozenset()


def test_the_secret_is_not_stored(people: Any) -> None:
    _, secret = make_token(people.bob, name="laptop", scope=Scope.WRITE)
    stored = ApiToken.objects.get(name="laptop")
    assert secret.startswith("studio_")
    assert secret not in str(vars(stored))
    assert len(secret) > 40


@pytest.mark.parametrize("wrong", ["", "studio_", "x" * 500, "studio_nonsense"])
def test_a_wrong_secret_finds_nothing(people: Any, wrong: str) -> None:
    assert find_token(wrong) is None


def test_expired_and_revoked_tokens_are_dead(people: Any, workspace: Workspace) -> None:
    _, brief = new_token(
        people.bob, name="brief", scope=Scope.WRITE, lifetime=timedelta(seconds=60)
    )
    assert find_token(brief) is not None
    assert find_token(brief, now=timezone.now() + timedelta(seconds=61)) is None
    _, of_run = new_token(
        people.bob, name="run", scope=Scope.WRITE, workspace=workspace, run_uid="abc"
    )
    assert revoke_run_tokens("abc", workspace) == 1
    assert find_token(of_run) is None
