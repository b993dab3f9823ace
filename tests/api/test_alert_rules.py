"""Alert rules and status changes by the API: what programs read, change and are refused."""

from typing import Any

import pytest

from studio.accounts.members import remove_member
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, RuleEvent
from studio.runs import actions
from studio.runs.actions.keeping import delete_run
from tests import make

FAILED = {"name": "Broken", "query": "experiment:vision", "statuses": ["Failed"]}
HOOK = "https://hooks.example.org/a/secret"


@pytest.fixture
def owner(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


@pytest.fixture
def reader(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.carol, workspace)


def fail(run: Any) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), error={"message": "no"}, reason="wrong")


def delete(api: make.Api, path: str) -> Any:
    return api.send("DELETE", path, b"", "application/json")


def test_status_changes_come_newest_first_by_page_and_by_filter(
    api: make.Api, experiment: Any
) -> None:
    runs = [make.run(experiment, display_name=f"run {i}") for i in range(3)]
    fail(runs[1])
    make.run(make.experiment(experiment.workspace, "speech"))

    first = api.get("/events", limit=2).json()
    rest = api.get("/events", cursor=first["next"]).json()
    assert api.get("/events", before=first["next"]).json() == rest
    assert [one["experiment"] for one in first["items"]] == ["speech", "vision"]
    assert len(rest["items"]) == 3
    assert rest["next"] is None
    (failed,) = api.get("/events", status="Failed", experiment="vision").json()["items"]
    assert failed == {
        **{"id": failed["id"], "at": failed["at"], "run": runs[1].uid, "display_name": "run 1"},
        **{"parent": None, "root": runs[1].uid, "experiment": "vision", "before": "Running"},
        **{"status": "Failed", "actor": "bob", "message": "wrong"},
    }
    assert len(api.get("/events", run=runs[1].uid, actor="bob").json()["items"]) == 2
    assert api.get("/events", actor="nobody").json()["items"] == []
    delete_run(runs[1], by=make.actor(runs[1].submitter))
    assert api.get("/events", run=runs[1].uid).json()["items"] == []


@pytest.mark.parametrize("query", [{"status": "failed"}, {"before": "x"}, {"cursor": "9" * 20}])
def test_a_wrong_filter_of_events_is_named(query: dict[str, str], api: make.Api) -> None:
    answer = api.get("/events", **query)

    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == next(iter(query))


def test_a_rule_is_made_changed_muted_switched_tried_and_deleted(api: make.Api) -> None:
    made = api.post("/alert-rules", FAILED)
    assert made.status_code == 201, made.content
    rule = made.json()
    path = f"/alert-rules/{rule['uid']}"
    assert (rule["shared"], rule["may_edit"], rule["kind"]) == (False, True, "status")
    assert rule["addresses"] == [{"channel": "email", "user": "bob", "url": None, "secret": None}]

    addresses = [{"channel": "webhook", "url": HOOK}]
    changed = api.patch(path, {"digest": "hourly", "addresses": addresses}).json()
    assert (changed["name"], changed["digest"], changed["statuses"]) == (
        *("Broken", "hourly"),
        ["Failed"],
    )
    assert changed["addresses"][0]["secret"]
    assert api.post(f"{path}/mute", {"seconds": 60}).json()["muted_until"]
    assert api.post(f"{path}/mute", {}).json()["muted_until"] is None
    assert not api.post(f"{path}/enable", {"on": False}).json()["enabled"]
    (tried,) = api.post(f"{path}/test").json()["items"]
    assert (tried["test"], tried["channel"], tried["state"]) == (True, "webhook", "waiting")
    assert api.get(f"{path}/deliveries").json()["items"] == [tried]
    assert delete(api, path).json()["uid"] == rule["uid"]
    assert api.get(path).status_code == 404
    kinds = list(RuleEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["created", "changed", "muted", "muted", "enabled", "tested", "deleted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x"}, "statuses"),
        ({**FAILED, "statuses": ["failed"]}, "statuses"),
        ({**FAILED, "query": "loss<<"}, "query"),
        ({**FAILED, "colour": "red"}, "colour"),
        ({**FAILED, "digest": "weekly"}, "digest"),
        ({**FAILED, "addresses": []}, "addresses"),
        ({**FAILED, "addresses": [{"channel": "email", "user": "alice"}]}, "addresses"),
        ({**FAILED, "addresses": [{"channel": "pigeon"}]}, "addresses[0].channel"),
        ({**FAILED, "addresses": [{"channel": "slack", "url": "http://10.0.0.1/"}]}, "url"),
        ({"name": "x", "kind": "metric", "metric": "loss", "operator": "<"}, "threshold"),
        ({"name": "x", "kind": "duration", "seconds": 1}, "seconds"),
        ({"name": "x", "kind": "view", "edge": "enter"}, "view"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_field(
    body: dict[str, Any], field: str, api: make.Api
) -> None:
    answer = api.post("/alert-rules", body)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.content
    assert not AlertRule.objects.exists()


def test_only_who_may_change_a_rule_gets_its_webhooks(
    owner: make.Api, reader: make.Api, people: Any, workspace: Any
) -> None:
    body = {**FAILED, "shared": True, "addresses": [{"channel": "webhook", "url": HOOK}]}
    path = f"/alert-rules/{owner.post('/alert-rules', body).json()['uid']}"
    reading = make.Api(people.alice, workspace, scope="read")

    assert owner.get(path).json()["addresses"][0]["url"] == HOOK
    for other in (reader, reading):
        told = other.get(path)
        assert told.json()["addresses"] == [
            {"channel": "webhook", "user": None, "url": None, "secret": None}
        ]
        assert not told.json()["may_edit"]
        assert "secret" not in other.get("/alert-rules").content.decode().replace('"secret"', "")
    assert reader.post("/alert-rules", body).status_code == 403
    assert reader.post(f"{path}/mute", {"seconds": 60}).status_code == 403


def test_rules_of_others_and_of_who_lost_the_workspace_are_not_there(
    api: make.Api, reader: make.Api, people: Any, workspace: Any
) -> None:
    path = f"/alert-rules/{api.post('/alert-rules', FAILED).json()['uid']}"

    assert reader.get(path).status_code == 404
    assert reader.get("/alert-rules").json()["items"] == []
    assert len(api.get("/alert-rules").json()["items"]) == 1
    remove_member(workspace, "bob", by=make.actor(people.alice))
    assert api.client.get(api.base + path, headers=api.headers).status_code in {401, 404}


def test_one_is_told_when_a_run_ends_once(reader: make.Api, run: Any) -> None:
    told = reader.post(f"/runs/{run.uid}/notify", {"on": True}).json()
    assert told == reader.post(f"/runs/{run.uid}/notify", {"on": True}).json()
    fail(run)
    match_news()

    assert Delivery.objects.get().firing.rule.uid == told["rule"]
    assert reader.post(f"/runs/{run.uid}/notify", {"on": True}).status_code == 422
    over = reader.post(f"/runs/{run.uid}/notify", {"on": False}).json()
    assert over == {"on": False, "rule": None}


def test_a_view_is_subscribed_to_changed_and_left(
    api: make.Api, reader: make.Api, workspace: Any
) -> None:
    view = api.post("/views", {"name": "Best"}).json()["uid"]
    path = f"/views/{view}/subscribe"

    first = api.post(path, {"edge": "enter"}).json()
    assert api.post(path, {"edge": "both"}).json() == {"edge": "both", "rule": first["rule"]}
    assert reader.post(path, {"edge": "enter"}).status_code == 404
    assert api.post(path, {"edge": ""}).json() == {"edge": "", "rule": None}
    assert not AlertRule.objects.exists()


def test_the_token_of_a_run_has_no_rules(api: make.Api, run: Any, workspace: Any) -> None:
    from studio.accounts.models import Scope, new_token

    _, secret = new_token(
        run.submitter, name="run", scope=Scope.WRITE, workspace=workspace, run_uid=run.uid
    )
    program = make.Api(run.submitter, workspace, secret=secret)

    assert program.post("/alert-rules", FAILED).status_code == 403
    assert program.post(f"/runs/{run.uid}/notify", {"on": True}).status_code == 403
    assert program.get("/alert-rules").json()["items"] == []
    assert program.get("/events").status_code == 200


def test_a_message_that_was_given_up_is_tried_again(api: make.Api, reader: make.Api) -> None:
    rule = api.post("/alert-rules", FAILED).json()["uid"]
    (told,) = api.post(f"/alert-rules/{rule}/test").json()["items"]
    path = f"/alert-rules/{rule}/deliveries/{told['id']}/retry"
    Delivery.objects.update(state="failed", n_tries=5)

    assert reader.post(path).status_code == 404
    again = api.post(path).json()
    assert (again["state"], again["n_tries"]) == ("waiting", 0)
    assert api.post(path).json() == again
    assert [one.kind for one in RuleEvent.objects.all()].count("retried") == 1
    other = api.post("/alert-rules", FAILED).json()["uid"]
    for wrong in (path.replace(rule, other), path.replace(str(told["id"]), "x")):
        assert api.post(wrong).status_code == 404
