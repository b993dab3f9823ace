"""The selection bar, the dialog it opens, and the start of a bulk change."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from studio.runs import actions
from studio.runs.models import Run, Star, Tag
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, Read, read

SHOW, LIST = "/w/lab/bulk/{}", "/w/lab/runs"
HOSTILE = '"><script>alert(1)</script>{n}{{7*7}} & “x”'


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Three running runs, then two completed ones."""
    made = [make.run(experiment, tags={"n": str(i), "same": "x"}) for i in range(5)]
    for run in made[3:]:
        actions.complete_run(run, by=make.actor(make.contributor_of(run.workspace)))
    return made


def ticks(runs: list[Any]) -> dict[str, Any]:
    return {"run": [run.uid for run in runs], "back": LIST}


def show(client: Client, offer: str, form: dict[str, Any], **how: Any) -> Any:
    return client.post(SHOW.format(offer), form, **how)


def start(client: Client, offer: str, form: dict[str, Any], **how: Any) -> Any:
    return client.post(SHOW.format(offer) + "/start", form, **how)


def fields(page: Read) -> dict[str, Any]:
    """What the dialog's form would send as it was drawn, but for the token."""
    found: dict[str, list[str]] = {}
    for tag, own in page.elements:
        kind = own.get("type", "text")
        ticked = "checked" in own or kind not in ("radio", "checkbox")
        if tag == "input" and "name" in own and ticked and own["name"] != "csrfmiddlewaretoken":
            found.setdefault(own["name"], []).append(own.get("value", ""))
    return {name: found[name] for name in found if name != "q"}


def started(client: Client, offer: str, form: dict[str, Any], **typed: Any) -> Work:
    """Walk through the dialog: what it drew, and what was typed."""
    page = read(show(client, offer, form))
    answer = start(client, offer, fields(page) | typed)
    assert answer.status_code == 303, answer.content.decode()[:2000]
    work = Work.objects.get(uid=answer["Location"].rsplit("/", 1)[1])
    run_work(work.pk)
    work.refresh_from_db()
    return work


class TestTheBar:
    def test_a_row_belongs_to_the_form_of_the_bar(self, bob_client, runs):
        page = read(bob_client.get(LIST))
        boxes = [own for tag, own in page.elements if tag == "input" and "data-tick" in own]
        assert {box["form"] for box in boxes} == {page.one("form", id="runs-bulk")["id"]}
        assert {box["value"] for box in boxes} == {run.uid for run in runs}

    def test_ticks_of_the_address_are_ticked_or_carried(self, bob_client, runs):
        elsewhere = "f" * 32
        page = read(bob_client.get(f"{LIST}?chosen={runs[0].uid},{elsewhere}"))
        boxes = [own for tag, own in page.elements if tag == "input" and "data-tick" in own]
        assert [box["value"] for box in boxes if "checked" in box] == [runs[0].uid]
        assert page.one("input", name="runs")["value"] == elsewhere

    @pytest.mark.parametrize(
        ("who", "offers"),
        [
            ("bob", {"cancel", "tags", "star", "unstar", "move", "archive", "unarchive", "delete"}),
            ("carol", {"star", "unstar"}),
        ],
    )
    def test_it_offers_what_the_role_allows(self, who, offers, people, runs):
        page = read(make.client(getattr(people, who)).get(LIST))
        found = {one.removeprefix("bulk-open-") for one in page.ids("bulk-open-")}
        assert found == offers


class TestTheDialog:
    @pytest.mark.parametrize("whole", [True, False])
    def test_it_counts_what_then_happens(self, whole, bob_client, runs):
        form = {"all": "1", "list": "", "back": LIST} if whole else ticks(runs)
        page = read(show(bob_client, "cancel", form))
        assert "Cancel 3 runs" in page.text
        assert "3 of 5 selected runs" in page.text
        assert "2 It is Completed already" in page.text
        work = started(bob_client, "cancel", form, reason="wrong data")
        assert (work.n_done, work.n_skipped) == (3, 2)
        assert Run.objects.filter(cancel_reason="wrong data").count() == 3

    def test_an_id_that_a_client_chose_is_as_good_as_ours(self, bob_client, experiment):
        run = make.run(experiment, uid="Trial_7-b")
        listed = read(bob_client.get(f"{LIST}?chosen={run.uid}&only=1"))
        assert listed.one("input", name="run", value=run.uid)

        work = started(bob_client, "cancel", ticks([run]))

        assert (work.n_done, work.n_skipped) == (1, 0)
        run.refresh_from_db()
        assert run.cancel_requested_at is not None

    def test_it_writes_nothing(self, bob_client, runs):
        before = all_rows()
        for offer in ("cancel", "tags", "star", "unstar", "move", "archive", "delete"):
            assert show(bob_client, offer, ticks(runs)).status_code == 200
        assert not changed_tables(before)

    def test_for_htmx_it_is_a_dialog_and_else_a_page(self, bob_client, runs):
        part = read(show(bob_client, "tags", ticks(runs), headers=HTMX))
        assert part.elements[0][0] == "dialog"
        page = read(show(bob_client, "tags", ticks(runs)))
        assert page.one("form", id="bulk-form")["action"] == SHOW.format("tags") + "/start"
        assert not [tag for tag, _ in page.elements if tag == "dialog"]

    def test_nothing_ticked_says_what_to_do(self, bob_client, runs):
        page = read(show(bob_client, "delete", {"back": LIST}))
        assert "No run is ticked" in page.text
        assert "Delete 0" not in page.text

    def test_what_applies_to_none_can_not_be_started(self, bob_client, runs):
        page = read(show(bob_client, "cancel", ticks(runs[3:])))
        assert "All 2 selected runs are left out" in page.text
        assert not [own for tag, own in page.elements if own.get("class", "").endswith("danger")]

    def test_a_wrong_query_is_told(self, bob_client, runs):
        form = {"all": "1", "list": "?q=status:(", "back": LIST}
        answer = show(bob_client, "archive", form, headers=HTMX)
        assert read(answer).one("div", role="alert")
        assert start(bob_client, "archive", form).status_code == 422
        assert not Work.objects.exists()

    def test_a_made_up_way_back_is_not_followed(self, bob_client, runs):
        for back in ("https://evil.example", "//evil.example", "javascript:alert(1)", "/w/other/"):
            answer = show(bob_client, "star", {"run": runs[0].uid, "back": back})
            assert f'href="{back}' not in answer.content.decode()

    @pytest.mark.parametrize("value", ["\x00", "\ud800", "x" * 300])
    def test_bad_values_are_no_error_page(self, value, bob_client, runs):
        text = value.encode("utf-8", "surrogatepass")
        for name in ("run", "runs", "list", "experiment", "type", "back", "at", "name"):
            for more in (b"&all=1", b"&trash=1&all=1", b""):
                body = name.encode() + b"=" + text + more
                kind = "application/x-www-form-urlencoded"
                answer = bob_client.post(SHOW.format("star"), body, content_type=kind)
                assert answer.status_code in (200, 422), (name, more)

    def test_a_change_that_there_is_not_is_404(self, bob_client, runs):
        assert show(bob_client, "explode", ticks(runs)).status_code == 404
        assert start(bob_client, "explode", ticks(runs)).status_code == 404


class TestAllThatMatch:
    def test_the_toggles_of_the_list_count(self, bob_client, people, experiment, runs):
        make.run(experiment, by=people.alice)
        make.run(experiment, parent=runs[0])
        other = make.experiment(experiment.workspace, "other")
        make.run(other, type="pipeline")
        only = f"?only=1&chosen={runs[0].uid},{runs[1].uid}"

        def n(**form: str) -> str:
            page = read(show(bob_client, "star", {"all": "1", **form}, headers=HTMX))
            return next(text for text in page.texts if text.startswith("Star "))

        assert n(list="") == "Star 7 runs"
        assert n(list="?mine=1") == "Star 6 runs"
        assert n(list="?children=flat") == "Star 8 runs"
        assert n(list="?children=tree") == "Star 7 runs"
        assert n(list="?q=status:Completed&off=is:starred") == "Star 2 runs"
        assert n(list="?mine=1&q=status:Running", type="pipeline") == "Star 1 run"
        assert n(list="?size=100", experiment="vision") == "Star 6 runs"
        assert n(list=only) == "Star 2 runs"

    def test_runs_made_after_the_dialog_opened_are_left_alone(self, bob_client, experiment, runs):
        form = {"all": "1", "list": "", "back": LIST}
        drawn = fields(read(show(bob_client, "archive", form)))
        late = make.run(experiment)
        answer = start(bob_client, "archive", drawn)
        run_work(Work.objects.get(uid=answer["Location"].rsplit("/", 1)[1]).pk)
        assert Run.objects.filter(archived_at__isnull=False).count() == 5
        late.refresh_from_db()
        assert late.archived_at is None

    def test_thousands_of_ticks_are_carried(self, bob_client, runs):
        uids = [f"{i:032x}" for i in range(3_000)] + [run.uid for run in runs]
        page = read(show(bob_client, "star", {"runs": ",".join(uids), "back": LIST}))
        assert "5 of 3,005 selected runs" in page.text
        assert started(bob_client, "star", {"runs": ",".join(uids)}).n_done == 5


class TestTags:
    def test_it_shows_which_are_on_all_and_which_on_some(self, bob_client, runs):
        actions.change_tags(runs[0], by=make.actor(runs[0].submitter), put={"good": None})
        text = read(show(bob_client, "tags", ticks(runs))).text
        assert "n on all" in text
        assert "same on all" in text
        assert "good on 1 of 5" in text

    def test_values_are_shown_where_they_are_one(self, bob_client, runs):
        page = read(show(bob_client, "tags", ticks(runs)))
        assert page.one("input", **{"aria-label": "Value of same"})["value"] == "x"
        n = page.one("input", **{"aria-label": "Value of n"})
        assert (n["value"], n["placeholder"]) == ("", "several values")

    def test_add_change_and_remove_at_once(self, bob_client, runs):
        typed = {"add": "quality: great", "value": ["", "y"], "do": ["remove", "keep"]}
        work = started(bob_client, "tags", ticks(runs[:3]), **typed)
        assert work.n_done == 3
        tags = dict(runs[0].tags.values_list("key", "value"))
        assert tags == {"quality": "great", "same": "y"}
        assert Tag.objects.filter(key="n").count() == 2

    def test_a_kept_tag_is_not_touched(self, bob_client, runs):
        started(bob_client, "tags", ticks(runs), add="seen", do=["keep", "keep"])
        assert dict(runs[1].tags.values_list("key", "value")) == {
            "n": "1", "same": "x", "seen": None,
        }  # fmt: skip

    def test_an_error_keeps_what_was_typed(self, bob_client, runs):
        drawn = fields(read(show(bob_client, "tags", ticks(runs))))
        typed = {"add": "quality: great", "value": ["", "kept"], "do": ["put", "put"]}
        for headers in (HTMX, {}):
            answer = start(bob_client, "tags", drawn | typed, headers=headers)
            assert answer.status_code == 422
            page = read(answer)
            assert "Type the value that “n” is to have" in page.text
            assert page.one("input", name="add")["value"] == "quality: great"
            assert page.one("input", **{"aria-label": "Value of same"})["value"] == "kept"
        assert not Work.objects.exists()

    def test_nothing_chosen_is_told(self, bob_client, runs):
        drawn = fields(read(show(bob_client, "tags", ticks(runs))))
        answer = start(bob_client, "tags", drawn | {"do": ["keep", "keep"]}, headers=HTMX)
        assert "at least one tag" in read(answer).text
        assert answer["HX-Retarget"] == "#bulk-form"

    def test_hostile_keys_and_values_are_shown_literally(self, bob_client, experiment):
        run = make.run(experiment, tags={HOSTILE: HOSTILE}, display_name=HOSTILE)
        page = read(show(bob_client, "tags", ticks([run])))
        assert page.one("input", **{"aria-label": f"Value of {HOSTILE}"})["value"] == HOSTILE
        assert page.one("input", name="key")["value"] == HOSTILE
        work = started(bob_client, "tags", ticks([run]), value=["other"], do=["put"])
        assert (work.n_done, Tag.objects.get(run=run).value) == (1, "other")
        moved = started(bob_client, "move", ticks([run]), to="other")
        assert moved.n_done == 1
        for address in (
            reverse("work-detail", args=["lab", moved.uid]),
            reverse("work-list", args=["lab"]),
        ):
            text = bob_client.get(address).content.decode()
            assert "moved to “other”" in text
            assert "<script>alert" not in text

    def test_rare_keys_are_counted_not_shown(self, bob_client, experiment):
        run = make.run(experiment, tags={f"k{i:03}": "v" for i in range(60)})
        page = read(show(bob_client, "tags", ticks([run])))
        keys = [own for tag, own in page.elements if tag == "input" and own.get("name") == "key"]
        assert len(keys) == 50
        assert "10 rarer tags not shown" in page.text


class TestOthers:
    def test_star_and_remove_star(self, carol_client, people, runs):
        assert started(carol_client, "star", ticks(runs)).n_done == 5
        assert (
            "All 5 selected runs are left out" in read(show(carol_client, "star", ticks(runs))).text
        )
        assert started(carol_client, "unstar", ticks(runs[:2])).n_done == 2
        assert Star.objects.filter(user=people.carol).count() == 3

    def test_delete_tells_of_unfinished_runs(self, bob_client, runs):
        page = read(show(bob_client, "delete", ticks(runs)))
        assert "Cancel 3 unfinished and delete them too" in page.text
        assert "For 30 days" in page.text
        assert started(bob_client, "delete", ticks(runs)).n_done == 2
        assert started(bob_client, "delete", ticks(runs[:3]), cancel="1").n_done == 3

    def test_move_suggests_experiments_and_keeps_a_wrong_name(self, bob_client, runs):
        page = read(show(bob_client, "move", ticks(runs)))
        assert page.one("option", value="vision")
        answer = start(bob_client, "move", fields(page) | {"to": "a/b"}, headers=HTMX)
        assert answer.status_code == 422
        assert read(answer).one("input", name="to")["value"] == "a/b"
        assert started(bob_client, "move", ticks(runs), to="other").n_done == 5

    def test_a_reader_is_refused(self, carol_client, runs):
        for offer in ("cancel", "tags", "move", "archive", "delete", "restore", "purge"):
            assert show(carol_client, offer, ticks(runs)).status_code == 403
            assert start(carol_client, offer, ticks(runs) | {"confirm": "purge"}).status_code == 403
        assert not Work.objects.exists()

    def test_a_right_that_was_lost_is_told_in_the_dialog(self, people, workspace, runs):
        carol = make.client(people.carol)
        answer = start(carol, "archive", ticks(runs), headers=HTMX)
        assert answer.status_code == 422
        assert "does not allow this" in read(answer).text

    def test_for_htmx_the_answer_is_the_tray(self, bob_client, runs):
        answer = start(bob_client, "star", ticks(runs), headers=HTMX)
        page = read(answer)
        assert "Starring runs" in page.text
        assert "Waiting for a worker" in page.text
        assert page.one("div", id="work-tray")["hx-trigger"] == "every 1s"
        assert json.loads(answer["HX-Trigger"]) == {"studio:bulk-started": {}}


def test_a_dialog_costs_the_same_for_many_runs(bob_client: Client, experiment: Any) -> None:
    def cost(offer: str, n: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert show(bob_client, offer, {"all": "1"}, headers=HTMX).status_code == 200
        return len(seen)

    offers = ("cancel", "tags", "star", "move", "archive", "delete")
    by = make.actor(make.contributor_of(experiment.workspace))
    for i in range(3):
        make.run(experiment, tags={"a": str(i)})
    few = {offer: cost(offer, 3) for offer in offers}
    for i in range(20):
        run = make.run(experiment, tags={"a": str(i), f"b{i}": "c"})
        actions.complete_run(run, by=by)
    assert {offer: cost(offer, 23) for offer in offers} == few
    assert few == {"cancel": 5, "tags": 8, "star": 5, "move": 6, "archive": 5, "delete": 7}


def test_an_open_work_of_mine_is_on_every_page(bob_client: Client, carol_client: Client, runs: Any):
    start(bob_client, "star", {"all": "1"})
    for path in (LIST, "/w/lab/experiments", "/w/lab/compute", f"{LIST}/{runs[0].uid}"):
        assert "Starring runs" in read(bob_client.get(path)).text
        assert "Starring runs" not in read(carol_client.get(path)).text
    assert Work.objects.get().state == State.WAITING
