"""One's own account: the password, and API tokens."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from studio.accounts.actions import find_token
from studio.accounts.models import ApiToken, Scope, SignInEvent, new_token
from studio.accounts.passwords import TOO_MANY, WRONG
from studio.accounts.permissions import Actor
from studio.operations.closing import close_workspace, reopen_workspace
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.forms import form_of
from tests.web.pages import read

OLD, NEW = "correct horse battery", "quite another long one"
TOKEN = {"name": "laptop", "scope": "read", "workspace": "lab", "days": "30"}


def secret_on(answer: Any) -> str:
    found = re.search(r'id="account-secret">(studio_[\w-]+)<', answer.content.decode())
    assert found
    return found[1]


@pytest.mark.parametrize("path", ["", "/password", "/email", "/tokens", "/tokens/revoke"])
def test_nobody_else_gets_in(path: str, client: Client, workspace: Any) -> None:
    for answer in (client.get(f"/account{path}"), client.post(f"/account{path}", {})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in?next=/account")


@pytest.mark.parametrize("path", ["/password", "/email", "/tokens", "/tokens/revoke"])
def test_a_change_needs_the_forms_own_token(path: str, people: Any, workspace: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.bob)
    before = all_rows()

    assert client.post(f"/account{path}", TOKEN).status_code == 403
    assert client.get(f"/account{path}").status_code == 405
    assert not changed_tables(before)


def test_a_person_in_no_workspace_has_an_account_too(dave_client: Client) -> None:
    page = read(dave_client.get("/account"))

    assert "Your account" in page.text
    assert "You have no tokens" in page.text
    assert page.one("form", action="/sign-out")
    assert "lab" not in page.text.split()
    assert read(dave_client.get("/")).href(href="/account")


def test_the_frame_is_that_of_the_last_workspace(bob_client: Client, people: Any) -> None:
    make.workspace("another", owner=people.bob)
    bob_client.get("/w/lab")

    assert read(bob_client.get("/account")).href(href="/w/lab/members")


def test_the_password_changes_and_other_sessions_end(people: Any, workspace: Any) -> None:
    here, elsewhere = make.client(people.bob), make.client(people.bob)
    secret = make.token(people.bob)
    form = form_of(here.get("/account"), "account-password")
    typed = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}

    answer = here.post(form.action, form.sent(**typed))

    assert (answer.status_code, answer["Location"]) == (303, "/account")
    assert "Your password is changed" in read(here.get("/account")).text
    assert elsewhere.get("/account").status_code == 302
    assert Client().login(username="bob", password=NEW)
    assert not Client().login(username="bob", password=OLD)
    assert find_token(secret)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"old_password": "wrong"}, "old password was entered incorrectly"),
        ({"new_password2": "other"}, "didn’t match"),
        ({"new_password1": "short", "new_password2": "short"}, "at least 12 characters"),
        ({"new_password1": ""}, "required"),
    ],
)
def test_a_refused_password_says_why(typed: dict[str, str], said: str, bob_client: Client) -> None:
    good = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}

    answer = bob_client.post("/account/password", good | typed)

    assert answer.status_code == 422
    assert said in read(answer).text
    assert NEW not in answer.content.decode()
    assert Client().login(username="bob", password=OLD)


def test_a_token_is_made_shown_once_and_revoked(bob_client: Client, workspace: Any) -> None:
    form = form_of(bob_client.get("/account"), "account-token")
    answer = bob_client.post(form.action, form.sent(**TOKEN))
    secret = secret_on(answer)

    token = find_token(secret)
    assert token is not None
    assert (token.name, token.scope, token.workspace) == ("laptop", Scope.READ, workspace)
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)
    assert answer["Cache-Control"] == "private, no-store"
    page = bob_client.get("/account")
    assert secret not in page.content.decode()
    assert f"studio_{token.hint}…" in read(page).text

    revoked = bob_client.post("/account/tokens/revoke", {"token": str(token.pk)})
    assert revoked.status_code == 303
    assert find_token(secret) is None
    assert ApiToken.objects.get(pk=token.pk).revoked_at
    assert "Revoked “laptop”" in read(bob_client.get("/account")).text
    assert "You have no tokens" in read(bob_client.get("/account")).text


def test_a_token_of_all_workspaces_that_never_expires(bob_client: Client) -> None:
    answer = bob_client.post("/account/tokens", TOKEN | {"workspace": "", "days": ""})

    token = find_token(secret_on(answer))
    assert token is not None
    assert (token.workspace, token.expires_at) == (None, None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": "  "}, "Give the token a name"),
        ({"name": "x" * 101}, "Give the token a name"),
        ({"scope": "all"}, "Choose what the token may do"),
        ({"days": "8"}, "Choose when the token expires"),
        ({"workspace": "secret-room"}, "not a member of “secret-room”"),
        ({"workspace": "nowhere"}, "not a member of “nowhere”"),
    ],
)
def test_a_refused_token_comes_back_as_it_was_typed(
    typed: dict[str, str], said: str, bob_client: Client, people: Any
) -> None:
    make.workspace("secret-room", owner=people.alice)

    answer = bob_client.post("/account/tokens", TOKEN | typed)

    assert answer.status_code == 422
    assert said in read(answer).text
    name = typed.get("name", "laptop")
    assert read(answer).one("input", id="token-name")["value"] == name
    assert not ApiToken.objects.filter(user=people.bob).exists()


@pytest.mark.parametrize("wanted", ["", "x", "0", "-1", "9" * 30, "²"])
def test_a_token_that_is_not_there_is_said(wanted: str, bob_client: Client) -> None:
    assert bob_client.post("/account/tokens/revoke", {"token": wanted}).status_code == 303
    assert "There is no such token of yours" in read(bob_client.get("/account")).text


def test_nobody_revokes_or_sees_a_token_of_another(
    bob_client: Client, people: Any, workspace: Any
) -> None:
    secret = make.token(people.alice)
    token = find_token(secret)
    assert token is not None

    bob_client.post("/account/tokens/revoke", {"token": str(token.pk)})

    assert find_token(secret)
    assert token.hint not in read(bob_client.get("/account")).text


def test_a_token_of_a_closed_workspace_is_told_so_and_revoked_by_its_owner_alone(
    people: Any, workspace: Any
) -> None:
    _, secret = new_token(people.bob, name="cluster", scope=Scope.WRITE, workspace=workspace)
    new_token(people.bob, name="everywhere", scope=Scope.READ)
    close_workspace(workspace, by=Actor.system("command line"))
    token = ApiToken.objects.get(name="cluster")
    wanted = {"token": str(token.pk)}

    for other in (people.alice, make.user("root", admin=True)):
        client = make.client(other)
        assert "cluster" not in read(client.get("/account")).text
        assert client.post("/account/tokens/revoke", wanted).status_code == 303
        assert "There is no such token of yours" in read(client.get("/account")).text
    assert find_token(secret)

    bob = make.client(people.bob)
    text = read(bob.get("/account")).text
    assert "lab closed" in text
    assert text.count("closed") == 1
    assert bob.post("/account/tokens/revoke", wanted).status_code == 303
    text = read(bob.get("/account")).text
    assert "Revoked “cluster”" in text
    assert "lab" not in text
    reopen_workspace(workspace, by=Actor.system("command line"))
    assert find_token(secret) is None


def test_tokens_of_runs_are_not_listed_and_expired_ones_say_so(
    bob_client: Client, people: Any, workspace: Any
) -> None:
    of_run = {"scope": Scope.WRITE, "workspace": workspace, "run_uid": "abc"}
    new_token(people.bob, name="made for a run", **of_run)
    new_token(people.bob, name="old", scope=Scope.READ, lifetime=timedelta(seconds=-1))

    text = read(bob_client.get("/account")).text

    assert "made for a run" not in text
    assert "Expired" in text


def test_more_tokens_cost_no_more_queries(bob_client: Client, people: Any, workspace: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert bob_client.get("/account").status_code == 200
        return len(seen)

    make.token(people.bob, workspace=workspace)
    few = cost()
    for _ in range(20):
        make.token(people.bob, workspace=workspace)
    assert cost() == few


def test_an_address_is_changed_by_who_knows_the_password(bob_client: Client, people: Any) -> None:
    form = form_of(bob_client.get("/account"), "account-email")
    assert ("email", "bob@example.org") in form.fields

    answer = bob_client.post("/account/email", {"email": " bob@Lab.example ", "password": OLD})

    assert (answer.status_code, answer["Location"]) == (303, "/account")
    people.bob.refresh_from_db()
    assert people.bob.email == "bob@lab.example"
    page = read(bob_client.get("/account"))
    assert "Mails go to bob@lab.example now" in page.text
    assert bob_client.post("/account/email", {"email": "", "password": OLD}).status_code == 303
    people.bob.refresh_from_db()
    assert people.bob.email == ""


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"email": "eve@example.org", "password": "a guess"}, "password"),
        ({"email": "eve@example.org"}, "password"),
        ({"email": "no address", "password": OLD}, "email"),
        ({"email": "a@example.org\nBcc: b@example.org", "password": OLD}, "email"),
        ({"email": f"{'a' * 250}@example.org", "password": OLD}, "email"),
        ({"email": "a@example.org\0", "password": OLD}, "email"),
    ],
)
def test_a_wrong_address_or_password_changes_nothing_and_keeps_what_was_typed(
    sent: dict[str, str], field: str, bob_client: Client, people: Any
) -> None:
    before = all_rows()

    answer = bob_client.post("/account/email", sent)

    assert answer.status_code == 422
    page = read(answer)
    assert page.one("p", id=f"address-{field}-error")
    assert page.one("input", id="address-email")["value"].split() == sent["email"].split()
    guessed = ["accounts.signinevent", "accounts.wrongpassword"] if field == "password" else []
    assert changed_tables(before) == guessed


def test_a_password_is_not_guessed_where_somebody_is_signed_in(
    bob_client: Client, people: Any
) -> None:
    # Which refusals were told of is kept there.
    cache.clear()
    new = {"new_password1": "a quite new password", "new_password2": "a quite new password"}

    def ask(old: str) -> list[str]:
        answers = [
            bob_client.post("/account/email", {"email": "eve@example.org", "password": old}),
            bob_client.post("/account/password", {"old_password": old, **new}),
        ]
        return [read(answer).text for answer in answers]

    for n in range(5):
        by_email, by_password = ask(f"guess {n}")
        assert "This is not your password." in by_email
        assert "Too many tries" not in by_password
    before = all_rows()

    for text in ask(OLD):
        assert "Too many tries with a wrong password. Wait five minutes." in text
    assert changed_tables(before) == ["accounts.signinevent"]
    told = SignInEvent.objects.filter(user=people.bob, how="asked-again", succeeded=False)
    assert [event.detail for event in told.order_by("pk")] == [*[WRONG] * 10, TOO_MANY]
    assert "Password asked for again" in read(bob_client.get("/account/sign-ins")).text
