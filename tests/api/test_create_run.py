"""POST …/runs."""

import pytest
from django.db import connection

from studio.compute.models import Job
from studio.runs.actions.definitions import environment_facts
from studio.runs.models import Experiment, Run
from tests import make
from tests.api.calls import new_run


def test_a_run_is_born_with_all_it_was_given(api, people):
    sent = new_run(
        display_name="First try",
        description="# Why\nTo learn",
        type="pipeline",
        tags={"quality": "good", "baseline": None},
        properties={"commit": "abc"},
        parameters={"lr": 0.1, "layers": 3, "shuffle": True, "none": None},
        definition={"command_line": "python train.py", "packages": {"numpy": "2.2"}},
        max_run_duration_s=60,
    )
    answer = api.post("/runs", sent)
    assert answer.status_code == 201
    run = answer.json()
    assert run["uid"] == run["root"] == sent["uid"]
    assert (run["number"], run["experiment"], run["workspace"]) == (1, "vision", "lab")
    assert (run["display_name"], run["type"]) == ("First try", "pipeline")
    assert (run["status"], run["submitter"]) == ("Running", "bob")
    assert run["tags"] == {"baseline": None, "quality": "good"}
    assert run["properties"] == {"commit": "abc"}
    assert run["parameters"] == {"layers": "3", "lr": "0.1", "none": "None", "shuffle": "True"}
    assert run["definition"] == sent["definition"]
    assert (run["description"], run["description_version"]) == ("# Why\nTo learn", 1)
    assert run["url"].endswith(f"/w/lab/runs/{sent['uid']}")
    assert run["parent"] is None
    assert run["created_at"].endswith("Z")


def test_the_answer_is_what_reading_the_run_gives(api):
    sent = new_run(tags={"b": None, "a": " x "}, parameters={"lr": 0.1}, definition={"cwd": "/"})
    answer = api.post("/runs", sent).json()
    stored = api.get(f"/runs/{sent['uid']}").json()
    for run in (answer, stored):
        del run["duration_s"]
    assert answer == stored


def test_without_start_it_has_not_started(api):
    run = api.post("/runs", new_run(start=False)).json()
    assert (run["status"], run["started_at"], run["duration_s"]) == ("NotStarted", None, None)


def test_the_same_request_again_gives_the_run_there_is(api):
    sent = new_run(tags={"a": "b"})
    first, again = api.post("/runs", sent), api.post("/runs", sent)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["number"] == again.json()["number"] == 1
    assert Run.objects.count() == 1
    assert Experiment.objects.get().last_number == 1


def test_another_persons_id_is_taken(api, people, workspace):
    sent = new_run()
    api.post("/runs", sent)
    answer = make.Api(people.alice, workspace).post("/runs", sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_a_refused_description_leaves_no_run(api):
    answer = api.post("/runs", new_run(description="é" * 60_000))
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "description")
    assert not Run.objects.exists()


def test_a_child_knows_its_parent_and_root(api):
    root = api.post("/runs", new_run()).json()
    child = api.post("/runs", new_run(parent=root["uid"])).json()
    grandchild = api.post("/runs", new_run(parent=child["uid"])).json()
    assert (grandchild["parent"], grandchild["root"]) == (child["uid"], root["uid"])
    assert api.get(f"/runs/{root['uid']}").json()["n_children"] == 1


def test_a_parent_of_another_workspace_is_not_found(api, people):
    other = make.workspace("other", owner=people.alice, contributor=people.carol)
    stranger = make.run(make.experiment(other))
    assert api.post("/runs", new_run(parent=stranger.uid)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"uid": "a b"}, "uid"),
        ({"uid": ""}, "uid"),
        ({"experiment": "-x"}, "experiment"),
        ({"type": "magic"}, "type"),
        ({"start": 1}, "start"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"display_name": "\u200b"}, "display_name"),
        ({"max_run_duration_s": 0}, "max_run_duration_s"),
        ({"definition": []}, "definition"),
        ({"color": "red"}, "color"),
    ],
)
def test_wrong_values_are_named(wrong, field, api):
    answer = api.post("/runs", new_run(**wrong))
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert not Run.objects.exists()


class TestSubmitting:
    @pytest.fixture
    def snapshot(self, workspace):
        from studio.artifacts.models import Snapshot

        return Snapshot.objects.create(workspace=workspace, digest="d" * 64).digest

    def test_a_submitted_run_is_queued_with_a_job(self, api, snapshot):
        submit = {
            "snapshot": snapshot,
            "script": "train.py",
            "arguments": ["--lr", "0.1"],
            "environment": {"variables": {"SEED": "1"}},
            "grace_s": 5,
        }
        run = api.post("/runs", new_run(start=False, submit=submit)).json()
        assert (run["status"], run["target"], run["type"]) == ("Queued", "local", "script")
        assert (run["script"], run["arguments"]) == ("train.py", ["--lr", "0.1"])
        job = Job.objects.get()
        assert (job.argv, job.grace_s) == (["train.py", "--lr", "0.1"], 5)
        assert job.environment["variables"] == {"SEED": "1"}
        assert job.snapshot == snapshot

    def test_its_environment_is_told_without_its_variables(self, api, snapshot):
        asked = {"name": "e", "python": "python3.12", "packages": ["six"], "requirements": "r.txt"}
        submit = {"snapshot": snapshot, "script": "a.py", "environment": asked}
        submit["environment"] = asked | {"variables": {"WANDB_KEY": "hush"}}
        made = api.post("/runs", new_run(start=False, submit=submit)).json()
        again = api.get(f"/runs/{made['uid']}").json()
        assert made["definition"] == again["definition"]
        assert made["definition"]["environment"] == {"kind": "built", **asked}
        assert Job.objects.get().environment["variables"] == {"WANDB_KEY": "hush"}

    @pytest.mark.parametrize(
        ("environment", "field"),
        [
            ({"python": "env/bin/python"}, "python"),
            ({"python": "py; rm"}, "python"),
            ({"requirements": "../r.txt"}, "requirements"),
            ({"packages": ["-e ."]}, "packages"),
            ({"packages": ["./a.whl"]}, "packages"),
            ({"packages": ["a @ https://me:secret@h/a.whl"]}, "packages"),
            ({"packages": ["x" * 1001]}, "packages[0]"),
            ({"variables": {"A=B": "x"}}, "variables.A=B"),
            ({"variables": {"": "x"}}, "variables"),
            ({"variables": {"1A": "x"}}, "variables.1A"),
            ({"variables": {"A\nB": "x"}}, "variables.A\nB"),
            ({"variables": {"A": "a\0b"}}, "variables.A"),
            ({"variables": {"A": "x" * 1_000_000}}, "variables.A"),
            ({"variables": {f"A{i}": "x" * 20_000 for i in range(20)}}, "variables"),
            ({"variables": {"A": 1}}, "variables.A"),
            ({"variables": {"STUDIO_TOKEN": "x"}}, "variables.STUDIO_TOKEN"),
            ({"variables": {"studio_run_id": "x"}}, "variables.studio_run_id"),
            ({"variables": {"STUDIO_RUN_COOKIE": "x"}}, "variables.STUDIO_RUN_COOKIE"),
        ],
    )
    def test_an_environment_that_no_worker_could_make_is_refused(
        self, api, snapshot, environment, field
    ):
        submit = {"snapshot": snapshot, "script": "a.py", "environment": environment}
        answer = api.post("/runs", new_run(start=False, submit=submit))
        found = answer.json()["error"]["field"]
        assert (answer.status_code, found) == (422, f"submit.environment.{field}")
        assert not Job.objects.exists()

    def test_what_readers_are_told_of_an_environment_holds_no_login(self):
        asked = {"python": "/opt/p", "packages": ["six", "a @ https://me:p@ss@h/a.whl"]}
        told = environment_facts({**asked, "variables": {"A": "x"}})
        assert told == {"kind": "built", "python": "/opt/p",
                        "packages": ["six", "a @ https://****@h/a.whl"]}  # fmt: skip

    def test_submitting_again_queues_one_job(self, api, snapshot):
        sent = new_run(start=False, submit={"snapshot": snapshot, "script": "a.py"})
        assert [api.post("/runs", sent).status_code for _ in range(2)] == [201, 200]
        assert Job.objects.count() == 1

    def test_a_snapshot_that_is_not_here_is_a_conflict(self, api, people, snapshot):
        submit = {"snapshot": "e" * 64, "script": "a.py"}
        answer = api.post("/runs", new_run(submit=submit))
        assert answer.status_code == 409
        assert answer.json()["error"]["field"] == "submit.snapshot"
        assert not Run.objects.exists()

    def test_a_snapshot_of_another_workspace_is_not_here(self, people, snapshot):
        other = make.workspace("other", owner=people.bob)
        submit = {"snapshot": snapshot, "script": "a.py"}
        answer = make.Api(people.bob, other).post("/runs", new_run(submit=submit))
        assert answer.status_code == 409

    def test_an_unknown_target_is_refused_with_those_there_are(self, api, snapshot):
        submit = {"snapshot": snapshot, "script": "a.py", "target": "moon"}
        error = api.post("/runs", new_run(submit=submit)).json()["error"]
        assert error["field"] == "submit.target"
        assert "local" in error["message"]
        assert not Run.objects.exists()

    def test_a_script_or_a_command_but_not_both(self, api, snapshot):
        for more in ({}, {"script": "a.py", "command": ["ls"]}):
            answer = api.post("/runs", new_run(submit={"snapshot": snapshot, **more}))
            assert answer.status_code == 422


def test_an_experiment_purged_at_the_same_moment_is_made_anew(api, workspace):
    make.experiment(workspace, "vision")
    purged = []

    def purge_before(execute, sql, params, many, context):
        if "SET last_number" in sql and not purged:
            purged.append(Experiment.objects.get(name="vision").pk)
            Experiment.objects.all().delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(purge_before):
        answer = api.post("/runs", {"uid": "late", "experiment": "vision"})

    assert answer.status_code == 201
    run = Run.objects.get(uid="late")
    assert (run.experiment.name, run.number) == ("vision", 1)
    assert purged, "it was there when the request looked for it"
