"""The view that opens a list: mine, the workspace's, and how an address goes before both."""

from typing import Any

import pytest
from django.test import Client

from studio.custom_views.models import CustomView
from studio.custom_views.sharing import set_default, share_view
from tests import make
from tests.web.pages import read, rows
from tests.web.viewing import LIST, opened, page_of, view_of


@pytest.fixture
def view(workspace: Any, people: Any, experiment: Any) -> CustomView:
    for name in "abc":
        make.run(experiment, display_name=name, tags={"quality": "great"})
    return view_of(workspace, people.bob, {"q": "tag.quality:great"})


def test_a_bare_address_opens_my_default_and_parameters_win(
    bob_client: Client, people: Any, view: CustomView
) -> None:
    set_default(view, by=make.actor(people.bob))

    bare = bob_client.get(LIST)
    assert (bare.status_code, bare["Location"]) == (302, page_of(view))
    assert len(rows(bob_client.get(f"{LIST}?q=vision"))) == 3
    usual = opened(bob_client, f"{LIST}?view=none")
    assert usual.one("input", id="runs-q")["value"] == ""


def test_links_of_the_usual_list_do_not_lead_to_the_default(
    bob_client: Client, people: Any, view: CustomView
) -> None:
    set_default(view, by=make.actor(people.bob))
    page = opened(bob_client, f"{LIST}?q=vision")

    drop = next(own["href"] for _, own in page.elements if own.get("class") == "pill-drop")
    assert drop == f"{LIST}?view=none"


def test_mine_comes_before_the_workspaces(
    bob_client: Client, carol_client: Client, workspace: Any, people: Any, view: CustomView
) -> None:
    theirs = view_of(workspace, people.alice, {"q": "x"}, name="All", everyone="see")
    set_default(theirs, by=make.actor(people.alice), for_everyone=True)
    set_default(view, by=make.actor(people.bob))

    assert bob_client.get(LIST)["Location"] == page_of(view)
    assert carol_client.get(LIST)["Location"] == page_of(theirs)
    share_view(theirs, everyone="", people={}, by=make.actor(people.alice))
    assert carol_client.get(LIST).status_code == 200


def test_a_default_is_set_and_dropped_in_the_menu(
    alice_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.alice, {"q": "x"})
    refused = alice_client.post(
        f"{page_of(view)}/default", {"on": "1", "everyone": "1"}, follow=True
    )
    assert "Share the view with everyone in the workspace first." in read(refused).text

    alice_client.post(f"{page_of(view)}/default", {"on": "1"})
    assert alice_client.get(LIST).status_code == 302
    alice_client.post(f"{page_of(view)}/default", {"on": "0"})
    assert alice_client.get(LIST).status_code == 200
