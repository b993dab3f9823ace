"""Members by the API: what programs read, change and are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from studio.accounts.models import MemberEvent, Scope, User, new_token
from studio.accounts.welcome import user_of_link
from tests import make


@pytest.fixture
def owner(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


@pytest.fixture
def reader(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.carol, workspace)


def delete(api: make.Api, path: str) -> Any:
    return api.send("DELETE", path, b"", "application/json")


def refusal(answer: Any) -> tuple[int, str, str | None]:
    found = answer.json()["error"]
    return answer.status_code, found["code"], found.get("field")


def opened_by(link: dict[str, str]) -> User | None:
    """Whose password the link of an answer sets; None once it has ended."""
    address = link["link"].removeprefix(settings.STUDIO_BASE_URL)
    uidb64, token = address.removeprefix("/welcome/").strip("/").split("/")
    return user_of_link(uidb64, token)


def test_everybody_reads_who_is_there_and_owners_more(owner: make.Api, reader: make.Api) -> None:
    found = reader.get("/members").json()
    assert [(one["user"], one["role"]) for one in found["items"]] == [
        ("alice", "owner"),
        ("bob", "contributor"),
        ("carol", "reader"),
    ]
    assert {(one["active"], one["last_sign_in"]) for one in found["items"]} == {(None, None)}
    assert reader.get("/members/bob").json() == found["items"][1]
    assert owner.get("/members/bob").json()["active"] is True
    assert refusal(owner.get("/members/dave")) == (404, "not_found", None)


def test_names_that_differ_by_case_alone_are_each_listed_once(
    owner: make.Api, workspace: Any
) -> None:
    for name in ("Bob", "BOB"):
        make.user(name)
        assert owner.post("/members", {"name": name, "role": "reader"}).status_code == 201

    found, cursor = [], ""
    while cursor is not None:
        page = owner.get("/members", limit=1, cursor=cursor).json()
        found += [item["user"] for item in page["items"]]
        cursor = page["next"]
    # Which of the three comes first is for the database to say.
    assert (found[0], found[-1]) == ("alice", "carol")
    assert sorted(found[1:-1]) == ["BOB", "Bob", "bob"]


def test_the_number_of_queries_does_not_grow_with_the_members(
    owner: make.Api, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    lists = ("/members", "/member-events")
    few = [count_queries(lambda path=path: owner.get(path)) for path in lists]
    for i in range(4):
        assert owner.post("/members", {"name": f"new{i}", "new": True}).status_code == 201

    assert [count_queries(lambda path=path: owner.get(path)) for path in lists] == few == [3, 3]


def test_an_account_is_let_in_changed_and_removed(owner: make.Api, people: Any) -> None:
    added = owner.post("/members", {"name": "dave", "role": "reader"})
    assert (added.status_code, added.json()["password_link"]) == (201, None)
    dave = make.Api(people.dave, people.alice.memberships.get().workspace)
    assert dave.get("").json()["role"] == "reader"
    assert owner.patch("/members/dave", {"role": "owner"}).json()["role"] == "owner"
    assert dave.get("").json()["role"] == "owner"
    assert delete(owner, "/members/dave").json()["user"] == "dave"
    assert dave.get("").status_code == 401, "their tokens of this workspace end"
    assert [
        (one["kind"], one["actor"], one["user"], one["before"], one["after"])
        for one in owner.get("/member-events", limit=3).json()["items"]
    ] == [
        ("removed", "alice", "dave", "owner", None),
        ("role", "alice", "dave", "reader", "owner"),
        ("added", "alice", "dave", None, "reader"),
    ]


def test_a_new_account_comes_with_a_link_that_is_shown_once(owner: make.Api) -> None:
    made = owner.post(
        "/members", {"name": "erin", "new": True, "full_name": "Erin E", "email": "e@example.org"}
    )
    assert made.status_code == 201, made.content
    erin = User.objects.get(username="erin")
    item = made.json()
    assert (item["role"], item["full_name"], erin.email) == (
        *("contributor", "Erin E"),
        "e@example.org",
    )
    assert opened_by(item["password_link"]) == erin
    assert made["Cache-Control"] == "private, no-store"
    assert "password_link" not in owner.get("/members/erin").json()

    another = owner.post("/members/erin/link")
    assert another.status_code == 200, another.content
    assert opened_by(item["password_link"]) is None
    assert opened_by(another.json()) == erin
    page = another.json()["link"].removeprefix(settings.STUDIO_BASE_URL)
    assert Client().get(page).status_code == 200


def test_a_link_to_what_others_use_is_for_admins_of_the_studio(
    owner: make.Api, workspace: Any
) -> None:
    assert refusal(owner.post("/members/bob/link")) == (403, "forbidden", None)

    root = make.Api(make.user("root", admin=True), workspace)
    assert root.post("/members/bob/link").status_code == 200
    assert refusal(root.post("/members/root/link")) == (404, "not_found", None)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "nobody"}, 422, "name"),
        ({"name": "bob"}, 409, None),
        ({"name": "bob", "new": True}, 409, None),
        ({"name": "dave", "role": "king"}, 422, "role"),
        ({"name": "a b", "new": True}, 422, "name"),
        ({"name": "erin", "new": True, "email": "at home"}, 422, "email"),
        ({"name": "dave", "full_name": "David"}, 422, "full_name"),
        ({"name": "dave", "admin": True}, 422, "admin"),
        ({}, 422, "name"),
    ],
)
def test_who_can_not_be_let_in_is_refused(
    body: dict[str, Any], status: int, field: str | None, owner: make.Api
) -> None:
    before = MemberEvent.objects.count(), User.objects.count()

    answer = owner.post("/members", body)

    assert refusal(answer) == (status, "conflict" if status == 409 else "invalid", field)
    assert (MemberEvent.objects.count(), User.objects.count()) == before


@pytest.mark.parametrize("scope", ["read", "write"])
def test_changes_need_a_token_that_manages(scope: str, people: Any, workspace: Any) -> None:
    owner = make.Api(people.alice, workspace, scope=scope)
    n_events = MemberEvent.objects.count()

    for answer in (
        owner.post("/members", {"name": "dave"}),
        owner.post("/members", {"name": "erin", "new": True}),
        owner.patch("/members/bob", {"role": "reader"}),
        owner.post("/members/bob/link"),
        delete(owner, "/members/bob"),
    ):
        assert refusal(answer) == (403, "forbidden", None)
    assert owner.get("/members").json()["items"][0]["active"] is None
    assert MemberEvent.objects.count() == n_events


def test_one_leaves_with_a_token_that_writes(people: Any, workspace: Any) -> None:
    reading = make.Api(people.carol, workspace, scope="read")
    assert refusal(delete(reading, "/members/carol")) == (403, "forbidden", None)

    carol = make.Api(people.carol, workspace, scope="write")
    assert refusal(delete(carol, "/members/bob")) == (403, "forbidden", None)
    assert delete(carol, "/members/carol").json()["user"] == "carol"
    assert carol.get("").status_code == 401
    assert MemberEvent.objects.newest(workspace)[0].kind == "left"


def test_the_token_of_a_run_takes_nobody_out(people: Any, run: Any) -> None:
    of_run = {"workspace": run.workspace, "run_uid": run.uid, "scope": Scope.WRITE}
    script = make.Api(
        people.bob, run.workspace, secret=new_token(people.bob, name="r", **of_run)[1]
    )

    assert refusal(delete(script, "/members/bob")) == (403, "forbidden", None)


def test_the_last_owner_stays_one(owner: make.Api, people: Any, workspace: Any) -> None:
    root = make.Api(make.user("root", admin=True), workspace)

    for answer in (
        owner.patch("/members/alice", {"role": "reader"}),
        delete(owner, "/members/alice"),
        delete(root, "/members/alice"),
    ):
        assert refusal(answer) == (409, "conflict", None)
        assert "last owner" in answer.json()["error"]["message"]
    assert owner.get("").json()["role"] == "owner"
