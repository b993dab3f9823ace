"""Background work on the pages: the tray, its progress, cancel, undo, and the list."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from studio.bulk.acting import start_bulk
from studio.bulk.selection import Selection
from studio.metrics.seeding import Seeder
from studio.runs.models import Run, RunEvent, Tag
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.web.pages import HTMX, read

N_RUNS = 3_000  # ten thousand of them, below the page: tests/bulk/test_large.py
BULK = "/w/lab/bulk/tags"


def tag_all(workspace: Any, by: Any, **tags: str | None) -> Work:
    arguments = {"set": tags or {"seen": None}}
    return start_bulk(workspace, "tags", Selection(query=""), arguments, by=make.actor(by))


def done(work: Work) -> Work:
    run_work(work.pk)
    work.refresh_from_db()
    return work


def page_of(work: Work, what: str = "") -> str:
    return reverse("work-detail", args=["lab", work.uid]) + what


def tray_url(client: Client) -> str:
    return read(client.get("/w/lab/compute")).one("div", id="work-tray")["hx-get"]


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    return [make.run(experiment, tags={"n": str(i)}) for i in range(3)]


class TestTheTray:
    def test_it_asks_on_only_while_something_is_open(self, bob_client, people, workspace, runs):
        still = read(bob_client.get("/w/lab/compute")).one("div", id="work-tray")
        assert "hx-trigger" not in still
        work = tag_all(workspace, people.bob)
        url = tray_url(bob_client)
        done(work)
        answer = bob_client.get(url, headers=HTMX)
        assert "hx-trigger" not in read(answer).one("div", id="work-tray")

    def test_an_end_is_told_once_with_undo_and_the_lists_reload(
        self, bob_client, people, workspace, runs
    ):
        work = tag_all(workspace, people.bob)
        url = tray_url(bob_client)
        done(work)
        answer = bob_client.get(url, headers=HTMX)
        page = read(answer)
        assert "Tags changed on 3 runs" in page.text
        assert page.one("form", method="post")["action"] == page_of(work, "/undo")
        assert "studio:runs-changed" in answer["HX-Trigger"]

    def test_who_went_to_another_page_is_told_there(self, bob_client, people, workspace, runs):
        work = done(tag_all(workspace, people.bob))
        assert "Tags changed on 3 runs" in read(bob_client.get("/w/lab/experiments")).text
        Work.objects.filter(pk=work.pk).update(ended_at=timezone.now() - timedelta(minutes=1))
        assert "Tags changed" not in read(bob_client.get("/w/lab/experiments")).text

    def test_others_are_not_told(self, alice_client, people, workspace, runs):
        tag_all(workspace, people.bob)
        done(tag_all(workspace, people.bob, other="x"))
        text = read(alice_client.get("/w/lab/compute")).text
        assert "Changing tags" not in text
        assert "Tags changed" not in text

    def test_what_was_undone_is_not_offered_again(self, bob_client, people, workspace, runs):
        work = done(tag_all(workspace, people.bob))
        bob_client.post(page_of(work, "/undo"))
        done(Work.objects.get(kind="undo"))
        page = read(bob_client.get("/w/lab/compute"))
        undos = [
            own["action"] for tag, own in page.elements if own.get("action", "").endswith("/undo")
        ]
        assert page_of(work, "/undo") not in undos
        assert "Tags put back on 3 runs" in page.text

    def test_it_costs_one_query(self, bob_client, people, workspace, runs):
        def cost() -> int:
            with CaptureQueriesContext(connection) as seen:
                bob_client.get("/w/lab/compute")
            return len(seen)

        before = cost()
        for i in range(8):
            work = tag_all(workspace, people.bob, **{f"t{i}": "x"})
            if i % 2:
                done(work)
        assert cost() == before


class TestOneWork:
    def test_its_page_asks_until_it_is_over(self, carol_client, people, workspace, runs):
        work = tag_all(workspace, people.bob)
        section = read(carol_client.get(page_of(work))).one("section", id="work-progress")
        assert section["hx-get"] == page_of(work, "/progress")
        done(work)
        part = read(carol_client.get(page_of(work, "/progress"), headers=HTMX))
        assert "hx-get" not in part.one("section", id="work-progress")
        assert "Tags changed on 3 runs" in part.text

    def test_it_names_the_runs_that_were_left_out(self, bob_client, people, workspace, runs):
        work = done(tag_all(workspace, people.bob, n="0"))
        page = read(bob_client.get(page_of(work)))
        assert "Tags changed on 2 runs, 1 left out" in page.text
        assert "It has these tags already" in page.text
        assert page.href(href=f"/w/lab/runs/{runs[0].uid}")

    def test_who_started_it_may_cancel_and_owners_may(
        self, bob_client, alice_client, carol_client, people, workspace, runs
    ):
        works = [tag_all(workspace, people.bob) for _ in range(2)]
        stop = page_of(works[0], "/cancel")
        assert stop not in carol_client.get(page_of(works[0])).content.decode()
        assert carol_client.post(stop).status_code == 403
        assert stop in bob_client.get(page_of(works[0])).content.decode()
        assert bob_client.post(stop).status_code == 303
        assert alice_client.post(page_of(works[1], "/cancel")).status_code == 303
        assert set(Work.objects.values_list("state", flat=True)) == {State.CANCELED}
        assert "Stopped" in read(bob_client.get(page_of(works[0]))).text

    def test_undo_puts_tags_back_and_is_refused_twice(self, bob_client, people, workspace, runs):
        work = done(tag_all(workspace, people.bob, n="x"))
        answer = bob_client.post(page_of(work, "/undo"))
        assert answer.status_code == 303
        undo = done(Work.objects.get(kind="undo"))
        assert answer["Location"] == page_of(undo)
        assert sorted(Tag.objects.values_list("value", flat=True)) == ["0", "1", "2"]
        again = bob_client.post(page_of(work, "/undo"))
        assert again.status_code == 409
        assert "It was undone already" in read(again).text
        toast = bob_client.post(page_of(work, "/undo"), headers=HTMX)
        assert (toast.status_code, "undone already" in toast["HX-Trigger"]) == (204, True)

    def test_a_failure_says_why(self, bob_client, people, workspace, runs):
        work = tag_all(workspace, people.bob)
        Work.objects.filter(pk=work.pk).update(n_attempts=5)
        done(work)
        assert "failed: Given up after 5 tries" in read(bob_client.get(page_of(work))).text


class TestTheList:
    def test_my_own_or_everybodys_in_pages(self, bob_client, carol_client, people, workspace):
        works = [
            Work(workspace=workspace, kind="bulk", actor=who.username, actor_user=who,
                 arguments={"action": "archive", "arguments": {}}, n_done=i, state=State.DONE)
            for i in range(1, 61) for who in (people.alice, people.bob)
        ]  # fmt: skip
        Work.objects.bulk_create(works)
        first = read(bob_client.get("/w/lab/work"))
        assert "60 runs archived" in first.text
        assert "10 runs archived" not in first.text
        links = [own["href"] for tag, own in first.elements if "after=" in own.get("href", "")]
        second = read(bob_client.get(links[0]))
        assert "10 runs archived" in second.text
        assert "60 runs archived" not in second.text
        assert "No background work of yours" in read(carol_client.get("/w/lab/work")).text
        assert "60 runs archived" in read(carol_client.get("/w/lab/work?all=1")).text

    def test_a_made_up_place_is_the_first_page(self, bob_client, people, workspace, runs):
        tag_all(workspace, people.bob)
        assert "Changing tags" in read(bob_client.get("/w/lab/work?after=nowhere")).text


@pytest.mark.data
@pytest.mark.django_db(transaction=True)
def test_thousands_of_runs_are_tagged_from_the_page_cancelled_half_way_and_put_back(
    people: Any, workspace: Any
) -> None:
    Seeder(workspace, people.alice).write(N_RUNS)
    bob = make.client(people.bob)
    before, flat = Tag.objects.count(), "?children=flat"
    dialog = read(bob.post(BULK, {"all": "1", "list": flat}, headers=HTMX))
    assert f"Change tags of {N_RUNS:,} runs" in dialog.text
    at = dialog.one("input", name="at")["value"]

    form = {"all": "1", "list": flat, "at": at, "add": "seen: from the page"}
    assert bob.post(BULK + "/start", form, headers=HTMX).status_code == 200
    work = Work.objects.get()
    while work.n_done < N_RUNS // 2:
        run_work(work.pk, slice_s=0.01)
        work.refresh_from_db()
    assert f"of {N_RUNS:,}" in read(bob.get(tray_url(bob), headers=HTMX)).text
    bob.post(page_of(work, "/cancel"))
    done(work)

    assert work.state == State.CANCELED
    assert 0 < work.n_left < N_RUNS
    assert work.n_done + work.n_skipped + work.n_failed + work.n_left == N_RUNS
    assert Tag.objects.filter(key="seen").count() == work.n_done
    text = read(bob.get(page_of(work))).text
    assert (
        f"Stopped. Tags changed on {work.n_done:,} runs, {work.n_left:,} left as they were" in text
    )

    bob.post(page_of(work, "/undo"))
    undo = Work.objects.get(kind="undo")
    while undo.is_open:
        done(undo)
    assert (undo.n_done, undo.n_left) == (work.n_done, 0)
    assert not Tag.objects.filter(key="seen").exists()
    assert Tag.objects.count() == before
    assert RunEvent.objects.filter(work=undo.uid).count() == work.n_done
    assert Run.objects.count() == N_RUNS
