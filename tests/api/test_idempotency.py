"""The header Idempotency-Key: a change that is sent again is made once, and told as before."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from studio.accounts.kept_answers import Asked, digest_of, forget_answers
from studio.accounts.members import remove_member
from studio.accounts.models import KeptAnswer, Scope, new_token
from studio.alerts.models import AlertRule, Delivery
from studio.api.repeating import HEADER, OWN_IDS, REPLAYED, SECRETS
from studio.custom_views.models import CustomView
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.architecture.test_policies import operations
from tests.rows import all_rows, changed_tables

WORKS = "/work"
LAB = "/api/v1/workspaces/{workspace}"
TAG_ALL = {
    "action": "tags",
    "selection": {"query": ""},
    "arguments": {"set": {"quality": "great"}},
}
RULE = {"name": "Broken", "statuses": ["Failed"]}
HOOK = {"channel": "webhook", "url": "https://hooks.example.org/a/secret"}


def send(api: make.Api, path: str, body: Any = None, *, key: str = "one") -> Any:
    """POST with a key, to an address below the workspace."""
    content = json.dumps({} if body is None else body).encode()
    headers = {**api.headers, HEADER: key}
    return Client().generic(
        "POST", api.base + path, content, content_type="application/json", headers=headers
    )


def refusal(answer: Any) -> tuple[int, str, str | None]:
    found = answer.json()["error"]
    return answer.status_code, found["code"], found.get("field")


@pytest.fixture
def owner(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


@pytest.fixture
def places(owner: make.Api, run: Any) -> dict[str, str]:
    """What the paths of `MADE` name."""
    owner.post(f"/runs/{run.uid}/tags", {"set": {"seen": "once"}})
    work = owner.post("/bulk", TAG_ALL).json()["id"]
    run_work(Work.objects.get(uid=work).pk)
    view = owner.post("/views", {"name": "mine"}).json()["uid"]
    return {"view": view, "rule": owner.post("/alert-rules", RULE).json()["uid"], "work": work}


# Each would make a second one.
MADE: dict[str, tuple[Any, dict[str, Any]]] = {
    "/views": (CustomView, {"name": "another"}),
    "/views/{view}/duplicate": (CustomView, {}),
    "/alert-rules": (AlertRule, RULE),
    "/alert-rules/{rule}/test": (Delivery, {}),
    "/bulk": (Work, TAG_ALL),
    "/log-searches": (Work, {"selection": {"query": "log~x"}}),
    "/tags/rewrite": (Work, {"action": "rename", "key": "seen", "to": "noticed"}),
    f"{WORKS}/{{work}}/undo": (Work, {}),
}


@pytest.mark.parametrize("path", MADE)
def test_what_is_sent_again_is_made_once(
    path: str, owner: make.Api, places: dict[str, str]
) -> None:
    (model, body), address = MADE[path], path.format_map(places)
    n_before = model.objects.count()

    first = send(owner, address, body)
    assert first.status_code in {200, 201}, first.content
    again = send(owner, address, body)

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (again[REPLAYED], REPLAYED in first) == ("true", False)
    assert again["Content-Type"] == first["Content-Type"]
    assert model.objects.count() == n_before + 1


def test_a_new_workspace_is_told_again(people: Any, workspace: Any) -> None:
    root = make.user("root", admin=True)
    api = make.Api(root, workspace, secret=make.token(root))
    api.base = "/api/v1/workspaces"

    first, again = (send(api, "", {"name": "another"}) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert refusal(send(api, "", {"name": "another"}, key="two")) == (422, "invalid", "name")


def test_another_key_address_or_person_is_another_change(
    owner: make.Api, api: make.Api, people: Any, places: dict[str, str]
) -> None:
    n_before = CustomView.objects.count()
    elsewhere = make.Api(people.alice, make.workspace("elsewhere", owner=people.alice))
    view = send(api, "/views", {"name": "a"}).json()["uid"]
    made = [
        send(owner, "/views", {"name": "a"}),
        send(owner, "/views", {"name": "b"}, key="two"),
        send(elsewhere, "/views", {"name": "a"}),
        send(owner, f"/views/{places['view']}/duplicate"),
        send(api, f"/views/{view}/duplicate"),
    ]

    assert [answer.status_code for answer in made] == [201] * 5
    assert not any(REPLAYED in answer for answer in made)
    assert CustomView.objects.count() == n_before + 6


def test_the_same_key_with_another_body_is_refused(owner: make.Api) -> None:
    assert send(owner, "/views", {"name": "a"}).status_code == 201
    before = all_rows()

    assert refusal(send(owner, "/views", {"name": "b"})) == (422, "invalid", HEADER)
    assert refusal(send(owner, "/views?x=1", {"name": "a"})) == (422, "invalid", HEADER)
    assert not changed_tables(before)


def test_a_refusal_is_not_kept(owner: make.Api) -> None:
    assert refusal(send(owner, "/views", {"name": ""})) == (422, "invalid", "name")
    assert not KeptAnswer.objects.exists()
    assert send(owner, "/views", {"name": "good"}).status_code == 201


# How a table takes no more rows, and takes them again.
FULL = {
    "sqlite": (
        "CREATE TEMP TRIGGER no_room BEFORE INSERT ON accounts_keptanswer"
        " BEGIN SELECT RAISE(ABORT, 'out of room'); END",
        "DROP TRIGGER temp.no_room",
    ),
    "postgresql": (
        "ALTER TABLE accounts_keptanswer ADD CONSTRAINT no_room CHECK (code < 0)",
        "ALTER TABLE accounts_keptanswer DROP CONSTRAINT no_room",
    ),
}


def test_where_the_answer_can_not_be_kept_nothing_was_changed(owner: make.Api) -> None:
    fill, empty = FULL[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(fill)
    assert send(owner, "/views", {"name": "lost"}).status_code == 500
    with connection.cursor() as cursor:
        cursor.execute(empty)

    assert not CustomView.objects.filter(name="lost").exists()
    assert send(owner, "/views", {"name": "lost"}).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
def test_a_key_is_printable_ascii(key: str, owner: make.Api) -> None:
    answer = Client().post(
        f"{owner.base}/views",
        {"name": "a"},
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY=key,
        headers=owner.headers,
    )

    assert refusal(answer) == (422, "invalid", HEADER)
    assert not CustomView.objects.exists()


def test_any_printable_key_will_do(owner: make.Api) -> None:
    for key in ("x" * 255, '"8e03978e"', "a b", "~"):
        assert send(owner, "/views", {"name": key[:9]}, key=key).status_code == 201


def test_an_answer_with_a_password_link_is_not_kept(owner: make.Api) -> None:
    before = all_rows()

    for path, body in (("/members", {"name": "erin", "new": True}), ("/members/bob/link", {})):
        assert refusal(send(owner, path, body)) == (422, "invalid", HEADER)
    assert not changed_tables(before)


def test_webhooks_are_kept_with_their_rule_alone(owner: make.Api) -> None:
    first = send(owner, "/alert-rules", {**RULE, "addresses": [HOOK]}).json()
    again = send(owner, "/alert-rules", {**RULE, "addresses": [HOOK]}).json()

    (told,), (kept,) = first.pop("addresses"), again.pop("addresses")
    assert again == first
    assert told["secret"]
    assert kept == {**told, "url": None, "secret": None}
    assert owner.get(f"/alert-rules/{first['uid']}").json()["addresses"] == [told]
    stored = KeptAnswer.objects.get().answer
    assert told["secret"] not in stored
    assert "hooks.example.org" not in stored


def test_who_may_not_ask_is_told_nothing(
    owner: make.Api, people: Any, workspace: Any, run: Any
) -> None:
    bob = make.Api(people.bob, workspace, secret=make.token(people.bob))
    assert send(bob, "/views", {"name": "a"}).status_code == 201
    reading = make.Api(people.bob, workspace, scope="read")
    of_run = {"workspace": workspace, "run_uid": run.uid, "scope": Scope.WRITE}
    script = make.Api(people.bob, workspace, secret=new_token(people.bob, name="run", **of_run)[1])

    for api in (reading, script):
        assert refusal(send(api, "/views", {"name": "a"})) == (403, "forbidden", None)
    assert Client().post(f"{bob.base}/views", headers={HEADER: "one"}).status_code == 401
    dave = make.Api(people.dave, workspace, secret=make.token(people.dave))
    assert send(dave, "/views", {"name": "a"}).status_code == 404
    remove_member(workspace, "bob", by=make.actor(people.alice))
    assert send(bob, "/views", {"name": "a"}).status_code == 404


def test_what_has_an_id_of_its_own_needs_no_key(owner: make.Api) -> None:
    one, other = ({"uid": uid, "experiment": "vision"} for uid in ("a1", "b2"))

    assert [send(owner, "/runs", body).status_code for body in (one, other, one)] == [201, 201, 200]
    assert not KeptAnswer.objects.exists()


def test_answers_are_kept_for_a_day(owner: make.Api) -> None:
    for key in ("one", "two"):
        assert send(owner, "/alert-rules", RULE, key=key).status_code == 201
    old = timezone.now() - timedelta(days=1, seconds=1)
    KeptAnswer.objects.filter(key="one").update(at=old)

    assert forget_answers() == 1
    assert REPLAYED not in send(owner, "/alert-rules", RULE)
    assert REPLAYED in send(owner, "/alert-rules", RULE, key="two")


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_makes_the_change() -> None:
    people = [make.user(name) for name in ("alice", "bob")]
    lab = make.workspace("lab", owner=people[0], contributor=people[1])
    api, ready, answers = make.Api(people[1], lab), threading.Barrier(4), []

    def ask() -> None:
        ready.wait()
        try:
            answers.append(send(api, "/views", {"name": "a"}))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert CustomView.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    told = [answer.json()["uid"] for answer in answers if answer.status_code == 201]
    assert set(told) == {CustomView.objects.get().uid}


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_under_way_the_second_waits_or_is_refused() -> None:
    alice = make.user("alice")
    api = make.Api(alice, make.workspace("lab", owner=alice))
    address = digest_of("POST", f"{api.base}/views", "")
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert Asked(alice, None, "one", address, "").is_mine()
            holds.set()
            done.wait(30)
        connection.close()

    first = threading.Thread(target=hold)
    first.start()
    answers: list[Any] = []

    def ask() -> None:
        answers.append(send(api, "/views", {"name": "a"}))
        connection.close()

    assert holds.wait(30)
    second = threading.Thread(target=ask)
    second.start()
    # SQLite lets one after the other write; PostgreSQL would let both.
    is_refused = connection.vendor == "postgresql"
    second.join(30 if is_refused else 0.2)
    assert second.is_alive() != is_refused
    done.set()
    first.join(30)
    second.join(30)
    if is_refused:
        assert refusal(answers.pop()) == (409, "conflict", None)
        ask()
    assert [answer.status_code for answer in answers] == [201]


def test_the_document_tells_the_header_of_every_change_that_takes_it() -> None:
    told, silent = set(), set()
    for name, operation in operations():
        headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
        if name.startswith("POST "):
            (told if HEADER in headers else silent).add(name.partition(LAB)[2])
        else:
            assert not headers, name

    assert silent == OWN_IDS.keys() | SECRETS
    assert told >= MADE.keys()
