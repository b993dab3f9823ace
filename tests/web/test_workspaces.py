"""GET /admin/workspaces, POST /admin/workspaces/new, and POST /api/v1/workspaces."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.accounts.models import MemberEvent, Membership, Scope, User, Workspace
from studio.accounts.permissions import Actor
from studio.operations.closing import close_workspace
from tests import make
from tests.web.pages import read

pytestmark = pytest.mark.django_db

LIST, NEW = "/admin/workspaces", "/admin/workspaces/new"


@pytest.fixture
def root(people: Any) -> User:
    found: User = make.user("root", admin=True)
    return found


@pytest.fixture
def admin(root: User) -> Client:
    return make.client(root)


def test_an_admin_makes_a_workspace_for_somebody_and_goes_on_to_its_members(
    admin: Client, people: Any
) -> None:
    answer = admin.post(NEW, {"name": " speech ", "owner": "alice"}, follow=True)

    made = Workspace.objects.get(name="speech")
    assert answer.redirect_chain == [("/w/speech/members", 303)]
    assert "The workspace speech is made" in read(answer).text
    held = Membership.objects.get(workspace=made)
    assert (held.user.username, held.role) == ("alice", "owner")
    event = MemberEvent.objects.get(workspace=made)
    assert (event.kind, event.actor, event.subject) == ("made", "root", "alice")
    assert make.client(people.alice).get("/w/speech/runs").status_code == 200
    assert make.client(people.bob).get("/w/speech/runs").status_code == 404


def test_what_was_typed_stays_and_the_reason_stands_at_its_field(
    admin: Client, workspace: Any
) -> None:
    shut = make.workspace("shut", owner=User.objects.get(username="alice"))
    close_workspace(shut, by=Actor.system("command line"))
    before = set(Workspace.objects.values_list("name", flat=True))
    User.objects.filter(username="dave").update(is_active=False)
    for name, owner, reason in (
        ("", "alice", "can't be a name"),
        ("two words", "alice", "can't be a name"),
        ("<b>x</b>", "alice", "can't be a name"),
        ("x" * 64, "alice", "can't be a name"),
        ("lab", "alice", "There is a workspace “lab”. Take another name."),
        ("shut", "alice", "that of a closed workspace"),
        ("speech", "nobody", "There is no active user “nobody”."),
        ("speech", "dave", "There is no active user “dave”."),
        ("speech", "", "There is no active user “”."),
    ):
        answer = admin.post(NEW, {"name": name, "owner": owner})
        page = read(answer)
        assert answer.status_code == 422, name
        typed = [page.one("input", id=f"room-{key}").get("value") for key in ("name", "owner")]
        assert typed == [name, owner]
        assert reason in page.text, name
    assert set(Workspace.objects.values_list("name", flat=True)) == before


def test_nobody_but_an_admin_sees_or_makes_any(workspace: Any, people: Any) -> None:
    before = list(Workspace.objects.values_list("name", flat=True))
    everybody = [make.client(one) for one in (people.alice, people.bob, people.carol, people.dave)]
    for client in everybody:
        assert client.get(LIST).status_code == 403
        assert client.post(NEW, {"name": "mine", "owner": "alice"}).status_code == 403
        assert "New workspace" not in client.get("/account").content.decode()
    for address in (Client().get(LIST), Client().post(NEW, {"name": "mine", "owner": "alice"})):
        assert address.status_code == 302
        assert address["Location"].startswith("/sign-in")
    assert list(Workspace.objects.values_list("name", flat=True)) == before


def test_the_list_takes_as_many_questions_for_a_hundred_workspaces_as_for_one(
    admin: Client, people: Any, workspace: Any
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert admin.get(LIST).status_code == 200
        return len(seen)

    asked()
    few = asked()
    for n in range(100):
        make.workspace(f"team-{n:03}", owner=people.alice, reader=people.bob)
    assert asked() == few

    page = read(admin.get(LIST))
    assert page.one("a", **{"aria-label": "3 members of lab"})["href"] == "/w/lab/members"
    assert page.one("a", href=f"{LIST}?after=team-048")
    rest = read(admin.get(f"{LIST}?after=team-048"))
    names = [own["aria-label"] for tag, own in rest.elements if "members of" in str(own)]
    assert names[:2] == ["2 members of team-049", "2 members of team-050"]


def test_an_admin_in_no_workspace_is_told_to_make_the_first(admin: Client) -> None:
    Workspace.objects.all().delete()
    assert "Make the first one." in read(admin.get("/")).text
    assert read(admin.get("/")).one("a", href=LIST)
    assert read(admin.get(LIST)).one("form", action=NEW)


def api_post(secret: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {secret}"}
    return Client().post("/api/v1/workspaces", body, "application/json", headers=headers)


def test_a_program_of_an_admin_makes_one_with_a_token_for_all_workspaces(
    root: User, workspace: Any, people: Any
) -> None:
    answer = api_post(make.token(root), {"name": "speech", "owner": "bob"})
    assert (answer.status_code, answer.json()) == (
        201,
        {"name": "speech", "description": "", "role": "owner"},
    )
    assert api_post(make.token(root), {"name": "own"}).status_code == 201
    assert Membership.objects.get(workspace__name="own").user == root

    taken = api_post(make.token(root), {"name": "speech"})
    assert (taken.status_code, taken.json()["error"]["field"]) == (422, "name")
    for secret in (
        make.token(root, scope=Scope.WRITE),
        make.token(root, workspace=workspace),
        make.token(people.alice),
    ):
        assert api_post(secret, {"name": "more"}).status_code == 403
    assert not Workspace.objects.filter(name="more").exists()


def test_the_command_line_says_what_is_wrong_in_the_same_words(workspace: Any) -> None:
    with pytest.raises(CommandError, match="There is a workspace “lab”"):
        call_command("createworkspace", "lab", "--owner=alice")
    with pytest.raises(CommandError, match="no active user “nobody”"):
        call_command("createworkspace", "speech", "--owner=nobody")
    with pytest.raises(CommandError, match="can't be a name"):
        call_command("createworkspace", "a b", "--owner=alice")
    assert call_command("createworkspace", "speech", "--owner=alice") == "/w/speech/runs"
