"""The trash: who sees what, the way back, and the way out."""

import json
from typing import Any

import pytest
from django.urls import reverse

from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.models import Run
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.web.pages import HTMX, Read, read

TRASH, BULK = "/w/lab/trash", "/w/lab/bulk/{}"
HOSTILE = '"><script>alert(1)</script>{n}'


def deleted(experiment: Any, **facts: Any) -> Any:
    run = make.run(experiment, **facts)
    by = make.actor(run.submitter)
    actions.complete_run(run, by=by)
    return keeping.delete_run(run, by=by)


def names(page: Read) -> list[str]:
    return [one.removeprefix("trash-row-") for one in page.ids("trash-row-")]


def done(answer: Any) -> Work:
    assert answer.status_code == 303, answer.content.decode()[:1000]
    work = Work.objects.get(uid=answer["Location"].rsplit("/", 1)[1])
    run_work(work.pk)
    work.refresh_from_db()
    return work


@pytest.fixture
def family(experiment: Any, people: Any) -> Any:
    """A deleted run with 5,000 bytes of files, and a child run that went along with 3,000."""
    run = make.run(experiment, display_name="parent")
    child = make.run(experiment, parent=run)
    api = make.Api(people.bob, experiment.workspace)
    for one, n in ((run, 5_000), (child, 3_000)):
        path = f"/runs/{one.uid}/artifacts/outputs/a.bin"
        assert api.send("PUT", path, b"x" * n, "application/octet-stream").status_code == 201
    by = make.actor(people.bob)
    for one in (child, run):
        actions.complete_run(one, by=by)
    return keeping.delete_run(run, by=by)


class TestTheList:
    def test_it_tells_who_when_and_how_much(self, carol_client, family):
        page = read(carol_client.get(TRASH))
        assert names(page) == [family.uid]
        for words in ("parent", "bob", "8.0 kB", "2 runs, 8.0 kB", "child runs", "in 30 d"):
            assert words in page.text, words

    def test_an_empty_trash_teaches(self, carol_client):
        assert "The trash is empty" in read(carol_client.get(TRASH)).text

    def test_it_is_searched_by_name(self, bob_client, experiment, family):
        other = deleted(experiment, display_name="100 % other")
        assert names(read(bob_client.get(TRASH, {"q": "% OTHER"}))) == [other.uid]
        assert "No deleted run is called like that" in read(bob_client.get(TRASH, {"q": "x"})).text
        assert bob_client.get(TRASH, {"q": "\x00"}).status_code == 422

    def test_pages_show_every_run_once(self, bob_client, experiment):
        made = [deleted(experiment).uid for _ in range(53)]
        first = read(bob_client.get(TRASH))
        (more,) = [own["href"] for _, own in first.elements if "after=" in own.get("href", "")]
        Run.objects.filter(uid=names(first)[-1]).update(deleted_at=None, deleted_with=None)
        second = read(bob_client.get(more))
        assert names(first) + names(second) == made[::-1]
        for place in ("x", "1-x", "9e99-1", "nan-1", "inf-2", f"1-{'9' * 30}"):
            assert bob_client.get(TRASH, {"after": place}).status_code == 200

    def test_hostile_names_are_shown_literally(self, bob_client, experiment):
        deleted(experiment, display_name=HOSTILE)
        page = bob_client.get(TRASH)
        assert HOSTILE in read(page).text
        assert "<script>alert" not in page.content.decode()

    def test_a_reader_is_offered_nothing(self, carol_client, bob_client, family):
        page = read(carol_client.get(TRASH))
        assert not page.ids("trash-restore")
        assert not [own for tag, own in page.elements if "data-tick" in own]
        assert read(bob_client.get(TRASH)).ids("trash-restore-")

    def test_only_an_owner_is_offered_a_purge(self, alice_client, bob_client, family):
        assert BULK.format("purge") not in bob_client.get(TRASH).content.decode()
        assert BULK.format("purge") in alice_client.get(TRASH).content.decode()
        assert bob_client.post(BULK.format("purge"), {"trash": "1", "all": "1"}).status_code == 403


class TestTheWayBack:
    def test_one_run_is_restored_at_once(self, bob_client, family):
        answer = bob_client.post(f"{TRASH}/{family.uid}/restore", headers=HTMX)
        assert "“parent” is restored" in read(answer).text
        assert json.loads(answer["HX-Trigger"]) == {"studio:runs-changed": {}}
        assert not Run.objects.in_trash().exists()

    def test_without_javascript_it_goes_back_to_the_trash(self, bob_client, family):
        answer = bob_client.post(f"{TRASH}/{family.uid}/restore", follow=True)
        assert answer.redirect_chain == [(TRASH, 303)]
        assert "“parent” is restored" in read(answer).text

    def test_a_child_run_of_a_deleted_run_is_refused_with_the_reason(self, bob_client, family):
        child = Run.objects.get(parent=family)
        answer = bob_client.post(f"{TRASH}/{child.uid}/restore", follow=True)
        assert "Restore that one" in read(answer).text
        assert Run.objects.in_trash().count() == 2

    def test_a_run_that_is_not_deleted_is_not_found(self, bob_client, run):
        assert bob_client.post(f"{TRASH}/{run.uid}/restore").status_code == 404

    def test_ticked_ones_and_all_that_match(self, bob_client, experiment, family):
        others = [deleted(experiment, display_name=f"other {i}") for i in range(3)]
        form = {"trash": "1", "run": [others[0].uid, family.uid]}
        assert "Restore 2 runs" in read(bob_client.post(BULK.format("restore"), form)).text
        assert done(bob_client.post(BULK.format("restore") + "/start", form)).n_done == 2
        form = {"trash": "1", "all": "1", "name": "other"}
        assert "Restore 2 runs" in read(bob_client.post(BULK.format("restore"), form)).text
        assert done(bob_client.post(BULK.format("restore") + "/start", form)).n_done == 2
        assert not Run.objects.in_trash().exists()


class TestTheWayOut:
    def test_it_names_runs_and_bytes_and_then_frees_them(self, alice_client, family, experiment):
        form = {"trash": "1", "all": "1", "back": TRASH}
        text = read(alice_client.post(BULK.format("purge"), form)).text
        assert "Purge 1 run for good" in text
        assert "removes 2 runs, child runs included, and frees 8.0 kB" in text
        work = done(
            alice_client.post(BULK.format("purge") + "/start", {**form, "confirm": "purge"})
        )
        text = read(alice_client.get(reverse("work-detail", args=["lab", work.uid]))).text
        assert "1 run purged, 8.0 kB freed" in text
        assert "2 runs, child runs included" in text
        assert not Run.objects.in_trash().exists()

    def test_it_needs_the_word(self, alice_client, family):
        form = {"trash": "1", "run": family.uid}
        answer = alice_client.post(BULK.format("purge") + "/start", {**form, "confirm": "purg"})
        page = read(answer)
        assert answer.status_code == 422
        assert page.one("input", name="confirm")["value"] == "purg"
        assert "Type “purge” to confirm" in page.text
        assert not Work.objects.exists()

    def test_what_is_still_ending_is_left_out_of_the_bytes(self, alice_client, people, experiment):
        run = make.run(experiment)
        keeping.delete_run(run, by=make.actor(people.bob), cancel=True)
        run.refresh_from_db()
        assert not run.is_terminal
        text = read(alice_client.post(BULK.format("purge"), {"trash": "1", "all": "1"})).text
        assert "is still ending" in text
        assert "Type “purge”" not in text
