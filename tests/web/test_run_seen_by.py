"""Who can see a run: told to everybody who can, in words, as a dialog or as a page."""

from typing import Any

from django.test import Client

from studio.accounts.models import Membership, Role, User
from studio.runs import actions
from studio.runs.models import Run
from studio.web.run_seen_by import MAX_MEMBERS
from tests import make
from tests.web.pages import HTMX, read
from tests.web.test_run_toolbar import submitted

__all__ = ["submitted"]
OWN_TOKEN = "The run itself"


def at(run: Run) -> str:
    return f"/w/lab/runs/{run.uid}/seen-by"


def test_the_menu_of_a_run_opens_it_as_a_dialog(carol_client: Client, run: Run) -> None:
    link = read(carol_client.get(f"/w/lab/runs/{run.uid}")).one("a", id="run-seen-by-link")
    part = read(carol_client.get(link["hx-get"], headers=HTMX))

    assert (link["href"], link["hx-target"], link["hx-swap"]) == (at(run), "body", "beforeend")
    assert part.one("dialog", id="runs-seen-by")
    assert part.href(href="/w/lab/members")


def test_it_names_members_with_their_roles_and_admins(carol_client: Client, run: Run) -> None:
    text = read(carol_client.get(at(run))).text

    assert "alice Owner Everything" in text
    assert "bob Contributor · submitted the run May see and edit" in text
    assert "carol Reader May see" in text
    assert "Admins of the studio Everything" in text
    assert "dave" not in text
    assert "gets the answer of a run that does not exist" in text


def test_an_account_that_is_switched_off_sees_nothing(
    bob_client: Client, people: Any, run: Run
) -> None:
    User.objects.filter(pk=people.carol.pk).update(is_active=False)

    assert "carol" not in read(bob_client.get(at(run))).text


def test_a_submitted_run_has_a_token_until_it_is_over(
    bob_client: Client, people: Any, run: Run, submitted: Run
) -> None:
    assert OWN_TOKEN not in read(bob_client.get(at(run))).text
    assert OWN_TOKEN in read(bob_client.get(at(submitted))).text
    actions.cancel_run(submitted, by=make.actor(people.bob))

    assert OWN_TOKEN not in read(bob_client.get(at(submitted))).text


def test_a_long_list_of_members_ends_with_where_the_others_are(
    bob_client: Client, workspace: Any, run: Run
) -> None:
    names = [f"person-{i:03}" for i in range(MAX_MEMBERS)]
    made = User.objects.bulk_create(User(username=name) for name in names)
    Membership.objects.bulk_create(
        Membership(user=user, workspace=workspace, role=Role.READER) for user in made
    )
    page = read(bob_client.get(at(run)))

    assert len([text for text in page.texts if text.startswith("person-")]) == MAX_MEMBERS - 3
    assert f"The first {MAX_MEMBERS} by name: the others stand under Members" in page.text
