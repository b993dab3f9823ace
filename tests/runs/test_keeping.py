"""Archive, trash and back; experiments archived, renamed, described; all with its history."""

from typing import Any

import pytest

from studio.compute.actions import ensure_local_target
from studio.execution.claims import claim_next
from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.history import Refused
from studio.runs.models import Experiment, Run, RunEvent
from tests import make
from tests.api.calls import batch

pytestmark = [pytest.mark.data, pytest.mark.django_db]


@pytest.fixture
def bob(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def done(run: Any, bob: Any) -> Any:
    return actions.complete_run(run, by=bob)


def listed(api: Any, **query: Any) -> set[str]:
    return {item["uid"] for item in api.get("/runs", **query).json()["items"]}


class TestArchive:
    def test_an_archived_run_leaves_the_lists_with_its_child_runs(self, api, run, experiment):
        child = make.run(experiment, parent=run)
        answer = api.post(f"/runs/{run.uid}/archive")
        assert answer.json()["archived_at"]
        assert listed(api, children=1) == set()
        assert listed(api, children=1, q="is:archived") == {run.uid, child.uid}
        assert api.post(f"/runs/{run.uid}/unarchive").json()["archived_at"] is None
        assert listed(api, children=1) == {run.uid, child.uid}

    def test_its_history_tells_who_and_what(self, api, run):
        api.post(f"/runs/{run.uid}/archive")
        api.post(f"/runs/{run.uid}/archive")
        event = RunEvent.objects.get(run=run, kind="archived")
        assert (event.actor, event.before, event.after) == ("bob", False, True)


class TestTrash:
    def test_a_run_that_goes_on_is_refused_with_the_way_out(self, api, run):
        answer = api.post(f"/runs/{run.uid}/delete")
        assert answer.status_code == 409
        assert "Cancel it first" in answer.json()["error"]["message"]
        assert listed(api) == {run.uid}

    def test_a_child_run_that_goes_on_keeps_its_parent(self, done, experiment, bob):
        make.run(experiment, parent=done)
        with pytest.raises(Refused, match="Cancel it first"):
            keeping.delete_run(done, by=bob)

    def test_or_it_is_cancelled_first(self, api, run):
        assert api.post(f"/runs/{run.uid}/delete", {"cancel": True}).status_code == 200
        run.refresh_from_db()
        assert run.cancel_requested_by == "bob"
        assert listed(api) == set()

    def test_a_queued_one_then_never_starts(self, api, experiment, bob):
        submit = actions.Submission(target="local", snapshot="", script="train.py")
        queued = actions.create_run(experiment, actions.NewRun(submit=submit), by=bob)
        api.post(f"/runs/{queued.uid}/delete", {"cancel": True})
        from studio.compute.models import Worker

        local = ensure_local_target()
        worker = Worker.objects.create(node="a", host="a", pid=1, target=local, n_slots=1)
        assert claim_next(worker) is None

    def test_the_trash_tells_who_when_and_how_many_bytes(self, api, done, experiment):
        raw = "application/octet-stream"
        child = make.run(experiment, parent=done)
        api.send("PUT", f"/runs/{child.uid}/artifacts/outputs/a.bin", b"x" * 100, raw)
        api.send("PUT", f"/runs/{done.uid}/artifacts/outputs/b.bin", b"x" * 11, raw)
        api.post(f"/runs/{child.uid}/complete")
        api.post(f"/runs/{done.uid}/delete")
        found = api.get("/trash").json()
        (item,) = found["items"]
        assert (item["uid"], item["deleted_by"]) == (done.uid, "bob")
        assert (item["n_runs"], item["n_bytes"]) == (found["n_runs"], found["n_bytes"]) == (2, 111)
        assert item["purged_at"] > item["deleted_at"]

    def test_the_trash_has_pages(self, api, experiment):
        made = [make.run(experiment).uid for _ in range(5)]
        for uid in made:
            api.post(f"/runs/{uid}/delete", {"cancel": True})
        found, cursor = [], ""
        while cursor is not None:
            page = api.get("/trash", limit=2, cursor=cursor).json()
            found += [item["uid"] for item in page["items"]]
            cursor = page["next"]
        assert found == made[::-1]

    def test_what_went_together_comes_back_together(self, api, done, experiment, bob):
        early, late = (make.run(experiment, parent=done) for _ in range(2))
        keeping.delete_run(early, by=bob, cancel=True)
        keeping.delete_run(done, by=bob, cancel=True)
        assert api.post(f"/runs/{late.uid}/restore").status_code == 409
        assert (
            "Restore that one" in api.post(f"/runs/{early.uid}/restore").json()["error"]["message"]
        )
        assert api.post(f"/runs/{done.uid}/restore").status_code == 200
        assert listed(api, children=1) == {done.uid, late.uid}
        assert api.post(f"/runs/{early.uid}/restore").status_code == 200
        events = RunEvent.objects.filter(run=late, kind="deleted").order_by("pk")
        assert [(e.before, e.after) for e in events] == [(False, True), (True, False)]

    def test_a_program_that_still_writes_gets_404(self, api, run):
        api.post(f"/runs/{run.uid}/delete", {"cancel": True})
        raw = "application/octet-stream"
        answers = [
            api.post(f"/runs/{run.uid}/batches", batch(0.5)),
            api.post(f"/runs/{run.uid}/heartbeat"),
            api.post(f"/runs/{run.uid}/tags", {"set": {"a": "b"}}),
            api.post(f"/runs/{run.uid}/complete"),
            api.post(f"/runs/{run.uid}/children", {"children": [{"uid": "late"}]}),
            api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", b"late", raw),
            api.send("PUT", f"/runs/{run.uid}/artifacts/outputs/late.bin", b"late", raw),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert not run.metrics.exists()
        assert not run.artifacts.exists()

    def test_its_uid_is_not_given_to_another_run(self, api, run):
        api.post(f"/runs/{run.uid}/delete", {"cancel": True})
        again = {"uid": run.uid, "experiment": "vision"}
        assert api.post("/runs", again).status_code == 409

    def test_a_run_token_deletes_nothing(self, run, people, bob):
        from studio.accounts.permissions import Actor, NotAllowed

        own = Actor(name="bob", user=people.bob, run_uid=run.uid)
        with pytest.raises(NotAllowed):
            keeping.delete_run(run, by=own, cancel=True)
        with pytest.raises(NotAllowed):
            keeping.archive_run(run, by=own)


class TestExperiments:
    def test_archived_and_back_with_its_history(self, api, experiment):
        assert api.post("/experiments/vision/archive").json()["archived_at"]
        assert api.post("/experiments/vision/archive").status_code == 200
        assert api.get("/experiments").json()["items"] == []
        assert api.post("/experiments/vision/reactivate").json()["archived_at"] is None
        events = api.get("/experiments/vision/events").json()["items"]
        assert [(e["kind"], e["before"], e["after"]) for e in events] == [
            ("archived", False, True),
            ("archived", True, False),
        ]
        assert {e["actor"] for e in events} == {"bob"}

    def test_a_run_written_to_an_archived_one_brings_it_back(self, api, experiment):
        api.post("/experiments/vision/archive")
        assert api.post("/experiments", {"name": "vision"}).json()["archived_at"]  # looking
        api.post("/runs", {"uid": "new", "experiment": "vision"})
        assert api.get("/experiments/vision").json()["archived_at"] is None
        assert len(api.get("/experiments/vision/events").json()["items"]) == 2

    def test_a_new_name_keeps_the_runs(self, api, run):
        assert api.patch("/experiments/vision", {"name": "sight"}).json()["name"] == "sight"
        assert api.get(f"/runs/{run.uid}").json()["experiment"] == "sight"
        assert api.get("/experiments/vision").status_code == 404
        (event,) = api.get("/experiments/sight/events").json()["items"]
        assert (event["before"], event["after"]) == ("vision", "sight")

    def test_a_name_that_is_taken_is_refused_in_words(self, api, workspace, experiment):
        other = make.experiment(workspace, "other")
        api.post("/experiments/other/archive")
        answer = api.patch("/experiments/vision", {"name": "other", "description": "x"})
        assert answer.status_code == 409
        assert "It is archived." in answer.json()["error"]["message"]
        experiment.refresh_from_db()
        assert (experiment.name, experiment.description) == ("vision", "")
        assert Experiment.objects.filter(pk=other.pk, name="other").exists()

    @pytest.mark.parametrize("name", ["", "a b", "-a", "x" * 255 + "y"])
    def test_a_name_there_can_not_be_is_refused(self, name, api, experiment):
        answer = api.patch("/experiments/vision", {"name": name})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "name")

    def test_a_description_is_kept(self, api, experiment):
        api.patch("/experiments/vision", {"description": "# Cats"})
        assert api.get("/experiments/vision").json()["description"] == "# Cats"
        assert api.get("/experiments/vision/events").json()["items"][0]["after"] == "# Cats"


def test_the_two_counts_of_a_parent_leave_the_trash_out(api, run, experiment):
    child = make.run(experiment, parent=run)
    api.post(f"/runs/{child.uid}/delete", {"cancel": True})
    assert api.get(f"/runs/{run.uid}").json()["n_children"] == 0
    assert Run.objects.filter(pk=child.pk).exists()
