"""Single sign-on, against a real provider on this machine."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from joserfc.jwk import RSAKey

from studio.accounts.models import (
    ApiToken,
    BrowserSession,
    Membership,
    OidcIdentity,
    SignInEvent,
    User,
)
from studio.accounts.switching import switch_account
from tests import make
from tests.web.oidc_provider import CLIENT, SECRET, Provider, running
from tests.web.pages import read


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(server: Provider, settings: Any, people: Any) -> Provider:
    cache.clear()
    settings.OIDC_ISSUER = server.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
    settings.OIDC_NAME, settings.OIDC_DOMAINS = "Acme", ["acme.org"]
    server.claims = {"sub": "1", "email": "Eve@acme.org", "email_verified": True, "name": "Eve A"}
    server.signs_with = server.key
    server.bend = lambda claims: None
    return server


def back_from(client: Client, next_page: str = "") -> str:
    """The address that the provider sends the browser back to."""
    started = client.get(f"/sign-in/oidc?next={next_page}")
    assert started.status_code == 302
    sent = requests.get(started["Location"], allow_redirects=False, timeout=5)
    return sent.headers["Location"].replace("http://127.0.0.1:8000", "")


def come_in(client: Client) -> Any:
    return client.get(back_from(client))


def is_in(client: Client) -> bool:
    return bool(client.get("/account").status_code == 200)


def test_a_new_person_of_the_domain_gets_an_account_and_no_workspace(
    provider: Provider, client: Client
) -> None:
    page = read(client.get("/sign-in?next=/account"))
    assert page.one("a", href="/sign-in/oidc?next=/account")
    answer = client.get(back_from(client, "/account"))
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    eve = User.objects.get(username="eve")
    assert (eve.email, eve.first_name, eve.has_usable_password()) == (
        "eve@acme.org",
        "Eve A",
        False,
    )
    assert not Membership.objects.filter(user=eve).exists()
    assert client.session["_auth_user_id"] == str(eve.pk)

    again = Client()
    provider.claims["email"] = "other@acme.org"
    come_in(again)
    assert is_in(again)
    assert OidcIdentity.objects.get().user == eve
    hows = SignInEvent.objects.filter(user=eve).order_by("pk").values_list("how", flat=True)
    assert list(hows) == ["linked", "oidc", "oidc"]


def test_wrong_answers_of_a_provider_let_nobody_in(provider: Provider, settings: Any) -> None:
    other_key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    bends: dict[str, Any] = {
        "nonce": lambda claims: claims.update(nonce="another"),
        "no nonce": lambda claims: claims.pop("nonce"),
        "audience": lambda claims: claims.update(aud="another"),
        "issuer": lambda claims: claims.update(iss="https://evil.example"),
        "expired": lambda claims: claims.update(exp=claims["iat"] - 600),
        "no end": lambda claims: claims.pop("exp"),
        "no subject": lambda claims: claims.pop("sub"),
        "unverified": lambda claims: claims.update(email_verified=False),
        "said to be": lambda claims: claims.update(email_verified="true"),
        "no e-mail": lambda claims: claims.pop("email"),
        "domain": lambda claims: claims.update(email="eve@acme.org.evil.example"),
    }
    for what, bend in bends.items():
        client = Client()
        provider.bend = bend
        assert (come_in(client).status_code, is_in(client)) == (403, False), what
    provider.bend = lambda claims: None
    provider.signs_with = other_key
    client = Client()
    assert (come_in(client).status_code, is_in(client)) == (403, False)
    provider.signs_with = provider.key

    settings.OIDC_CLAIM = "groups=research, ops"
    for groups, status in ((None, 403), (["sales"], 403), ("research", 302), (["x", "ops"], 302)):
        provider.claims["groups"] = groups
        assert come_in(Client()).status_code == status, groups
    assert User.objects.filter(email__endswith="acme.org").count() == 1


def test_an_answer_is_good_once_and_only_where_it_was_asked_for(provider: Provider) -> None:
    client, other = Client(), Client()
    address = back_from(client)
    assert other.get(address).status_code == 403
    foreign = re.sub("state=[^&]+", "state=made-up", address)
    assert client.get(foreign).status_code == 403
    assert client.get(f"{address}&iss=https://evil.example").status_code == 403
    assert client.get(address)["Location"] == "/"
    client.post("/sign-out")
    assert client.get(address).status_code == 403
    assert not is_in(client)
    assert not is_in(other)
    assert client.get("/sign-in/oidc/back?error=access_denied").status_code == 403


def test_an_account_with_a_password_is_linked_by_who_is_in_it(provider: Provider) -> None:
    bob = User.objects.get(username="bob")
    User.objects.filter(pk=bob.pk).update(email="eve@ACME.org")
    client = Client()
    refused = come_in(client)
    assert refused.status_code == 403
    assert "Sign in with it once" in read(refused).text

    carol = make.client(User.objects.get(username="carol"))
    assert come_in(carol)["Location"] == "/account"
    assert not OidcIdentity.objects.exists()

    assert come_in(make.client(bob))["Location"] == "/account"
    assert OidcIdentity.objects.get().user == bob
    come_in(client)
    assert client.session["_auth_user_id"] == str(bob.pk)

    bob.refresh_from_db()
    bob.is_active = False
    bob.save()
    late = Client()
    assert come_in(late).status_code == 403
    assert not is_in(late)
    assert not is_in(client)


def test_what_opened_an_account_ends_when_it_is_linked_by_its_address(
    provider: Provider, settings: Any
) -> None:
    settings.PASSWORD_SIGN_IN = False
    bob = User.objects.get(username="bob")
    User.objects.filter(pk=bob.pk).update(email="eve@acme.org")
    before, secret = make.client(bob), make.token(bob)
    come_in(client := Client())
    assert is_in(client)
    assert not is_in(before)
    assert secret
    assert not ApiToken.objects.not_revoked().filter(user=bob).exists()
    assert BrowserSession.objects.of(bob).count() == 1


def test_an_account_is_one_persons_until_an_admin_ends_the_link(
    provider: Provider, settings: Any
) -> None:
    bob = User.objects.get(username="bob")
    User.objects.filter(pk=bob.pk).update(email="eve@acme.org")
    assert come_in(make.client(bob)).status_code == 302
    # Bob writes the address of somebody else into his account, who comes for the first time.
    User.objects.filter(pk=bob.pk).update(email="vic@acme.org")
    settings.PASSWORD_SIGN_IN = False
    provider.claims.update(sub="2", email="vic@acme.org")
    vic = Client()

    refused = come_in(vic)

    assert refused.status_code == 403
    assert "is linked to somebody else. Ask an admin" in read(refused).text
    assert not is_in(vic)
    admin = make.actor(make.user("root", admin=True))
    for on in (False, True):
        switch_account("bob", on=on, by=admin)
    assert come_in(vic).status_code == 302
    assert [one.subject for one in OidcIdentity.objects.filter(user=bob)] == ["2"]


def test_only_those_with_an_account_come_in_where_nobody_is_named(
    provider: Provider, settings: Any
) -> None:
    settings.OIDC_DOMAINS = []
    assert come_in(Client()).status_code == 403
    for user in User.objects.filter(username__in=("bob", "carol")):
        User.objects.filter(pk=user.pk).update(email="eve@acme.org")
    assert come_in(Client()).status_code == 403


def test_the_settings_name_a_workspace_for_new_people(
    provider: Provider, settings: Any, workspace: Any
) -> None:
    settings.OIDC_WORKSPACE = f"{workspace.name}:contributor"
    come_in(client := Client())
    held = Membership.objects.get(user__username="eve")
    assert (held.workspace, held.role) == (workspace, "contributor")
    assert client.get(f"/w/{workspace.name}/runs").status_code == 200


def test_a_provider_that_is_away_or_another_one_is_said(provider: Provider, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    assert Client().get("/sign-in/oidc").status_code == 503
    settings.OIDC_ISSUER = f"{provider.issuer}/tenant"
    assert Client().get("/sign-in/oidc").status_code == 403
    settings.OIDC_ISSUER = ""
    for address in ("/sign-in/oidc", "/sign-in/oidc/back"):
        assert Client().get(address).status_code == 404


def test_passwords_may_be_switched_off(provider: Provider, settings: Any) -> None:
    settings.PASSWORD_SIGN_IN = False
    client = Client()
    assert b'name="password"' not in client.get("/sign-in").content
    right = {"username": "bob", "password": "correct horse battery"}
    assert client.post("/sign-in", right).status_code == 422
    assert not is_in(client)
