"""A custom view on a list: opened, edited, reset, saved, kept apart from other people's edits."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from studio.custom_views.actions import delete_view, save_view
from studio.custom_views.models import CustomView
from tests import make
from tests.web.pages import HTMX, read, rows
from tests.web.viewing import LIST, VIEWS, opened, page_of, save_form, send, view_of

GREAT = {"q": "tag.quality:great", "columns": "name,status,tag.quality", "order": "name"}


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Three runs, two of which are great."""
    return [
        make.run(experiment, display_name=name, tags={"quality": quality})
        for name, quality in (("b", "great"), ("a", "great"), ("c", "poor"))
    ]


@pytest.fixture
def view(workspace: Any, people: Any, runs: list[Any]) -> CustomView:
    return view_of(workspace, people.bob, GREAT)


def uids(*runs: Any) -> list[str]:
    return [run.uid for run in runs]


def test_a_permalink_opens_the_list_in_its_state(
    bob_client: Client, view: CustomView, runs: list[Any]
) -> None:
    answer = bob_client.get(page_of(view))

    assert rows(answer) == uids(runs[1], runs[0])
    page = read(answer)
    assert page.one("input", id="runs-q")["value"] == GREAT["q"]
    assert "Night sweeps" in page.texts
    assert "quality" in page.texts
    assert not page.ids("views-edited")


def test_only_the_end_of_a_permalink_counts_and_an_old_name_leads_on(
    bob_client: Client, view: CustomView
) -> None:
    answer = bob_client.get(f"{VIEWS}/old-name-{view.uid}?order=-name")

    assert answer.status_code == 302
    assert answer["Location"] == f"{page_of(view)}?order=-name"


def test_the_address_says_only_what_differs_and_of_which_version(
    bob_client: Client, view: CustomView, runs: list[Any]
) -> None:
    page = opened(bob_client, page_of(view))
    failed = next(
        own["href"]
        for tag, own in page.elements
        if tag == "a" and own.get("class", "").startswith("counter") and "ailed" in own["href"]
    )

    query = parse_qs(urlsplit(failed).query)
    assert urlsplit(failed).path == page_of(view)
    assert set(query) == {"q", "rev"}
    assert query["rev"] == ["1"]


def test_what_is_taken_away_from_a_view_stays_away(
    bob_client: Client, view: CustomView, runs: list[Any]
) -> None:
    answer = bob_client.get(f"{page_of(view)}?q=&columns=&rev=1")

    assert len(rows(answer)) == 3
    page = read(answer)
    assert page.one("input", id="runs-q")["value"] == ""
    assert "Experiment" in page.texts, "the usual columns"
    for _, own in page.elements:
        href = own.get("hx-get", "")
        if href.startswith(page_of(view) + "?order="):
            assert "q=&" in href
            assert "columns=&" in href


def test_an_edit_is_marked_and_told(bob_client: Client, view: CustomView) -> None:
    page = opened(bob_client, f"{page_of(view)}?q=tag.quality:great+status:failed&order=&rev=1")

    assert "edited: +1 filter, sort" in page.text
    assert page.href(id="views-reset") == page_of(view)
    assert CustomView.objects.get().state == GREAT


def test_pages_and_opened_child_runs_are_no_edit(bob_client: Client, view: CustomView) -> None:
    page = opened(bob_client, f"{page_of(view)}?explain=1&chosen={'a' * 32}")

    assert not page.ids("views-edited")


def test_saving_stores_what_the_list_shows(
    bob_client: Client, view: CustomView, runs: list[Any]
) -> None:
    page = opened(bob_client, f"{page_of(view)}?order=-name&rev=1")
    answer = send(bob_client, save_form(page))

    assert (answer.status_code, answer["Location"]) == (303, page_of(view))
    assert CustomView.objects.get().state == {**GREAT, "order": "-name"}
    assert rows(bob_client.get(page_of(view))) == uids(runs[0], runs[1])


def test_a_new_view_is_named_saved_and_opened(bob_client: Client, runs: list[Any]) -> None:
    listed = opened(bob_client, f"{LIST}?q=tag.quality:great&order=name")
    form = opened(bob_client, listed.href(id="views-save_new"))
    fields = {
        own["name"]: own.get("value", "")
        for tag, own in form.elements
        if tag == "input" and own.get("name") in ("state", "place", "back")
    }
    answer = bob_client.post(
        f"{VIEWS}/create", fields | {"name": " Best  of all ", "description": "one\r\ntwo"}
    )

    view = CustomView.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, page_of(view))
    assert (view.name, view.description) == ("Best of all", "one\ntwo")
    assert view.state == {"q": "tag.quality:great", "order": "name"}
    assert rows(bob_client.get(page_of(view))) == uids(runs[1], runs[0])


def test_a_refused_name_keeps_what_was_typed(bob_client: Client, view: CustomView) -> None:
    typed = {"name": "NIGHT sweeps", "description": "long text", "state": "?q=x", "place": "runs"}
    answer = bob_client.post(f"{VIEWS}/create", typed)

    assert answer.status_code == 422
    page = read(answer)
    assert page.one("input", id="view-name")["value"] == "NIGHT sweeps"
    assert "long text" in page.texts
    assert "You have a view “NIGHT sweeps” already. Choose another name." in page.texts
    assert page.one("input", name="state")["value"] == "?q=x"


@pytest.mark.parametrize("state", ["?q=(((", "?order=nothing", "?columns=metric.", "?charts=x"])
def test_what_can_not_be_understood_is_not_saved(bob_client: Client, state: str, run: Any) -> None:
    typed = {"name": "Best", "state": state, "place": "runs"}
    answer = bob_client.post(f"{VIEWS}/create", typed)

    assert answer.status_code in (422, 303)
    kept = CustomView.objects.values_list("state", flat=True)
    assert all(stored == {} for stored in kept)


def test_ticked_runs_are_kept_only_if_wished(
    bob_client: Client, runs: list[Any], workspace: Any
) -> None:
    state = f"?chosen={runs[0].uid}&only=1"
    for name, ticks in (("Without", ""), ("With", "1")):
        bob_client.post(
            f"{VIEWS}/create", {"name": name, "state": state, "place": "runs", "ticks": ticks}
        )

    without, kept = CustomView.objects.order_by("pk")
    assert without.state == {}
    assert rows(bob_client.get(page_of(kept))) == uids(runs[0])
    bare = read(bob_client.get(f"{page_of(kept)}?chosen=&only=&rev=1"))
    assert "edited: chosen runs" in bare.text


def test_relative_dates_stay_relative(bob_client: Client, workspace: Any, people: Any) -> None:
    view = view_of(workspace, people.bob, {"q": "submitted>-7d"})

    page = opened(bob_client, page_of(view))
    assert page.one("input", id="runs-q")["value"] == "submitted>-7d"


def test_asides_answer_for_the_view(bob_client: Client, view: CustomView, runs: list[Any]) -> None:
    page = opened(bob_client, page_of(view))
    asked = [own["hx-get"] for _, own in page.elements if "runs-counts" in own.get("hx-get", "")]

    assert "2 runs" in read(bob_client.get(asked[0], headers=HTMX)).text
    export = next(own["href"] for _, own in page.elements if "format=csv" in own.get("href", ""))
    lines = b"".join(bob_client.get(export)).decode().splitlines()
    assert len(lines) == 3


def test_a_bulk_change_of_all_that_match_means_those_of_the_view(
    bob_client: Client, view: CustomView, runs: list[Any]
) -> None:
    page = opened(bob_client, page_of(view))
    fields = {"view": view.uid, "list": "", "all": "1", "back": page_of(view)}
    answer = bob_client.post("/w/lab/bulk/star", fields)

    assert answer.status_code == 200
    assert "2 runs" in read(answer).text
    hidden = [own["value"] for _, own in page.elements if own.get("name") == "view"]
    assert set(hidden) == {view.uid}


# ----------------------------------------------------------------------------- two people


def test_the_second_of_two_saves_is_told_and_merges(
    bob_client: Client, alice_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.bob, GREAT, everyone="edit")
    hers = save_form(opened(alice_client, f"{page_of(view)}?order=-name&rev=1"))
    his = save_form(opened(bob_client, f"{page_of(view)}?q=tag.quality:great+status:failed&rev=1"))
    assert send(alice_client, hers).status_code == 303

    told = send(bob_client, his)
    assert told.status_code == 409
    text = read(told).text
    assert "alice saved version 2" in text
    assert "+1 filter" not in text
    assert "Sort" in text
    assert "Filters" in text
    saved = send(bob_client, his, how="merge", seen="2")
    assert saved.status_code == 303
    merged = {**GREAT, "order": "-name", "q": "tag.quality:great status:failed"}
    assert CustomView.objects.get().state == merged


def test_where_both_changed_one_part_the_person_chooses(
    bob_client: Client, alice_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.bob, GREAT, everyone="edit")
    his = save_form(opened(bob_client, f"{page_of(view)}?order=status&rev=1"))
    send(alice_client, save_form(opened(alice_client, f"{page_of(view)}?order=-name&rev=1")))

    assert read(send(bob_client, his)).one("input", name="whose-order", value="theirs")
    unsaid = send(bob_client, his, how="merge", seen="2")
    assert unsaid.status_code == 409
    assert "Say whose part counts" in read(unsaid).text
    send(bob_client, his, how="merge", seen="2", **{"whose-order": "theirs"})
    assert CustomView.objects.get().state["order"] == "-name"


def test_overwriting_counts_only_upon_what_was_shown(
    bob_client: Client, alice_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.bob, GREAT, everyone="edit")
    his = save_form(opened(bob_client, f"{page_of(view)}?order=status&rev=1"))
    for order in ("-name", "-status"):
        page = opened(alice_client, f"{page_of(view)}?order={order}")
        send(alice_client, save_form(page))

    assert send(bob_client, his, how="overwrite", seen="2").status_code == 409
    assert send(bob_client, his, how="overwrite", seen="3").status_code == 303
    assert CustomView.objects.get().state["order"] == "status"


def test_a_form_that_names_no_version_overwrites_nothing(
    bob_client: Client, view: CustomView
) -> None:
    for how in ("", "overwrite", "merge"):
        form = {"state": "?q=x", "how": how}
        assert bob_client.post(f"{page_of(view)}/save", form).status_code == 409
    assert CustomView.objects.get().version == 1


def test_what_can_not_be_saved_is_offered_as_a_new_view(
    bob_client: Client, view: CustomView
) -> None:
    form = {"version": "1", "state": "?q=((("}
    answer = bob_client.post(f"{page_of(view)}/save", form)

    assert answer.status_code == 422
    page = read(answer)
    assert "This can't be saved: q:" in page.text
    assert page.one("input", name="state")["value"] == "?q=%28%28%28"


def test_an_unsaved_link_shows_the_same_after_somebody_saves(
    bob_client: Client, alice_client: Client, workspace: Any, people: Any, runs: list[Any]
) -> None:
    view = view_of(workspace, people.bob, GREAT, everyone="edit")
    link = f"{page_of(view)}?order=-name&rev=1"
    before = rows(bob_client.get(link))
    by = make.actor(people.alice)
    save_view(view, by=by, expected_version=1, state={"q": "tag.quality:poor"})

    answer = bob_client.get(link)
    assert rows(answer) == before
    assert "alice saved version 2 meanwhile." in read(answer).text
    assert rows(bob_client.get(page_of(view))) == uids(runs[2])


def test_who_may_not_edit_saves_as(
    carol_client: Client, alice_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.alice, GREAT, people={"carol": "see", "bob": "see"})
    seen = opened(make.client(people.bob), f"{page_of(view)}?order=-name&rev=1")

    assert "views-save" not in seen.ids()
    assert "views-save_as" in seen.ids()
    assert "alice lets you see this view, not edit it. Use Save as." in seen.text
    reads = opened(carol_client, page_of(view))
    assert not {"views-save", "views-save_as"} & set(reads.ids())
    refused = carol_client.post(f"{page_of(view)}/save", {"version": "1", "state": "?q=x"})
    assert refused.status_code == 403
    assert CustomView.objects.get().version == 1


# --------------------------------------------------------------------------- what is gone


def test_a_view_says_what_it_could_not_find(
    bob_client: Client, workspace: Any, people: Any, runs: list[Any]
) -> None:
    view = view_of(workspace, people.bob, {"q": "tag.colour:red metric.lost<1", "order": "name"})
    page = opened(bob_client, page_of(view))

    asked = page.one("div", id="views-lost")["hx-get"]
    told = read(bob_client.get(asked, headers=HTMX)).text
    assert told == "Not found in this workspace: tag “colour”, metric “lost”."


def test_a_view_of_an_experiment_that_is_gone_shows_all_runs_and_says_so(
    bob_client: Client, workspace: Any, people: Any, runs: list[Any]
) -> None:
    gone = make.experiment(workspace, "gone")
    view = view_of(workspace, people.bob, {}, place="experiment", experiment=gone)
    assert rows(bob_client.get(page_of(view))) == []
    gone.delete()

    answer = bob_client.get(page_of(view))
    assert len(rows(answer)) == 3
    assert "The experiment “gone” is gone: these are all runs." in read(answer).text


def test_a_deleted_view_is_gone_for_all_and_comes_back(
    bob_client: Client, alice_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, GREAT, everyone="see")
    answer = bob_client.post(f"{page_of(view)}/delete")

    assert (answer.status_code, answer["Location"]) == (303, f"{VIEWS}?deleted={view.uid}")
    assert alice_client.get(page_of(view)).status_code == 404
    listed = read(bob_client.get(answer["Location"]))
    undo = next(own["action"] for _, own in listed.elements if "undelete" in own.get("action", ""))
    assert bob_client.post(undo).status_code == 303
    assert alice_client.get(page_of(view)).status_code == 200


def test_hand_edited_state_never_breaks_the_page(
    bob_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.bob, {})
    for state in ({"q": "((("}, {"size": 7}, {"__proto__": {"x": 1}}, [], "x", {"q": None}):
        CustomView.objects.filter(pk=view.pk).update(state=state)
        assert bob_client.get(page_of(view)).status_code in (200, 422)
    for query in ("?rev=999", "?rev=x", "?rev=-1", "?q=(((&rev=1", "?%00=1&q=%00"):
        assert bob_client.get(page_of(view) + query).status_code in (200, 422)
    delete_view(view, by=make.actor(people.bob))
