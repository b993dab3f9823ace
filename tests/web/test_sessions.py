"""Sessions of browsers: seen, ended, and their ends by themselves; the record of sign-ins."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from studio.accounts.models import (
    ApiToken,
    BrowserSession,
    SignInEvent,
    User,
    WrongPassword,
)
from studio.accounts.sessions import forget_sessions
from studio.accounts.sign_ins import forget_sign_ins
from studio.accounts.tries import forget_tries
from tests import make
from tests.web.pages import read

pytestmark = pytest.mark.data
PASSWORD = "correct horse battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture(autouse=True)
def _forget_tries() -> None:
    cache.clear()


def signed_in(name: str = "bob", *, address: str = "10.0.0.1", agent: str = FIREFOX) -> Client:
    client = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
    answer = client.post("/sign-in", {"username": name, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return bool(client.get("/account").status_code == 200)


def test_a_session_is_listed_in_words_and_ended_alone_or_with_all_others(workspace: Any) -> None:
    here, there, third = signed_in(), signed_in(address="10.0.0.2", agent="odd"), signed_in()
    page = read(here.get("/account"))
    assert "Firefox on Linux" in page.text
    assert "10.0.0.2" in page.text
    keys = set(BrowserSession.objects.values_list("session_key", flat=True))
    assert len(keys) == 3
    assert not any(key in str(here.get("/account").content) for key in keys)

    row = BrowserSession.objects.get(address="10.0.0.2")
    for client in (make.client(User.objects.get(username="carol")), Client()):
        client.post("/account/sessions/end", {"session": row.handle})
    assert is_in(there)
    here.post("/account/sessions/end", {"session": row.handle})
    assert (is_in(here), is_in(there), is_in(third)) == (True, False, True)
    carol = signed_in("carol")
    here.post("/account/sessions/end-others")
    assert (is_in(here), is_in(third), is_in(carol)) == (True, False, True)


def test_the_id_of_a_session_is_new_at_sign_in(workspace: Any) -> None:
    client = signed_in()
    before = client.session.session_key
    client.post("/sign-in", {"username": "bob", "password": PASSWORD})
    assert client.session.session_key != before
    assert not BrowserSession.objects.filter(session_key=before).exists()


def test_idle_and_old_sessions_end_and_used_ones_go_on(workspace: Any) -> None:
    client = signed_in()
    now = timezone.now()
    session = client.session
    session["seen"] = (now - timedelta(days=2)).timestamp()
    session.save()
    rows = BrowserSession.objects.filter(session_key=session.session_key)
    rows.update(expire_date=now + timedelta(days=12))
    assert is_in(client)
    row = rows.get()
    assert row.expire_date > now + timedelta(days=13)
    assert row.seen_at >= now

    rows.update(began_at=now - timedelta(days=31))
    assert not is_in(client)
    rows.update(began_at=now, expire_date=now - timedelta(seconds=1))
    assert not is_in(client)
    forget_sessions()
    assert not rows.exists()


def test_another_password_ends_the_other_sessions(workspace: Any) -> None:
    here, there = signed_in(), signed_in()
    words = "violet harbour stone"
    new = {"old_password": PASSWORD, "new_password1": words, "new_password2": words}
    assert here.post("/account/password", new).status_code in {302, 303}
    assert (is_in(here), is_in(there)) == (True, False)
    assert BrowserSession.objects.of(User.objects.get(username="bob")).count() == 1


def test_a_password_changed_by_the_command_ends_all_sessions_and_is_recorded(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, words = signed_in(), "violet harbour stone"
    monkeypatch.setattr("getpass.getpass", lambda prompt: words)
    call_command("changepassword", "bob")
    assert not is_in(client)
    assert Client().login(username="bob", password=words)
    bob = User.objects.get(username="bob")
    assert not BrowserSession.objects.of(bob).filter(address="10.0.0.1").exists()
    event = SignInEvent.objects.order_by("pk").last()
    assert event is not None
    assert (event.how, event.name, event.actor) == ("password-changed", "bob", "command line")


def test_an_admin_switches_an_account_off_and_everything_of_it_ends(workspace: Any) -> None:
    admin = make.client(make.user("root", admin=True))
    client, secret = signed_in(), make.token(User.objects.get(username="bob"))
    form = {"user": "bob", "on": "0"}
    for other in (signed_in("alice"), Client()):
        assert other.post("/admin/accounts/switch", form).status_code in {302, 403}
    assert is_in(client)

    assert "bob" in read(admin.get("/admin/accounts?find=bo")).text
    admin.post("/admin/accounts/switch", form)
    assert not is_in(client)
    ask = {"Authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/whoami", headers=ask).status_code == 401
    right = {"username": "bob", "password": PASSWORD}
    assert Client().post("/sign-in", right).status_code == 422

    admin.post("/admin/accounts/switch", {"user": "bob", "on": "1"})
    assert not is_in(client)
    assert not ApiToken.objects.not_revoked().filter(user__username="bob")
    assert Client().post("/sign-in", right).status_code == 302
    admin.post("/admin/accounts/switch", {"user": "root", "on": "0"})
    admin.post("/admin/accounts/switch", {"user": "no\0body", "on": "0"})
    assert is_in(admin)


def test_the_record_tells_who_from_where_how_and_whether_it_worked(
    workspace: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="studio")
    client = signed_in()
    wrong = "my secret words\r\nforged line"
    for name in ("bob", "nobody", wrong):
        Client().post("/sign-in", {"username": name, "password": wrong})
    made = {"name": "laptop", "scope": "read", "workspace": "", "days": "7"}
    client.post("/account/tokens", made)
    client.post("/account/tokens/revoke", {"token": str(ApiToken.objects.get().pk)})
    client.post("/sign-out")

    kept = list(SignInEvent.objects.order_by("pk").values_list("how", "name", "succeeded"))
    assert kept == [
        ("password", "bob", True),
        ("password", "bob", False),
        ("password", "nobody", False),
        ("password", "(no user name)", False),
        ("token-made", "bob", True),
        ("token-revoked", "bob", True),
        ("signed-out", "bob", True),
    ]
    assert "my secret words" not in caplog.text
    assert "how=token-made user=bob" in caplog.text

    own = read(make.client(User.objects.get(username="bob")).get("/account/sign-ins")).text
    assert "Token revoked" in own
    assert "nobody" not in own
    admin = make.client(make.user("root", admin=True))
    assert "nobody" in read(admin.get("/admin/sign-ins")).text
    assert "nobody" not in read(admin.get("/admin/sign-ins?user=bob")).text
    for address in ("/admin/sign-ins", "/admin/accounts"):
        assert signed_in("alice").get(address).status_code == 403
        assert Client().get(address).status_code == 302
    SignInEvent.objects.filter(how="token-made").update(at=timezone.now() - timedelta(days=31))
    assert forget_sign_ins() == 1


def test_guessing_ends_per_source_and_per_account_whatever_headers_say(
    workspace: Any, settings: Any
) -> None:
    known = signed_in(address="10.0.0.9")

    def guess(name: str, password: str, **extra: Any) -> str:
        answer = Client(**extra).post("/sign-in", {"username": name, "password": password})
        return "too many" if b"Too many tries" in answer.content else str(answer.status_code)

    for n in range(10):
        assert guess("bob", "x", HTTP_X_FORWARDED_FOR=f"1.1.1.{n}") == "422"
    # As another process would: it has seen nothing of this.
    cache.clear()
    assert guess("bob", PASSWORD, HTTP_X_FORWARDED_FOR="9.9.9.9") == "too many"
    settings.TRUST_PROXY = True
    assert guess("bob", PASSWORD, HTTP_X_FORWARDED_FOR="made up, 1.1.1.1") == "302"
    settings.TRUST_PROXY = False

    WrongPassword.objects.all().delete()
    for n in range(50):
        guess("carol" if n % 2 else "nobody", "x", REMOTE_ADDR=f"10.1.0.{n}")
        guess("carol" if n % 2 == 0 else "nobody", "x", REMOTE_ADDR=f"10.1.0.{n}")
    for name in ("carol", "nobody"):
        assert guess(name, PASSWORD, REMOTE_ADDR="10.2.0.1") == "too many"
    assert is_in(known)


def test_tries_count_for_five_minutes_and_until_the_right_password(workspace: Any) -> None:
    def guess(password: str) -> int:
        sent = {"username": "bob", "password": password}
        return Client(REMOTE_ADDR="10.3.0.1").post("/sign-in", sent).status_code

    for _ in range(9):
        assert guess("x") == 422
    assert guess(PASSWORD) == 302
    for _ in range(10):
        assert guess("x") == 422
    assert guess(PASSWORD) == 422
    oldest = WrongPassword.objects.filter(forgiven=False).order_by("pk")[:1]
    at = timezone.now() - timedelta(seconds=301)
    WrongPassword.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).update(at=at)
    assert guess(PASSWORD) == 302
    assert forget_tries() == 1
    assert WrongPassword.objects.filter(forgiven=True).count() == 18


def test_nobody_is_locked_out_by_those_who_guess_elsewhere(workspace: Any) -> None:
    signed_in(address="10.0.0.9")
    for n in range(50):
        Client(REMOTE_ADDR=f"10.1.0.{n}").post("/sign-in", {"username": "bob", "password": "x"})
    signed_in(address="10.0.0.9")
