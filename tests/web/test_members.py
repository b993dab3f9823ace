"""The members page: who sees what, who changes what, and what a removal shuts."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.accounts.members import create_member
from studio.accounts.models import MemberEvent, Membership, Role, User
from tests import make
from tests.web.forms import form_of
from tests.web.pages import HTMX, read

PAGE = "/w/lab/members"
PASSWORD = "quite another long one"


def role_of(name: str) -> str | None:
    found = Membership.objects.filter(user__username=name, workspace__name="lab")
    return found.values_list("role", flat=True).first()


def link_on(answer: Any) -> str:
    """The path of the password link on a page."""
    found = re.search(r'id="members-link">https?://[^/]+(/welcome/[^<]+)<', answer.content.decode())
    assert found, answer.content.decode()
    return found[1]


def test_everybody_sees_who_is_there(carol_client: Client) -> None:
    page = read(carol_client.get(PAGE))

    for word in ("alice", "bob", "carol", "Owner", "Contributor", "Reader"):
        assert word in page.text
    assert "dave" not in page.text
    assert "Last sign-in" not in page.text
    assert "made the workspace" in page.text


def test_only_owners_get_forms(alice_client: Client, carol_client: Client) -> None:
    owners, readers = read(alice_client.get(PAGE)), read(carol_client.get(PAGE))

    assert owners.one("form", action=f"{PAGE}/add")
    assert "Last sign-in" in owners.text
    actions = {own.get("action") for tag, own in readers.elements if tag == "form"}
    assert not [action for action in actions if action and action.startswith(PAGE)]
    assert readers.href(**{"aria-label": "Leave this workspace"})
    assert "Remove bob" not in str(readers.elements)


def test_the_account_menu_leads_there(bob_client: Client) -> None:
    page = read(bob_client.get("/w/lab/compute"))

    assert page.href(href=PAGE)
    assert page.href(href="/account")


def test_an_account_is_added(alice_client: Client) -> None:
    answer = alice_client.post(f"{PAGE}/add", {"name": "dave", "role": "reader"})

    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    assert role_of("dave") == Role.READER
    page = read(alice_client.get(PAGE))
    assert "Added dave as Reader" in page.text
    assert "added dave as Reader" in page.text


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ({"name": "nobody", "role": "owner"}, 422, "There is no active account “nobody”."),
        ({"name": "bob", "role": "owner"}, 409, "bob is a member already, as Contributor."),
        ({"name": "", "role": "owner"}, 422, "There is no active account “”."),
        ({"name": "dave", "role": "god"}, 422, "Choose a role"),
    ],
)
def test_what_was_typed_comes_back_with_the_reason(
    typed: dict[str, str], status: int, said: str, alice_client: Client
) -> None:
    answer = alice_client.post(f"{PAGE}/add", typed)

    page = read(answer)
    assert answer.status_code == status
    assert said in page.text
    assert page.one("input", id="add-name")["value"] == typed["name"]


def test_a_taken_name_asks_to_add_the_account(alice_client: Client) -> None:
    typed = {"name": "dave", "full_name": "Dave <b>", "role": "owner"}
    answer = alice_client.post(f"{PAGE}/create", typed)

    page = read(answer)
    assert answer.status_code == 409
    assert "There is an account “dave” already. Add it instead" in page.text
    assert page.one("input", id="create-full_name")["value"] == "Dave <b>"
    assert page.one("input", id="add-name")["value"] == "dave"
    assert role_of("dave") is None


def test_a_new_person_sets_a_password_by_the_link_and_signs_in(alice_client: Client) -> None:
    typed = {"name": "erin", "full_name": "Erin Hale", "role": "contributor"}
    made = alice_client.post(f"{PAGE}/create", typed)
    link = link_on(made)
    assert made["Cache-Control"] == "private, no-store"
    assert link not in alice_client.get(PAGE).content.decode()

    erin = Client()
    assert "erin" in str(read(erin.get(link)).one("input", name="username"))
    answer = erin.post(link, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (303, "/sign-in")
    assert "The password of erin is set" in read(erin.get("/sign-in")).text
    signed = erin.post("/sign-in", {"username": "erin", "password": PASSWORD})
    assert signed.status_code == 302
    assert erin.get("/w/lab/runs").status_code == 200
    assert erin.get(link).status_code == 404


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("short", "short", "at least 12 characters"),
        ("qwerty123456", "qwerty123456", "too common"),
        (PASSWORD, PASSWORD + "x", "didn’t match"),
        ("", "", "required"),
    ],
)
def test_a_poor_password_is_refused_and_the_link_stays_good(
    first: str, second: str, said: str, people: Any, alice_client: Client
) -> None:
    link = link_on(alice_client.post(f"{PAGE}/create", {"name": "erin", "role": "reader"}))
    client = Client()

    answer = client.post(link, {"new_password1": first, "new_password2": second})

    assert answer.status_code == 422
    assert said in read(answer).text
    assert first not in {own.get("value") for _, own in read(answer).elements} - {""}
    assert client.get(link).status_code == 200


@pytest.mark.parametrize(
    "link", ["/welcome/MQ/abc-def", "/welcome/%20/x", "/welcome/_w/" + "9" * 400]
)
def test_a_made_up_link_tells_nothing(link: str, workspace: Any, client: Client) -> None:
    for answer in (client.get(link), client.post(link, {"new_password1": PASSWORD})):
        assert answer.status_code == 404
        assert "This link is no longer good" in read(answer).text


def test_whoever_is_signed_in_is_told_whose_link_it_is(alice_client: Client) -> None:
    link = link_on(alice_client.post(f"{PAGE}/create", {"name": "erin", "role": "reader"}))

    assert "You are signed in as alice. This link is for erin." in read(alice_client.get(link)).text


def test_a_lost_link_is_made_anew(alice_client: Client) -> None:
    old = link_on(alice_client.post(f"{PAGE}/create", {"name": "erin", "role": "reader"}))
    new = link_on(alice_client.post(f"{PAGE}/link", {"user": "erin"}))

    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    answer = alice_client.post(f"{PAGE}/link", {"user": "bob"})
    assert answer.status_code == 403
    assert "Only an admin of the studio" in read(answer).text


def test_a_role_is_changed_in_its_row(alice_client: Client) -> None:
    answer = alice_client.post(f"{PAGE}/role", {"user": "carol", "role": "contributor"})

    assert answer.status_code == 303
    assert role_of("carol") == Role.CONTRIBUTOR
    text = read(alice_client.get(PAGE)).text
    assert "carol is Contributor now" in text
    assert "changed carol from Reader to Contributor" in text


def test_the_last_owner_is_told_what_to_do_first(alice_client: Client) -> None:
    said = "Make somebody else an owner first"
    for address, typed in (
        (f"{PAGE}/role", {"user": "alice", "role": "reader"}),
        (f"{PAGE}/remove", {"user": "alice"}),
        (f"{PAGE}/leave", {}),
    ):
        answer = alice_client.post(address, typed)
        assert answer.status_code == 409
        assert said in read(answer).text
    assert role_of("alice") == Role.OWNER


def test_removing_asks_first_and_says_what_happens(
    alice_client: Client, experiment: Any, run: Any
) -> None:
    row = read(alice_client.get(PAGE)).href(**{"aria-label": "Remove bob"})
    page, part = alice_client.get(row), alice_client.get(row, headers=HTMX)

    for text in (read(page).text, read(part).text):
        assert "Remove bob from lab" in text
        assert "1 unfinished run" in text
        assert "API tokens for this workspace end" in text
    assert read(part).one("dialog", id="members-dialog")
    form = form_of(page, "members-confirm")
    answer = alice_client.post(form.action, form.sent())
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    assert role_of("bob") is None
    assert "Removed bob" in read(alice_client.get(PAGE)).text


def test_the_question_is_asked_of_members_only(alice_client: Client, carol_client: Client) -> None:
    assert alice_client.get(f"{PAGE}/confirm?user=dave").status_code == 404
    assert carol_client.get(f"{PAGE}/confirm?user=bob").status_code == 403
    assert carol_client.get(f"{PAGE}/confirm?user=nobody").status_code == 403
    assert "Leave lab" in read(carol_client.get(f"{PAGE}/confirm")).text


@pytest.mark.parametrize("way", ["removed", "left"])
@pytest.mark.parametrize("who", ["bob", "carol"])
def test_who_is_out_finds_everything_shut_at_once(
    who: str, way: str, people: Any, run: Any, alice_client: Client
) -> None:
    person = getattr(people, who)
    other = make.workspace("other", owner=person)
    client = make.client(person)
    bound = make.Api(person, run.workspace)
    free = make.Api(person, run.workspace, secret=make.token(person))
    pages = ["runs", "members", f"runs/{run.uid}", f"runs/{run.uid}/header", "trash"]
    assert all(client.get(f"/w/lab/{page}").status_code == 200 for page in pages)
    assert bound.get("/runs").status_code == free.get("/runs").status_code == 200

    if way == "left":
        assert client.post(f"{PAGE}/leave")["Location"] == "/"
    else:
        alice_client.post(f"{PAGE}/remove", {"user": who})

    for page in pages:
        assert client.get(f"/w/lab/{page}").status_code == 404
        assert client.get(f"/w/lab/{page}", headers=HTMX).status_code == 404
    assert client.post(f"/w/lab/runs/{run.uid}/star", {"starred": "1"}).status_code == 404
    assert bound.get("/runs").status_code == 401
    assert (free.get("/runs").status_code, free.post("/runs", {}).status_code) == (404, 404)
    # Signed in they stay, and their other workspace is as it was.
    assert client.get(f"/w/{other.name}/runs").status_code == 200
    assert client.get("/")["Location"] == "/w/other/runs"
    assert "lab" not in read(client.get("/w/other/runs")).text.split()


def test_an_owner_alone_is_told_what_to_do_next(people: Any) -> None:
    make.workspace("solo", owner=people.dave)

    text = read(make.client(people.dave).get("/w/solo/members")).text

    assert "Only you are here. Add a colleague" in text


def test_an_admin_who_is_no_member_manages_too(workspace: Any) -> None:
    client = make.client(make.user("root", admin=True))

    page = read(client.get(PAGE))
    assert "as an admin of the studio, without being a member" in page.text
    assert client.post(f"{PAGE}/role", {"user": "bob", "role": "reader"}).status_code == 303
    assert link_on(client.post(f"{PAGE}/link", {"user": "bob"}))
    assert client.post(f"{PAGE}/leave").status_code == 422


def test_names_are_shown_as_text(people: Any, workspace: Any, alice_client: Client) -> None:
    User.objects.filter(pk=people.bob.pk).update(first_name="<script>x</script>")

    assert "<script>x" not in alice_client.get(PAGE).content.decode()


def test_only_the_newest_fifty_changes_are_shown(workspace: Any, alice_client: Client) -> None:
    MemberEvent.objects.bulk_create(
        MemberEvent(
            workspace=workspace, kind="removed", actor="alice", subject=f"x{i}", before="reader"
        )
        for i in range(60)
    )

    page = read(alice_client.get(PAGE))
    assert "removed x59" in page.text
    assert "removed x9 " not in page.text
    assert "The newest 50 changes" in page.text


def test_more_members_cost_no_more_queries(
    workspace: Any, people: Any, alice_client: Client
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert alice_client.get(PAGE).status_code == 200
        return len(seen)

    few = cost()
    for i in range(30):
        create_member(workspace, f"person{i}", "reader", by=make.actor(people.alice))
    assert cost() == few
