"""By which credentials a client is let in."""

import base64
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from studio.accounts import passwords
from tests import make

ADDRESS = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=vision"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nothing_tried(experiment: Any) -> None:
    cache.clear()


def ask(name: str, secret: str) -> Any:
    both = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return Client().get(ADDRESS, headers={"Authorization": f"Basic {both}"})


def test_a_token_or_a_name_and_password_let_in_and_nothing_else(people: Any) -> None:
    secret = make.token(people.bob)
    bearer = Client().get(ADDRESS, headers={"Authorization": f"Bearer {secret}"})
    good = [bearer, ask("whoever", secret), ask("", secret), ask("bob", PASSWORD)]
    assert [answer.status_code for answer in good] == [200] * 4

    people.carol.is_active = False
    people.carol.save()
    bad = [
        Client().get(ADDRESS),
        Client().get(ADDRESS, headers={"Authorization": f"Bearer {PASSWORD}"}),
        Client().get(ADDRESS, headers={"Authorization": "Basic !!"}),
        *(ask("bob", wrong) for wrong in ("wrong", "", f"{secret}x")),
        *(ask(name, PASSWORD) for name in ("nobody", "Bob", "carol", "b\0b")),
    ]
    assert {answer.status_code for answer in bad} == {401}
    assert {answer.json()["error_code"] for answer in bad} == {"UNAUTHENTICATED"}
    assert ask("dave", PASSWORD).status_code == 404


def test_a_password_is_looked_at_once_a_minute_and_no_longer_good_once_changed(
    people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = passwords.check_password

    def counting(password: str, stored: str) -> bool:
        looked.append(stored)
        return real(password, stored)

    monkeypatch.setattr(passwords, "check_password", counting)
    monkeypatch.setattr(passwords, "_known", type(passwords._known)())

    assert {ask("bob", PASSWORD).status_code for _ in range(5)} == {200}
    assert len(looked) == 1
    people.bob.set_password("another one")
    people.bob.save()
    assert ask("bob", PASSWORD).status_code == 401
    assert ask("bob", "another one").status_code == 200


def test_guessing_is_stopped_for_one_account_and_source(people: Any) -> None:
    for _ in range(10):
        assert ask("bob", "guess").status_code == 401

    stopped = ask("bob", PASSWORD)
    assert (stopped.status_code, stopped.json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert stopped["Retry-After"] == "300"
    assert ask("carol", PASSWORD).status_code == 200
    assert ask("bob", make.token(people.bob)).status_code == 200
