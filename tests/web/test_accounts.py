"""Signing in and out, and the way to a workspace."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests import make
from tests.web.pages import HTMX, read

RIGHT = {"username": "bob", "password": "correct horse battery"}


@pytest.fixture(autouse=True)
def _forget_tries() -> None:
    cache.clear()


def test_signing_in_leads_to_where_one_wanted_to_go(client: Client, workspace: Any) -> None:
    asked = client.get("/w/lab/compute")
    page = read(client.get(asked["Location"]))
    wanted = page.one("input", name="next")["value"]

    answer = client.post("/sign-in", {**RIGHT, "next": wanted})
    assert answer["Location"] == "/w/lab/compute"
    assert client.get("/w/lab/compute").status_code == 200


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_words(
    client: Client, workspace: Any, name: str
) -> None:
    answer = client.post("/sign-in", {"username": name, "password": "wrong"})
    page = read(answer)

    assert answer.status_code in {200, 422}
    assert "This user name and password do not match." in page.text
    assert page.one("input", name="username")["value"] == name
    assert "value" not in page.one("input", name="password")


def test_too_many_tries_are_stopped_even_with_the_right_password(
    client: Client, workspace: Any
) -> None:
    for _ in range(10):
        client.post("/sign-in", {"username": "bob", "password": "wrong"})

    assert "Too many tries" in read(client.post("/sign-in", RIGHT)).text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(
    client: Client, workspace: Any, target: str
) -> None:
    assert client.post("/sign-in", {**RIGHT, "next": target})["Location"] == "/"


def test_home_leads_to_a_workspace_of_ones_own(bob_client: Client, people: Any) -> None:
    make.workspace("a-first-one", owner=people.alice)

    assert bob_client.get("/")["Location"] == "/w/lab/runs"


def test_home_leads_to_the_workspace_whose_page_was_seen_last(
    bob_client: Client, people: Any
) -> None:
    make.workspace("zoo", owner=people.alice, reader=people.bob)
    make.workspace("theirs", owner=people.alice)
    assert bob_client.get("/")["Location"] == "/w/lab/runs"

    bob_client.get("/w/zoo/members")
    assert bob_client.get("/")["Location"] == "/w/zoo/runs"
    assert "studio_workspace" not in bob_client.get("/w/zoo/runs").cookies
    # Parts of a page that is open beside, pages that are none of theirs.
    bob_client.get("/w/lab/runs", headers=HTMX)
    assert bob_client.get("/w/theirs/runs").status_code == 404
    assert bob_client.get("/")["Location"] == "/w/zoo/runs"


def test_home_says_so_when_there_is_no_workspace(dave_client: Client) -> None:
    answer = dave_client.get("/")

    assert "not a member of any workspace" in read(answer).text
    assert read(answer).one("form", action="/sign-out")


def test_signing_out_ends_the_session(bob_client: Client) -> None:
    bob_client.post("/sign-out")

    assert bob_client.get("/w/lab/runs").status_code == 302


def test_the_switcher_offers_the_workspaces_one_may_open(bob_client: Client, people: Any) -> None:
    make.workspace("mine-too", owner=people.bob)
    make.workspace("not-mine", owner=people.alice)

    text = read(bob_client.get("/w/lab/runs")).text
    assert "mine-too" in text
    assert "not-mine" not in text


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(
    client: Client, run: Any
) -> None:
    page = f"/w/lab/runs/{run.uid}/description/edit"
    for told, back in (
        (f"http://testserver{page}?a=1", f"{page}%3Fa%3D1"),
        ("https://evil.example/x", f"/w/lab/runs/{run.uid}/description"),
    ):
        headers = {"HX-Request": "true", "HX-Current-URL": told}
        answer = client.post(f"/w/lab/runs/{run.uid}/description", {"text": "x"}, headers=headers)
        assert answer["HX-Redirect"] == f"/sign-in?next={back}"
