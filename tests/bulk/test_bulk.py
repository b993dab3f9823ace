"""Bulk changes through the API: who may, what they do, what they say before and after."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.runs.models import Run, RunEvent, Star
from studio.work.models import Work
from studio.work.running import ring_forgotten, run_work
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db]


def bulk(api: Any, action: str, selection: dict[str, Any], **arguments: Any) -> Any:
    return api.post("/bulk", {"action": action, "selection": selection, "arguments": arguments})


def told(api: Any, selection: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = api.post("/bulk", {"selection": selection, "dry_run": True, **more})
    assert answer.status_code == 200, answer.content
    return answer.json()


def done(api: Any, answer: Any) -> dict[str, Any]:
    """The report of the work that was started, after a worker did it."""
    assert answer.status_code == 201, answer.content
    run_work(Work.objects.get(uid=answer.json()["id"]).pk)
    return api.get("/work" + f"/{answer.json()['id']}").json()


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Three running runs, then two completed ones."""
    from studio.runs.actions import complete_run

    made = [make.run(experiment, tags={"n": str(i)}) for i in range(5)]
    for run in made[3:]:
        complete_run(run, by=make.actor(make.contributor_of(run.workspace)))
    return made


def uids(runs: list[Any]) -> dict[str, Any]:
    return {"uids": [run.uid for run in runs]}


class TestWhoMay:
    @pytest.mark.parametrize(
        ("action", "arguments"),
        [
            ("cancel", {}),
            ("tags", {"set": {"a": "b"}}),
            ("move", {"experiment": "other"}),
            ("archive", {}),
            ("delete", {}),
            ("restore", {}),
            ("purge", {}),
        ],
    )
    def test_a_reader_changes_nothing(self, action, arguments, people, workspace, runs):
        carol = make.Api(people.carol, workspace)
        answer = bulk(carol, action, {"query": ""}, **arguments)
        assert answer.status_code == 403
        assert not Work.objects.exists()

    def test_a_reader_stars_many(self, people, workspace, runs):
        carol = make.Api(people.carol, workspace)
        report = done(carol, bulk(carol, "star", {"query": ""}))
        assert report["n_done"] == 5
        assert Star.objects.filter(user=people.carol).count() == 5

    def test_only_an_owner_purges(self, api, people, workspace, runs):
        assert bulk(api, "purge", {"query": ""}).status_code == 403
        assert bulk(make.Api(people.alice, workspace), "purge", {"query": ""}).status_code == 201

    def test_an_outsider_learns_nothing(self, people, workspace, api, runs):
        work = bulk(api, "archive", {"query": ""}).json()["id"]
        dave = make.Api(people.dave, workspace, secret=make.token(people.dave))
        assert bulk(dave, "archive", {"query": ""}).status_code == 404
        assert dave.get("/work" + f"/{work}").status_code == 404

    def test_a_token_that_only_reads_may_ask_what_would_happen(self, people, workspace, runs):
        reading = make.Api(people.bob, workspace, scope="read")
        assert told(reading, {"query": ""})["n_selected"] == 5
        assert bulk(reading, "star", {"query": ""}).status_code == 403

    def test_a_right_lost_meanwhile_ends_the_work(self, api, people, workspace, runs):
        from studio.accounts.actions import set_member
        from studio.accounts.models import Role

        answer = bulk(api, "archive", {"query": ""})
        set_member(workspace, people.bob, Role.READER, by=make.actor(people.alice))
        report = done(make.Api(people.alice, workspace), answer)
        assert report["state"] == "Failed"
        assert "does not allow" in report["result"]["error"]
        assert not Run.objects.filter(archived_at__isnull=False).exists()

    def test_the_work_of_somebody_who_was_removed_does_nothing(self, api, people, workspace, runs):
        answer = bulk(api, "archive", {"query": ""})
        alice = make.Api(people.alice, workspace)
        people.bob.delete()
        assert done(alice, answer)["state"] == "Failed"
        assert not Run.objects.filter(archived_at__isnull=False).exists()

    def test_work_of_others_is_cancelled_by_owners_only(self, api, people, workspace, runs):
        work = "/work" + f"/{bulk(api, 'archive', {'query': ''}).json()['id']}/cancel"
        assert make.Api(people.carol, workspace).post(work).status_code == 403
        assert make.Api(people.alice, workspace).post(work).json()["state"] == "Canceled"

    def test_runs_of_another_workspace_are_out_of_reach(self, api, people, runs):
        other = make.workspace("other", owner=people.dave, contributor=people.alice)
        theirs = make.run(make.experiment(other))
        report = done(api, bulk(api, "archive", uids([theirs, runs[0]])))
        assert (report["n_done"], report["skipped"]) == (1, {"There is no such run": 1})


class TestBefore:
    def test_it_tells_for_each_action_how_many_and_why_not_the_others(self, api, runs):
        found = told(api, {"query": ""})
        assert found["n_selected"] == 5
        assert set(found["actions"]) == {
            *("cancel", "tags", "star", "move", "archive", "unarchive", "delete")
        }
        cancel, delete = found["actions"]["cancel"], found["actions"]["delete"]
        assert cancel["n_applies"] == 3
        assert cancel["skipped"] == [{"reason": "It is Completed already", "n": 2}]
        assert delete["n_applies"] == 2
        assert found["actions"]["unarchive"]["n_applies"] == 0

    def test_it_says_what_the_work_then_does(self, api, runs):
        chosen = {"query": "tag.n:1|2|4"}
        arguments = {"set": {"n": "1", "new": None}}
        before = told(api, chosen, action="tags", arguments=arguments)["actions"]["tags"]
        report = done(api, bulk(api, "tags", chosen, **arguments))
        assert report["n_done"] == before["n_applies"] == 3
        again = told(api, uids(runs[1:3]), action="tags", arguments=arguments)["actions"]["tags"]
        assert again["skipped"] == [{"reason": "It has these tags already", "n": 2}]

    def test_it_changes_nothing(self, api, runs):
        from tests.rows import all_rows, changed_tables

        before = all_rows()
        told(api, {"query": ""})
        assert not changed_tables(before)

    @pytest.mark.any_database
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"selection": {"query": ""}, "action": "explode"}, "action"),
            ({"selection": {"query": "status:("}, "action": "archive"}, "q"),
            ({"selection": {"uids": []}, "action": "archive"}, "selection.uids"),
            ({"selection": {"query": "a", "uids": ["b"]}, "action": "archive"}, "selection"),
            ({"selection": {"at": "soon"}, "action": "archive"}, "selection.at"),
            ({"selection": {}, "action": "tags"}, "arguments"),
            ({"selection": {}, "action": "tags", "arguments": {"set": 1}}, "arguments.set"),
            ({"selection": {}, "action": "move", "arguments": {}}, "arguments.experiment"),
            ({"selection": {}, "action": "cancel", "arguments": {"x": 1}}, "arguments.x"),
            ({"action": "archive"}, "selection"),
        ],
    )
    def test_a_wrong_request_names_the_field(self, body, field, api, runs):
        answer = api.post("/bulk", body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
        assert not Work.objects.exists()


class TestEachAction:
    def test_cancel(self, api, runs):
        report = done(api, bulk(api, "cancel", {"query": ""}, reason="wrong data"))
        assert (report["n_done"], report["n_skipped"]) == (3, 2)
        assert Run.objects.filter(cancel_reason="wrong data").count() == 3

    def test_move_takes_child_runs_along_and_numbers_them(self, api, runs, experiment):
        child = make.run(experiment, parent=runs[0])
        other = make.experiment(experiment.workspace, "other")
        make.run(other)
        report = done(api, bulk(api, "move", uids([runs[0], child]), experiment="other"))
        assert report["skipped"] == {"A child run stays with its parent run": 1}
        moved = Run.objects.filter(experiment=other).order_by("number")
        assert [run.number for run in moved] == [1, 2, 3]
        assert child.pk in [run.pk for run in moved]
        event = RunEvent.objects.get(run=child, kind="experiment")
        assert (event.before, event.after) == ("vision", "other")

    def test_delete_restore_and_purge(self, api, people, workspace, runs):
        report = done(api, bulk(api, "delete", {"query": ""}))
        assert (report["n_done"], report["n_skipped"]) == (2, 3)
        assert done(api, bulk(api, "delete", {"query": ""}, cancel=True))["n_done"] == 3
        assert api.get("/trash").json()["n_runs"] == 5
        assert done(api, bulk(api, "restore", uids(runs[3:4])))["n_done"] == 1
        alice = make.Api(people.alice, workspace)
        report = done(alice, bulk(alice, "purge", {"query": ""}))
        assert (report["n_done"], report["result"]) == (1, {"n_runs": 1, "n_bytes": 0})
        assert len(report["skipped"]) == 1  # three are still ending

    def test_runs_made_after_the_selection_are_left_alone(self, api, runs, experiment):
        at = timezone.now().isoformat()
        make.run(experiment)
        assert done(api, bulk(api, "archive", {"query": "", "at": at}))["n_total"] == 5

    def test_what_matches_no_more_is_told(self, api, runs):
        answer = bulk(api, "archive", {"query": "status:completed"})
        work = Work.objects.get()
        Work.objects.filter(pk=work.pk).update(n_total=4)  # counted when two more matched
        report = done(api, answer)
        assert (report["n_done"], report["n_skipped"], report["n_left"]) == (2, 2, 0)

    def test_a_query_sees_child_runs_only_when_asked(self, api, runs, experiment):
        make.run(experiment, parent=runs[0])
        assert told(api, {"query": ""})["n_selected"] == 5
        assert told(api, {"query": "", "children": True})["n_selected"] == 6


class TestUndo:
    def undo(self, api: Any, work: dict[str, Any]) -> Any:
        return api.post("/work" + f"/{work['id']}/undo")

    def test_tags_come_back_as_they_were(self, api, runs):
        work = done(api, bulk(api, "tags", {"query": ""}, set={"n": None, "new": "x"}))
        assert work["can_undo"]
        report = done(api, self.undo(api, work))
        assert report["n_done"] == 5
        for i, run in enumerate(runs):
            assert dict(run.tags.values_list("key", "value")) == {"n": str(i)}
            assert str(i) in run.text.body

    def test_removed_tags_come_back(self, api, runs):
        work = done(api, bulk(api, "tags", {"query": ""}, remove=["n"]))
        assert done(api, self.undo(api, work))["n_done"] == 5
        assert set(runs[2].tags.values_list("key", "value")) == {("n", "2")}

    def test_what_was_changed_since_is_refused_and_the_rest_done(self, api, runs):
        work = done(api, bulk(api, "tags", {"query": ""}, set={"n": "0"}))
        api.post(f"/runs/{runs[1].uid}/tags", {"set": {"n": "mine"}})
        api.post(f"/runs/{runs[2].uid}/tags", {"set": {"another": "one"}})
        report = done(api, self.undo(api, work))
        assert (report["n_done"], report["skipped"]) == (3, {"“n” was changed since": 1})
        assert report["problems"] == [{"uid": runs[1].uid, "message": "“n” was changed since"}]
        assert dict(runs[2].tags.values_list("key", "value")) == {"n": "2", "another": "one"}

    def test_an_undo_can_be_undone_but_nothing_twice(self, api, runs):
        work = done(api, bulk(api, "tags", {"query": ""}, set={"n": "x"}))
        first = done(api, self.undo(api, work))
        assert self.undo(api, work).status_code == 409
        assert done(api, self.undo(api, first))["n_done"] == 5
        assert set(Run.objects.values_list("tags__value", flat=True)) == {"x"}

    def test_other_work_can_not_be_undone(self, api, runs):
        work = done(api, bulk(api, "archive", {"query": ""}))
        assert not work["can_undo"]
        assert self.undo(api, work).status_code == 409

    def test_work_under_way_can_not_be_undone(self, api, runs):
        answer = bulk(api, "tags", {"query": ""}, set={"n": "x"})
        assert self.undo(api, answer.json()).status_code == 409


class TestWork:
    def test_it_is_listed_newest_first_in_pages(self, api, runs):
        made = [bulk(api, "archive", {"query": ""}).json()["id"] for _ in range(3)]
        first = api.get("/work", limit=2).json()
        second = api.get("/work", limit=2, cursor=first["next"]).json()
        assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]

    def test_a_lost_ring_is_rung_again(self, api, runs):
        bulk(api, "archive", {"query": ""})
        assert ring_forgotten() == 0
        Work.objects.update(beat_at=timezone.now() - timedelta(seconds=10))
        assert ring_forgotten() == 1

    def test_work_that_never_ends_is_given_up(self, api, runs):
        answer = bulk(api, "archive", {"query": ""})
        Work.objects.update(n_attempts=5)
        report = done(api, answer)
        assert (report["state"], report["n_done"]) == ("Failed", 0)

    def test_answers_have_the_documented_shape(self, api, runs):
        from studio.api.bulk import DryRun, WorkItem, WorkPage
        from studio.api.keeping import TrashPage

        report = done(api, bulk(api, "delete", {"query": ""}))
        WorkItem.model_validate(report, strict=True)
        WorkPage.model_validate(api.get("/work").json(), strict=True)
        DryRun.model_validate(told(api, {"query": ""}), strict=True)
        TrashPage.model_validate(api.get("/trash").json(), strict=True)
