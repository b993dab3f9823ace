"""What the buttons and forms of an experiment do: star, archive, rename, describe."""

from typing import Any

import pytest
from django.test import Client

from studio.runs.actions.experiments import describe_experiment
from studio.runs.models import Experiment
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, read

LIST = "/w/lab/experiments"
PAGE = f"{LIST}/vision"
FROM_LIST = {"Referer": f"http://testserver{LIST}?sort=name"}


def stored(experiment: Any) -> Any:
    return Experiment.objects.get(pk=experiment.pk)


# ------------------------------------------------------------------------------------------ star


def test_a_star_is_swapped_in_its_place(bob_client: Client, experiment: Any, people: Any) -> None:
    form = read(bob_client.get(LIST)).one("form", id="experiments-star-vision")
    answer = bob_client.post(form["hx-post"], {"starred": "1"}, headers=HTMX)

    star = read(answer).one("button", **{"class": "star"})
    assert star["aria-pressed"] == "true"
    assert experiment.stars.get().user == people.bob
    bob_client.post(form["hx-post"], {"starred": "0"}, headers=HTMX)
    assert not experiment.stars.exists()


def test_without_scripts_a_star_leads_back(bob_client: Client, experiment: Any) -> None:
    answer = bob_client.post(f"{PAGE}/star", {"starred": "1"}, headers=FROM_LIST)

    assert (answer.status_code, answer["Location"]) == (303, f"{LIST}?sort=name")


def test_nobody_is_led_to_another_site(bob_client: Client, experiment: Any) -> None:
    for place in ("https://evil.example/w/lab", "//evil.example", "javascript:alert(1)", ""):
        answer = bob_client.post(f"{PAGE}/star", {"starred": "1"}, headers={"Referer": place})
        assert answer["Location"] == PAGE


# --------------------------------------------------------------------------------------- archive


def test_an_experiment_is_archived_and_comes_back(bob_client: Client, experiment: Any) -> None:
    form = {"archived": "1"}
    answer = bob_client.post(f"{PAGE}/archive", form, headers=FROM_LIST, follow=True)
    assert answer.redirect_chain == [(f"{LIST}?sort=name", 303)]
    assert "Archived vision" in read(answer).text
    assert stored(experiment).archived_at

    head = read(bob_client.get(PAGE))
    assert "Archived" in head.texts
    button = head.one("button", name="archived")
    assert button["value"] == "0"
    answer = bob_client.post(f"{PAGE}/archive", {"archived": button["value"]})
    assert answer["Location"] == PAGE
    assert stored(experiment).archived_at is None


# ---------------------------------------------------------------------------------------- rename


def test_a_name_is_changed_in_its_place_in_the_head(bob_client: Client, experiment: Any) -> None:
    pencil = read(bob_client.get(PAGE)).one("a", **{"aria-label": "Rename this experiment"})
    form = read(bob_client.get(pencil["hx-get"], headers=HTMX))
    assert form.one("input", name="name")["value"] == "vision"
    assert form.one("input", name="place")["value"] == "head"

    answer = bob_client.post(f"{PAGE}/name", {"name": " sight ", "place": "head"}, headers=HTMX)
    assert answer["HX-Redirect"] == f"{LIST}/sight"
    assert stored(experiment).name == "sight"


def test_from_the_list_one_comes_back_to_the_list(bob_client: Client, experiment: Any) -> None:
    headers = {**HTMX, "HX-Current-URL": f"http://testserver{LIST}?sort=name"}
    answer = bob_client.post(f"{PAGE}/name", {"name": "sight", "place": "list"}, headers=headers)

    assert answer["HX-Redirect"] == f"{LIST}?sort=name"


def test_a_rename_can_be_discarded(bob_client: Client, experiment: Any) -> None:
    for place in ("list", "head"):
        address = f"{PAGE}/name/edit?place={place}"
        discard = read(bob_client.get(address, headers=HTMX)).one("a", **{"class": "button"})
        shown = read(bob_client.get(discard["hx-get"], headers=HTMX))
        assert "vision" in shown.texts
        assert not [tag for tag, _ in shown.elements if tag == "form"]


def test_without_scripts_renaming_has_a_page(bob_client: Client, experiment: Any) -> None:
    page = read(bob_client.get(f"{PAGE}/name/edit"))
    assert "Rename" in page.texts
    assert page.one("form", action=f"{PAGE}/name")

    answer = bob_client.post(f"{PAGE}/name", {"name": "sight", "place": ""})
    assert (answer.status_code, answer["Location"]) == (303, f"{LIST}/sight")


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("", 422, "can't name an experiment"),
        ("a/b", 422, "can't name an experiment"),
        ('"><script>x</script>', 422, "can't name an experiment"),
        ("x" * 256, 422, "can't name an experiment"),
        ("taken", 409, "There is an experiment “taken” already"),
    ],
)
def test_a_refused_name_stays_in_the_field(
    bob_client: Client,
    workspace: Any,
    experiment: Any,
    headers: Any,
    name: str,
    status: int,
    words: str,
) -> None:
    make.experiment(workspace, "taken")
    answer = bob_client.post(f"{PAGE}/name", {"name": name, "place": "list"}, headers=headers)

    page = read(answer)
    assert answer.status_code == status
    assert words in page.text
    assert page.one("input", name="name")["value"] == name
    assert "<script>x" not in answer.content.decode()
    assert stored(experiment).name == "vision"


# -------------------------------------------------------------------------------------- describe


def test_a_description_is_written_and_shown(bob_client: Client, run: Any) -> None:
    assert "Add a description" in read(bob_client.get(PAGE)).text
    form = read(bob_client.get(f"{PAGE}/description/edit"))
    version = form.one("input", name="version")["value"]
    text = f"# Cats\r\n\r\n*of* run:{run.uid} <script>x</script>"
    answer = bob_client.post(f"{PAGE}/description", {"text": text, "version": version})

    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    shown = bob_client.get(PAGE).content.decode()
    assert "<em>of</em>" in shown
    assert f'href="{run.page_path}"' in shown
    assert "<script>x" not in shown
    assert "\r" not in stored(run.experiment).description


def test_the_preview_stores_nothing(bob_client: Client, experiment: Any) -> None:
    before = all_rows()
    form = {"text": "**bold** <img src=x onerror=alert(1)>", "version": "0"}
    part = bob_client.post(f"{PAGE}/description/preview", form, headers=HTMX)
    page = bob_client.post(f"{PAGE}/description/preview", form)

    for answer in (part, page):
        assert "<strong>bold</strong>" in answer.content.decode()
        assert "<img" not in answer.content.decode()
    assert "**bold**" in read(page).text
    assert not changed_tables(before)


def test_who_saves_too_late_sees_both_texts(
    bob_client: Client, experiment: Any, people: Any
) -> None:
    describe_experiment(experiment, "<b>hers</b>", by=make.actor(people.alice))
    form = {"text": "mine", "version": "0"}
    answer = bob_client.post(f"{PAGE}/description", form, headers=HTMX)

    page = read(answer)
    assert answer.status_code == 409
    assert "alice saved this description meanwhile" in page.text
    assert "<b>hers</b>" in page.texts
    assert "mine" in page.texts
    form["version"] = page.one("input", name="version")["value"]
    assert bob_client.post(f"{PAGE}/description", form).status_code == 303
    assert stored(experiment).description == "mine"


def test_a_text_that_is_too_long_is_kept(bob_client: Client, experiment: Any) -> None:
    text = "x" * 100_001
    for path in ("description", "description/preview"):
        answer = bob_client.post(f"{PAGE}/{path}", {"text": text, "version": "0"})
        assert text in answer.content.decode()
    answer = bob_client.post(f"{PAGE}/description", {"text": text, "version": "0"})
    assert answer.status_code == 422
    assert "at most 100,000 fit" in read(answer).text


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40])
def test_a_form_without_a_version_replaces_what_there_is(
    bob_client: Client, experiment: Any, people: Any, version: str
) -> None:
    describe_experiment(experiment, "hers", by=make.actor(people.alice))
    answer = bob_client.post(f"{PAGE}/description", {"text": "mine", "version": version})

    assert answer.status_code == 303
    assert stored(experiment).description == "mine"


# ---------------------------------------------------------------------------------------- rights


def test_a_reader_sees_the_head_without_what_changes_it(
    carol_client: Client, experiment: Any, people: Any
) -> None:
    describe_experiment(experiment, "Cats", by=make.actor(people.bob))
    page = read(carol_client.get(PAGE))

    assert "Cats" in page.texts
    assert "Edit description" not in page.texts
    archive = page.one("button", name="archived")
    assert archive["title"] == "Your role does not allow changing experiments"
    assert archive["type"] == "button"
    for path in ("name/edit", "description/edit"):
        told = read(carol_client.get(f"{PAGE}/{path}"))
        assert "Your role does not allow changing experiments" in told.text


@pytest.mark.parametrize("path", ["name/edit", "description/edit", "star", "archive", "name"])
def test_an_experiment_of_another_workspace_is_not_there(
    path: str, experiment: Any, dave_client: Client, people: Any
) -> None:
    make.workspace("elsewhere", owner=people.dave)
    before = all_rows()
    address = f"/w/elsewhere/experiments/vision/{path}"

    answer = dave_client.get(address) if "edit" in path else dave_client.post(address)
    assert answer.status_code == 404
    assert not changed_tables(before)


def test_looking_at_forms_changes_nothing(bob_client: Client, experiment: Any) -> None:
    before = all_rows()
    for path in ("", "/name/edit", "/description/edit"):
        assert bob_client.get(PAGE + path).status_code == 200
    for path in ("/star", "/archive", "/name", "/description", "/description/preview"):
        assert bob_client.get(PAGE + path).status_code == 405
    assert not changed_tables(before)
