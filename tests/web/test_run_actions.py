"""Buttons and forms of a run: what they change, what they say, what they keep when refused."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.models import Run, Star
from tests import make
from tests.web.pages import HTMX, read


def path(run: Any, what: str) -> str:
    return f"/w/lab/runs/{run.uid}/{what}"


def fresh(run: Any) -> Run:
    return Run.objects.get(pk=run.pk)


@pytest.mark.parametrize(
    ("what", "form"),
    [
        ("cancel", {"reason": "enough"}),
        ("fail", {"reason": "wrong data"}),
        ("star", {"starred": "1"}),
        ("name", {"display_name": "new"}),
        ("tags", {"add": "a: b"}),
        ("description", {"text": "new", "version": "0"}),
    ],
)
def test_without_htmx_a_form_sends_back_to_a_page(
    bob_client: Client, run: Any, what: str, form: dict[str, str]
) -> None:
    answer = bob_client.post(path(run, what), form)

    assert answer.status_code == 303
    assert answer["Location"].endswith(run.uid)


def test_a_cancel_keeps_its_reason_and_shows_in_the_new_header(
    bob_client: Client, run: Any
) -> None:
    answer = bob_client.post(path(run, "cancel"), {"reason": "flat loss"}, headers=HTMX)

    assert fresh(run).status == "CancelRequested"
    text = read(answer).text
    assert "Cancel requested by bob" in text
    assert "flat loss" in text
    assert "runs-header" in read(answer).ids()


def test_child_runs_are_left_alone_when_asked(
    bob_client: Client, run: Any, experiment: Any
) -> None:
    child = make.run(experiment, parent=run)
    bob_client.post(path(run, "cancel"), {"children": "0"})
    assert fresh(child).status == "Running"

    other = make.run(experiment)
    grandchild = make.run(experiment, parent=other)
    bob_client.post(path(other, "cancel"), {"children": "1"})
    assert fresh(grandchild).status == "CancelRequested"


def test_cancelling_a_finished_run_says_so_and_changes_nothing(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.complete_run(run, by=make.actor(people.bob))

    answer = bob_client.post(path(run, "cancel"), headers=HTMX)
    assert "already Completed" in read(answer).text
    assert fresh(run).status == "Completed"


def test_a_completed_run_can_be_marked_as_failed_once(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.complete_run(run, by=make.actor(people.bob))

    bob_client.post(path(run, "fail"), {"reason": "wrong labels"}, headers=HTMX)
    assert fresh(run).status == "Failed"
    assert fresh(run).status_reason == "wrong labels"


def test_marking_a_canceled_run_is_refused_in_words(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.confirm_canceled(run, by=make.actor(people.bob))

    answer = bob_client.post(path(run, "fail"), {"reason": "x"}, headers=HTMX)
    assert answer.status_code == 422
    assert fresh(run).status == "Canceled"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_refused_name_stays_in_its_open_form(
    bob_client: Client, run: Any, headers: dict[str, str]
) -> None:
    typed = "n" * 300
    answer = bob_client.post(path(run, "name"), {"display_name": typed}, headers=headers)
    page = read(answer)

    assert answer.status_code == 422
    assert page.one("input", id="rename-name")["value"] == typed
    assert "popover" not in page.one("form", id="rename-panel")
    assert "at most 255" in page.text
    assert fresh(run).display_name == run.display_name


def test_tags_are_added_edited_and_removed_at_once(
    bob_client: Client, run: Any, people: Any
) -> None:
    by = make.actor(people.bob)
    actions.change_tags(run, by=by, put={"a": "1", "b": None, "c": "3", "d": "4"})
    form = {
        "add": "new key: with: colon",
        "key": ["a", "b", "c", "d"],
        "value": ["one", "", "", "4"],
        "was": ["1", "", "3", "4"],
        "gone": ["d"],
    }
    bob_client.post(path(run, "tags"), form, headers=HTMX)

    now = dict(run.tags.values_list("key", "value"))
    assert now == {"a": "one", "b": None, "c": None, "new key": "with: colon"}


def test_a_tag_that_was_left_alone_keeps_what_another_person_saved(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.change_tags(run, by=make.actor(people.alice), put={"a": "hers"})
    bob_client.post(path(run, "tags"), {"key": ["a"], "value": ["old"], "was": ["old"]})

    assert dict(run.tags.values_list("key", "value")) == {"a": "hers"}


def test_a_refused_tag_stays_in_its_open_form(bob_client: Client, run: Any) -> None:
    typed = f"{'k' * 300}: v"
    answer = bob_client.post(path(run, "tags"), {"add": typed}, headers=HTMX)

    assert answer.status_code == 422
    assert read(answer).one("input", id="tags-add")["value"] == typed
    assert not run.tags.exists()


def test_a_star_is_the_readers_own(carol_client: Client, run: Any, people: Any) -> None:
    answer = carol_client.post(path(run, "star"), {"starred": "1"}, headers=HTMX)

    assert read(answer).ids("runs-") == [f"runs-star-{run.uid}"]
    assert list(Star.objects.values_list("user__username", flat=True)) == ["carol"]
    carol_client.post(path(run, "star"), {"starred": "0"}, headers=HTMX)
    assert not Star.objects.exists()


def test_killing_a_run_that_no_worker_holds_asks_for_a_cancel(bob_client: Client, run: Any) -> None:
    assert bob_client.post(path(run, "kill"), headers=HTMX).status_code == 200
    assert fresh(run).status == "CancelRequested"


def test_the_editor_opens_with_what_is_stored(bob_client: Client, run: Any, people: Any) -> None:
    actions.describe_run(run, "# Stored", by=make.actor(people.alice))
    page = read(bob_client.get(path(run, "description/edit")))

    assert page.one("input", name="version")["value"] == "1"
    assert page.texts.count("# Stored") == 1
    assert page.texts.count("Stored") == 1


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_conflict_shows_both_texts_and_overwrites_only_when_told(
    bob_client: Client, run: Any, people: Any, headers: dict[str, str]
) -> None:
    actions.describe_run(run, "her text", by=make.actor(people.alice))
    form = {"text": "my text", "version": "0"}
    answer = bob_client.post(path(run, "description"), form, headers=headers)
    page = read(answer)

    assert answer.status_code == 409
    assert "her text" in page.text
    assert "my text" in page.text
    assert "alice saved this description meanwhile" in page.text
    assert fresh(run).description_row.text == "her text"
    version = page.one("input", name="version")["value"]
    bob_client.post(path(run, "description"), {"text": "my text", "version": version})
    assert fresh(run).description_row.text == "my text"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_description_that_is_too_long_is_refused_with_nothing_lost(
    bob_client: Client, run: Any, headers: dict[str, str]
) -> None:
    typed = "word " * 30_000
    answer = bob_client.post(
        path(run, "description"), {"text": typed, "version": "0"}, headers=headers
    )

    assert answer.status_code == 422
    assert typed.strip() in answer.content.decode()
    assert "at most 100,000 fit" in read(answer).text


def test_the_preview_is_the_text_cleaned_and_stores_nothing(bob_client: Client, run: Any) -> None:
    form = {"text": "**bold** <script>alert(1)</script>"}
    answer = bob_client.post(path(run, "description/preview"), form, headers=HTMX)

    assert "<strong>bold</strong>" in answer.content.decode()
    assert "<script>" not in answer.content.decode()
    assert not hasattr(fresh(run), "description_row")


def test_the_preview_without_scripts_keeps_the_form(bob_client: Client, run: Any) -> None:
    form = {"text": "**bold**", "version": "0"}
    answer = bob_client.post(path(run, "description/preview"), form)
    page = read(answer)

    assert "**bold**" in page.text
    assert page.one("input", name="version")["value"] == "0"
    assert "<strong>bold</strong>" in answer.content.decode()


def test_a_reader_gets_the_text_but_no_button_to_save(carol_client: Client, run: Any) -> None:
    page = read(carol_client.get(path(run, "description/edit")))

    assert "Your role does not allow changing runs" in page.text
    assert "Save description" not in page.text
