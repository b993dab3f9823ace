"""A submitted run is submitted again, as it was or with changes, once for each id."""

import hashlib
from typing import Any

import pytest

from studio.artifacts.models import Snapshot
from studio.compute.models import Job
from studio.runs.models import Run
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]
SOURCE = b"print(1)\n"
DIGEST = hashlib.sha256(SOURCE).hexdigest()
FILES = {"files": [{"path": "train.py", "digest": DIGEST, "size": len(SOURCE)}]}


@pytest.fixture
def submitted(api: make.Api, workspace: Any) -> dict[str, Any]:
    api.send("PUT", f"/blobs/{DIGEST}", SOURCE, "application/octet-stream")
    snapshot = api.post("/snapshots", FILES).json()["id"]
    body = {
        "uid": "first",
        "experiment": "vision",
        "display_name": "baseline",
        "tags": {"quality": "great"},
        "properties": {"azureml.git.commit": "abc", "result": "0.9"},
        "parameters": {"lr": "0.1"},
        "definition": {"command_line": "train.py --lr 0.1", "git": {"commit": "abc"}},
        "max_run_duration_s": 60,
        "submit": {
            "snapshot": snapshot,
            "script": "train.py",
            "arguments": ["--lr", "0.1"],
            "environment": {
                "name": "boosting",
                "packages": ["six==1.16"],
                "variables": {"OMP_NUM_THREADS": "1"},
            },
            "grace_s": 7,
        },
    }
    assert api.post("/runs", body).status_code == 201
    # What the script sets later is no part of what was submitted.
    api.post("/runs/first/parameters", {"set": {"lr": "0.2", "epochs": 3}})
    return api.get("/runs/first").json()


def test_the_same_is_submitted_again_and_both_tell_of_each_other(
    api: make.Api, submitted: dict[str, Any]
) -> None:
    answer = api.post("/runs/first/resubmit", {})
    new, run = answer.json(), Run.objects.get(uid=answer.json()["uid"])

    assert answer.status_code == 201
    same = ("experiment", "display_name", "script", "arguments", "snapshot", "target", "definition")
    assert {key: new[key] for key in same} == {key: submitted[key] for key in same}
    assert (new["status"], new["parameters"], new["tags"]) == ("Queued", {"lr": "0.1"}, {})
    assert new["properties"] == {"azureml.git.commit": "abc", "resubmitted_from": "first"}
    assert (run.job.argv, run.job.grace_s, run.max_duration_s) == (
        ["train.py", "--lr", "0.1"], 7, 60
    )  # fmt: skip
    assert run.job.environment["variables"] == {"OMP_NUM_THREADS": "1"}
    assert run.job.environment["packages"] == ["six==1.16"]
    assert new["definition"]["environment"]["name"] == "boosting"
    assert run.job.environment["run_uid"] == new["uid"]
    told = [
        [event["after"] for event in api.get(f"/runs/{uid}/events").json()["items"]]
        for uid in ("first", new["uid"])
    ]
    assert new["uid"] in told[0]
    assert "first" in told[1]


def test_changes_are_taken_and_a_repeat_makes_no_second_run(
    api: make.Api, submitted: dict[str, Any], people: Any, workspace: Any
) -> None:
    body = {"uid": "again", "experiment": "other", "display_name": "x", "arguments": ["--lr", "1"]}
    answers = [api.post("/runs/first/resubmit", body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    new = answers[1].json()
    assert (new["experiment"], new["display_name"], new["arguments"]) == (
        "other", "x", ["--lr", "1"]
    )  # fmt: skip
    assert new["definition"]["command_line"] == "train.py --lr 1"
    assert Run.objects.count() == 2
    # Another person's repeat is another wish.
    other = make.Api(people.alice, workspace).post("/runs/first/resubmit", body)
    assert other.status_code == 409


def test_a_command_is_changed_as_a_whole(api: make.Api, submitted: dict[str, Any]) -> None:
    submit = {"snapshot": submitted["snapshot"], "command": ["make", "all"]}
    api.post("/runs", {"uid": "cmd", "experiment": "vision", "submit": submit})
    new = api.post("/runs/cmd/resubmit", {"arguments": ["make", "some"]}).json()

    assert Run.objects.get(uid=new["uid"]).job.argv == ["make", "some"]
    assert api.post("/runs/cmd/resubmit", {"arguments": []}).status_code == 422


def test_what_cannot_be_resubmitted_says_why(
    api: make.Api, submitted: dict[str, Any], run: Run
) -> None:
    foreign = api.post(f"/runs/{run.uid}/resubmit", {})
    assert (foreign.status_code, "Another program" in foreign.content.decode()) == (409, True)
    nowhere = api.post("/runs/first/resubmit", {"target": "moon"})
    assert (nowhere.status_code, "moon" in nowhere.content.decode()) == (422, True)
    Snapshot.objects.all().delete()
    gone = api.post("/runs/first/resubmit", {})
    assert (gone.status_code, "not stored any more" in gone.content.decode()) == (409, True)
    assert Run.objects.count() == 2


def test_the_variables_of_another_person_are_neither_shown_nor_passed_on(
    api: make.Api, submitted: dict[str, Any], people: Any, workspace: Any
) -> None:
    run = Run.objects.get(uid="first")
    secret = {"variables": {"WANDB_KEY": "hush-hush"}}
    Job.objects.filter(pk=run.job_id).update(environment=run.job.environment | secret)

    made = make.Api(people.alice, workspace).post("/runs/first/resubmit", {}).json()["uid"]
    assert "variables" not in Run.objects.get(uid=made).job.environment
    form = make.client(people.alice).get(f"{run.page_path}/resubmit").content.decode()
    assert "WANDB_KEY" in form
    assert "only bob can pass their values on" in form
    own = make.client(people.bob).get(f"{run.page_path}/resubmit").content.decode()
    assert "hush-hush" not in form + own
    kept = api.post("/runs/first/resubmit", {}).json()["uid"]
    assert Run.objects.get(uid=kept).job.environment["variables"] == {"WANDB_KEY": "hush-hush"}
