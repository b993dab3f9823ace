"""The pages of tags: what they count and offer, the dialog that tells first, and who may."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.custom_views.actions import Draft, create_view
from studio.runs.models import Tag
from studio.work.models import Work
from studio.work.running import run_work
from tests import make
from tests.web.forms import form_of, link_of
from tests.web.pages import HTMX, read, rows

LIST, VALUES, CHANGE = "/w/lab/tags", "/w/lab/tags/values", "/w/lab/tags/change"
HOSTILE = ['50%_"', "😀 mood", "k" * 255, '<img src=x onerror="alert(1)">', "a/b?c&d=e#f", "a: b"]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_leads_to_its_values_and_to_its_runs(
    bob_client: Client, experiment: Any, key: str
) -> None:
    run = make.run(experiment, tags={key: "va|l"})
    bare = make.run(experiment, tags={key: None})
    make.run(experiment, tags={"other": "1"})

    page = bob_client.get(LIST, {"q": key[:20].upper()})
    assert b"<img" not in page.content
    assert set(rows(bob_client.get(link_of(page, "2")))) == {run.uid, bare.uid}
    values = bob_client.get(link_of(page, key))
    assert b"<img" not in values.content
    hrefs = [own["href"] for tag, own in read(values).elements if tag == "a" and "href" in own]
    found = [href for href in hrefs if href.startswith("/w/lab/runs?q=") and "has" not in href]
    assert [set(rows(bob_client.get(href))) for href in found] == [{bare.uid}, {run.uid}]


def test_the_dialog_tells_first_and_starts_what_it_told(
    bob_client: Client, experiment: Any, workspace: Any, people: Any
) -> None:
    for tags in ({"a": "1"}, {"a": "1", "b": "2"}):
        make.run(experiment, tags=tags)
    state = {"q": "tag.a:1 status:running"}
    create_view(workspace, Draft("With a", state), by=make.actor(people.bob))
    create_view(workspace, Draft("Not bob's", state), by=make.actor(people.alice))
    asked = {"action": "rename", "key": "a", "to": "b"}

    text = read(bob_client.get(CHANGE, asked)).text
    assert "Touches 2 runs" in text
    assert "“b” is there already" in text
    assert "1 run carries both" in text
    assert "1 view that you see mentions it" in text
    assert "With a" in text
    part = bob_client.get(CHANGE, asked, headers={**HTMX, "HX-Target": "tags-preview"})
    assert read(part).elements[0] == (
        "div",
        {"class": "bulk-counts", "id": "tags-preview", "role": "status"},
    )

    refused = bob_client.post(f"{CHANGE}/start", asked)
    assert refused.status_code == 422
    assert "Choose whose value stays" in read(refused).text
    form = form_of(refused, "tags-change")
    answer = bob_client.post(form.action, form.sent(keep="source"))
    assert answer.status_code == 303
    run_work(Work.objects.get().pk)
    assert "“a” is “b” now on 2 runs" in read(bob_client.get(answer["Location"])).text
    assert set(Tag.objects.values_list("key", "value")) == {("b", "1")}
    assert "Undo" in read(bob_client.get(answer["Location"])).texts


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"action": "rename", "key": "a", "to": ""}, 422, "Type the new key"),
        ({"action": "rename", "key": "a", "to": "k" * 300}, 422, "at most 255 fit"),
        ({"action": "replace", "key": "a", "valued": "1", "value": "1", "to": "1"}, 422, "already"),
        ({"action": "delete", "key": "nobody's"}, 422, "No run outside the trash"),
        ({"action": "paint", "key": "a"}, 422, "Choose of"),
        ({}, 422, "Choose of"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_makes_no_sense_comes_back_as_typed(
    bob_client: Client, experiment: Any, asked: Any, status: int, words: str, headers: Any
) -> None:
    make.run(experiment, tags={"a": "1"})
    answer = bob_client.post(f"{CHANGE}/start", asked, headers=headers)
    assert answer.status_code == status
    assert words in read(answer).text
    if asked.get("to"):
        assert read(answer).one("input", id="tags-to")["value"] == asked["to"]
    assert not Work.objects.exists()


def test_a_reader_sees_counts_and_why_nothing_can_be_changed(
    carol_client: Client, experiment: Any
) -> None:
    make.run(experiment, tags={"a": "1"})
    page = read(carol_client.get(LIST))
    buttons = [own for tag, own in page.elements if own.get("aria-disabled") == "true"]
    assert {own["title"] for own in buttons} == {"Your role does not allow changing runs"}
    assert not page.ids("tags-change")
    asked = {"action": "delete", "key": "a"}
    assert "Remove" not in read(carol_client.get(CHANGE, asked)).texts
    assert carol_client.post(f"{CHANGE}/start", asked).status_code == 403


@pytest.mark.parametrize("query", ["?q=\0", "?sort=age&after=x", "?after=%00", "/values?key=%00"])
def test_a_made_up_address_breaks_nothing(bob_client: Client, run: Any, query: str) -> None:
    assert bob_client.get(LIST + query).status_code == (404 if "key" in query else 200)


def test_a_run_with_a_thousand_tags_shows_a_few_and_all_on_a_page(
    bob_client: Client, carol_client: Client, experiment: Any
) -> None:
    run = make.run(experiment, tags={f"tag {n:04}": str(n) for n in range(1_000)})
    address = f"/w/lab/runs/{run.uid}"
    with CaptureQueriesContext(connection) as seen:
        answer = bob_client.get(f"{address}/header")
    assert len(seen) <= 10
    assert len(answer.content) < 150_000
    assert "+ 988 more" in read(answer).text
    where = link_of(answer, "+ 988 more")
    for client in (bob_client, carol_client):
        found = client.get(where, {"q": "TAG 0999"})
        assert "tag 0999: 999" in " ".join(read(found).text.split())
    page, n = where, 0
    while page:
        answer = bob_client.get(page)
        n += len([1 for _, own in read(answer).elements if own.get("name") == "rename"])
        hrefs = [own.get("href", "") for _, own in read(answer).elements]
        page = where + next((h[len(where) :] for h in hrefs if "after=" in h), "")
        page = "" if page == where else page
    assert n == 1_000
    form = {"key": "tag 0500", "was": "500", "value": "new", "back": "all"}
    assert bob_client.post(f"{address}/tags", form)["Location"] == where
    assert run.tags.get(key="tag 0500").value == "new"
