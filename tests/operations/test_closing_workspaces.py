"""A closed workspace is as if it were not there, for everybody and for every program; opened again
it is what it was."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from studio.accounts.actions import WorkspaceClosed, add_workspace
from studio.accounts.models import (
    MemberEvent,
    Scope,
    SignInEvent,
    Workspace,
    new_token,
)
from studio.accounts.permissions import Actor, Permission, can
from studio.alerts.actions import create_rule, try_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.mail import destination_of, unsubscribe_url
from studio.alerts.matching import match_news
from studio.alerts.models import Delivery, Firing
from studio.alerts.sending import send_due
from studio.bulk.acting import start_bulk
from studio.bulk.selection import Selection
from studio.compute.models import Job
from studio.operations.closing import close_workspace, reopen_workspace
from studio.runs import actions
from studio.runs.models import Run, StatusNews
from studio.web import first_start
from studio.work.models import Work
from tests import make
from tests.mlflow_api.client import Mlflow
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.data, pytest.mark.django_db]
BY = Actor(name="command line")
BATCH = {
    "batch": "6f1ed002-ab55-4a33-9d2b-1c1f0a4a4c11",
    "metrics": [{"name": "acc", "kind": "scalar", "steps": [1], "times": [1e9], "values": [0.5]}],
}


def queued(experiment: Any, people: Any) -> Run:
    submit = actions.Submission(target="local", snapshot="", script="train.py")
    return actions.create_run(experiment, actions.NewRun(submit=submit), by=make.actor(people.bob))


def manage(*words: str, capsys: Any) -> str:
    call_command("workspace", *words)
    told: str = capsys.readouterr().out
    return told


def test_nobody_finds_it_neither_by_page_nor_by_program(
    people: Any, workspace: Any, run: Any
) -> None:
    admin = make.user("root", admin=True)
    everybody = (people.alice, people.bob, people.carol, people.dave, admin)
    secrets = {user.username: make.token(user) for user in everybody}
    secrets["own"] = make.token(people.alice, workspace=workspace)
    _, secrets["of the run"] = new_token(
        people.bob, name="run", scope=Scope.WRITE, workspace=workspace, run_uid=run.uid
    )
    close_workspace(workspace, by=BY)

    for user in everybody:
        client = make.client(user)
        for name in ("lab", "nowhere"):
            assert client.get(f"/w/{name}/runs").status_code == 404
            assert client.get(f"/w/{name}/runs/{run.uid}").status_code == 404
        assert client.get("/").status_code == 200, "they are in no workspace"
        told = client.get("/account").content.replace(b"label", b"")
        assert (b"lab" in told) == (user == people.alice), "who holds a token for it alone"
    for who, secret in secrets.items():
        headers = {"Authorization": f"Bearer {secret}"}
        for path in ("", "/runs", f"/runs/{run.uid}", "/events", "/targets"):
            answer = Client().get(f"/api/v1/workspaces/lab{path}", headers=headers)
            assert answer.status_code == 404, (who, path)
        api = make.Api(people.bob, workspace, secret=secret)
        assert api.post(f"/runs/{run.uid}/batches", BATCH).status_code == 404, who
        assert api.post(f"/runs/{run.uid}/complete").status_code == 404, who
        body = json.dumps({"run_id": run.uid, "metrics": []})
        for headers["X-MLFLOW-WORKSPACE"] in ("lab", ""):
            told = Client().post(
                "/api/2.0/mlflow/runs/log-batch",
                body,
                content_type="application/json",
                headers=headers,
            )
            assert told.status_code == 404, (who, told.content)
        listed = Client().get("/api/3.0/mlflow/workspaces", headers=headers)
        assert listed.json() == {"workspaces": []}
    for who, status in (("own", 404), ("of the run", 404), ("alice", 200)):
        headers = {"Authorization": f"Bearer {secrets[who]}"}
        assert Client().get("/api/v1/whoami", headers=headers).status_code == status


def test_no_list_leads_to_it_and_a_token_of_it_is_sent_nowhere_else(
    people: Any, workspace: Any, experiment: Any
) -> None:
    other = make.workspace("other", owner=people.alice)
    make.workspace("third", owner=people.alice)
    own = make.token(people.alice, workspace=workspace)
    close_workspace(workspace, by=BY)

    client = make.client(people.alice)
    for page in ("/w/other/runs", "/account"):
        told = client.get(page).content
        assert b"/w/lab" not in told, page
        assert b'value="lab"' not in told, page
    assert client.get("/", cookies={}).url == "/w/other/runs"
    mlflow = Mlflow(people.alice, other)
    mlflow.headers = {"Authorization": f"Bearer {own}"}
    answer = mlflow.post("experiments/search", max_results=5)
    assert answer.status_code == 404, "not one of the others: the token is for this one"
    assert not can(make.actor(people.alice), Permission.SEE, workspace)


def test_what_goes_on_in_it_ends(people: Any, workspace: Any, experiment: Any, run: Any) -> None:
    waiting, held = queued(experiment, people), queued(experiment, people)
    now = timezone.now()
    Job.objects.filter(pk=held.job_id).update(lease="a" * 32, node="box", claimed_at=now)
    child = make.run(experiment, parent=run)
    by = make.actor(people.bob)
    work = start_bulk(workspace, "tags", Selection(query=""), {"set": {"a": None}}, by=by)

    ending = close_workspace(workspace, by=BY)

    assert (ending.n_runs, ending.n_waiting, ending.n_works) == (4, 1, 1)
    found = {one.pk: one for one in Run.objects.filter(workspace=workspace)}
    for over in (run, child, waiting):
        assert found[over.pk].status == "Canceled"
    assert found[held.pk].status == "CancelRequested"
    assert found[run.pk].status_reason == "The workspace was closed"
    assert found[run.pk].cancel_requested_by == "command line"
    assert Job.objects.get(pk=held.job_id).cancel_requested_at is not None
    assert Work.objects.get(pk=work.pk).state == "Canceled"
    again = close_workspace(workspace, by=BY)
    assert (again.n_runs, again.n_waiting, again.n_works) == (1, 1, 0)


def test_nobody_is_told_of_what_happens_in_it(people: Any, workspace: Any, run: Any) -> None:
    draft = RuleDraft("Ends", statuses=["Canceled"], addresses=[Address("email", user="bob")])
    rule = create_rule(workspace, draft, by=make.actor(people.alice), is_shared=True)
    firing = try_rule(rule, by=make.actor(people.alice))
    token = unsubscribe_url(rule.destinations.get()).rsplit("/", 1)[1]
    close_workspace(workspace, by=BY)

    match_news()
    send_due()

    assert Firing.objects.get() == firing
    assert not StatusNews.objects.exists()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.trouble) == ("dropped", "The workspace is closed")
    assert destination_of(token) is None


def test_reopened_it_is_what_it_was(people: Any, workspace: Any, experiment: Any) -> None:
    run = make.run(experiment, tags={"a": "b"})
    actions.complete_run(run, by=make.actor(people.bob))
    api = make.Api(people.bob, workspace)
    before = all_rows()
    close_workspace(workspace, by=BY)
    assert api.get("").status_code == 404

    assert reopen_workspace(workspace, by=BY)

    assert set(changed_tables(before)) == {"accounts.memberevent", "accounts.signinevent"}
    assert api.get(f"/runs/{run.uid}").json()["tags"] == {"a": "b"}
    page = make.client(people.alice).get("/w/lab/members").content.decode()
    assert "closed the workspace" in page
    assert "reopened the workspace" in page
    assert not reopen_workspace(workspace, by=BY)


def test_both_are_recorded_for_the_whole_studio_with_who_did_it(workspace: Any) -> None:
    close_workspace(workspace, by=BY)
    close_workspace(workspace, by=BY)
    assert Workspace.objects.get(pk=workspace.pk).closed_by == "command line"
    reopen_workspace(workspace, by=BY)

    found = SignInEvent.objects.filter(how__startswith="room-").order_by("pk")
    told = list(found.values_list("how", "name", "actor"))
    both = ("room-closed", "room-reopened")
    assert told == [(how, "lab", "command line") for how in both]
    kinds = MemberEvent.objects.newest(workspace).values_list("kind", "actor", "before", "after")
    assert list(kinds[:2]) == [
        ("reopened", "command line", "closed", "open"),
        ("closed", "command line", "open", "closed"),
    ]
    admin = make.client(make.user("root", admin=True)).get("/admin/sign-ins").content.decode()
    assert "Workspace closed" in admin


def test_its_name_stays_taken(people: Any, workspace: Any) -> None:
    close_workspace(workspace, by=BY)

    with pytest.raises(WorkspaceClosed, match="“lab” is that of a closed workspace"):
        add_workspace("lab", owner=people.dave)
    with pytest.raises(CommandError, match="There is no workspace “lab”"):
        call_command("createtoken", "alice", "--workspace", "lab")


def test_the_studio_starts_without_a_workspace_that_is_open(
    db: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert first_start.prepare().config_path
    room = Workspace.objects.get(name="default")
    close_workspace(room, by=BY)
    assert first_start.prepare().config_path is None
    make.workspace("other", owner=make.user("alice"))

    path = first_start.prepare().config_path

    assert path is not None
    assert json.loads(path.read_text())["workspace"] == "other"
    assert not Workspace.objects.open().filter(name="default").exists()


def test_the_command_says_what_it_did(workspace: Any, run: Any, capsys: Any) -> None:
    told = manage("close", "lab", capsys=capsys)
    assert told == "“lab” is closed: nobody finds it any more.\n1 run cancelled.\n"
    assert manage("reopen", "lab", capsys=capsys) == "“lab” is open again.\n"
    with pytest.raises(CommandError, match="“lab” is open") as refused:
        call_command("workspace", "reopen", "lab")
    assert refused.value.returncode == 1
    for task in ("close", "reopen", "delete"):
        with pytest.raises(CommandError, match="There is no workspace “labs”"):
            call_command("workspace", task, "labs")
