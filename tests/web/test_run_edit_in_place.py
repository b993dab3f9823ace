"""Name and tags edited in the cells of a list: who may, what is changed, what comes back."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, read

LIST = "/w/lab/runs"
HOSTILE = '<img src=x onerror="alert(1)">'


def path(run: Any, what: str, query: str = "") -> str:
    return f"{LIST}/{run.uid}/{what}{query}"


def name_of(run: Any) -> str:
    return Run.objects.get(pk=run.pk).display_name


def tags_of(run: Any) -> dict[str, str | None]:
    return dict(run.tags.values_list("key", "value"))


def test_a_form_in_the_cell_holds_what_is_stored(bob_client: Client, run: Any) -> None:
    actions.change_tags(run, by=make.actor(run.submitter), put={"a": "1", "b": None})

    page = read(bob_client.get(path(run, "edit-name"), headers=HTMX))
    assert page.ids("runs-") == [f"runs-edit_name-{run.uid}"]
    assert page.one("input", name="display_name")["value"] == run.display_name
    page = read(bob_client.get(path(run, "edit-tags"), headers=HTMX))
    held = [own["value"] for _, own in page.elements if own.get("name") in ("key", "value")]
    assert held == ["a", "1", "b", ""]


def test_saving_answers_with_the_whole_row_of_that_list(bob_client: Client, run: Any) -> None:
    query = "?columns=tag.quality,tags,name&q=status:running"
    form = {"add": "quality: great"}
    page = read(bob_client.post(path(run, "row-tags", query), form, headers=HTMX))

    assert page.elements[0] == ("tr", {"id": f"runs-row-{run.uid}"})
    assert page.texts.count("great") == 2, "the cell of one tag is as fresh as that of all"
    page = read(bob_client.post(path(run, "row-name"), {"display_name": "better"}, headers=HTMX))
    assert "better" in page.texts
    assert page.one("a", id=f"runs-row-link-{run.uid}")
    assert name_of(run) == "better"


def test_a_row_of_a_tree_keeps_its_place(bob_client: Client, run: Any, experiment: Any) -> None:
    child = make.run(experiment, parent=run)
    listed = f"?children=tree&open={run.uid}"
    shown = read(bob_client.get(LIST + listed))
    pencil = shown.one("button", id=f"runs-pencil_name-{child.uid}")
    form = read(bob_client.get(path(child, "edit-name", f"{listed}&depth=1"), headers=HTMX))

    assert (pencil["name"], pencil["value"]) == ("depth", "1")
    to = form.one("form", id=f"runs-edit_name-{child.uid}")["action"]
    row = read(bob_client.post(to, {"display_name": "x"}, headers=HTMX)).one(
        "tr", id=f"runs-row-{child.uid}"
    )
    assert row["class"] == "child depth-1"


def test_without_htmx_the_form_is_a_page_that_leads_back_to_the_list(
    bob_client: Client, run: Any
) -> None:
    query = "?q=status:running&order=name"
    shown = read(bob_client.get(LIST + query))
    pencil = shown.one("button", id=f"runs-pencil_tags-{run.uid}")
    fields = [
        f"{own['name']}={own['value']}"
        for tag, own in shown.elements
        if tag == "input" and own.get("type") == "hidden" and own.get("name") in ("q", "order")
    ]
    page = read(bob_client.get(pencil["formaction"] + "?" + "&".join(fields[:2])))
    assert f"Edit tags: {run.display_name}" in page.texts
    answer = bob_client.post(
        page.one("form", id=f"runs-edit_tags-{run.uid}")["action"], {"add": "x"}
    )

    assert answer.status_code == 303
    assert answer["Location"] == LIST + query
    assert tags_of(run) == {"x": None}


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("typed", ["", "\u200b", "n" * 256])
def test_a_refused_name_stays_in_the_cell(
    bob_client: Client, run: Any, typed: str, headers: dict[str, str]
) -> None:
    before = name_of(run)
    answer = bob_client.post(path(run, "row-name"), {"display_name": typed}, headers=headers)
    field = read(answer).one("input", name="display_name")

    assert answer.status_code == 422
    assert (field["value"], field["aria-invalid"]) == (typed, "true")
    assert answer["HX-Retarget"] == f"#runs-edit_name-{run.uid}"
    assert name_of(run) == before


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_refused_tags_stay_in_the_cell_as_typed(
    bob_client: Client, run: Any, headers: dict[str, str]
) -> None:
    actions.change_tags(run, by=make.actor(run.submitter), put={"a": "1", "b": "2"})
    form = {
        "add": "k" * 300,
        "key": ["a", "b"],
        "was": ["1", "2"],
        "value": ["one", "2"],
        "gone": ["b"],
    }
    answer = bob_client.post(path(run, "row-tags"), form, headers=headers)
    page = read(answer)

    assert answer.status_code == 422
    assert page.one("input", name="add")["value"] == "k" * 300
    assert page.one("input", name="value", value="one")
    assert "checked" in page.one("input", name="gone", value="b")
    assert "checked" not in page.one("input", name="gone", value="a")
    assert tags_of(run) == {"a": "1", "b": "2"}


def test_only_the_tags_that_were_edited_are_changed(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"a": "1", "b": "2", "c": "3"})
    form = read(bob_client.get(path(run, "edit-tags"), headers=HTMX))
    keys = [own["value"] for _, own in form.elements if own.get("name") == "key"]
    hers = {"b": "hers", "new": "hers too"}
    actions.change_tags(run, by=make.actor(people.alice), put=hers)

    sent = {"key": keys, "was": ["1", "2", "3"], "value": ["mine", "2", "3"], "gone": ["c"]}
    bob_client.post(path(run, "row-tags"), sent, headers=HTMX)
    assert tags_of(run) == {"a": "mine", "b": "hers", "new": "hers too"}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["owner", "quality"]),
        ("qu", ["quality"]),
        ("quality: ", ["quality: fantastic run", "quality: great"]),
        ("quality:gr", ["quality: great"]),
        ("nothing", []),
        ("nothing: x", []),
        ("\x00", []),
        (": x", []),
    ],
)
def test_keys_and_values_of_the_workspace_are_offered(
    bob_client: Client, run: Any, experiment: Any, typed: str, expected: list[str]
) -> None:
    make.run(experiment, tags={"quality": "great", "owner": "x"})
    make.run(experiment, tags={"quality": "fantastic run"})
    headers = {**HTMX, "HX-Target": f"runs-edit_tag_choices-{run.uid}"}
    page = read(bob_client.get(path(run, "edit-tags"), {"add": typed}, headers=headers))

    assert [own["value"] for tag, own in page.elements if tag == "option"] == expected
    assert page.elements[0][0] == "datalist"


def test_tags_of_another_workspace_are_not_offered(
    dave_client: Client, run: Any, people: Any
) -> None:
    actions.change_tags(run, by=make.actor(people.bob), put={"secret": "1"})
    elsewhere = make.workspace("elsewhere", owner=people.dave)
    own = make.run(make.experiment(elsewhere, by=people.dave), by=people.dave)
    target = {**HTMX, "HX-Target": f"runs-edit_tag_choices-{own.uid}"}
    answer = dave_client.get(f"/w/elsewhere/runs/{own.uid}/edit-tags", headers=target)

    assert b"secret" not in answer.content


def test_a_reader_has_no_pencils_and_may_not_save(carol_client: Client, run: Any) -> None:
    before = all_rows()

    assert not read(carol_client.get(LIST)).ids("runs-pencil")
    for what, form in (("name", {"display_name": "x"}), ("tags", {"add": "x"})):
        page = read(carol_client.get(path(run, f"edit-{what}"), headers=HTMX))
        assert "Your role does not allow" in page.text
        assert "Save" not in page.texts
        assert carol_client.post(path(run, f"row-{what}"), form, headers=HTMX).status_code == 403
    assert not changed_tables(before)


def test_looking_changes_nothing(bob_client: Client, run: Any) -> None:
    before = all_rows()
    for what in ("edit-name", "edit-tags", "row"):
        for headers in ({}, HTMX):
            bob_client.get(path(run, what), {"display_name": "x", "add": "x"}, headers=headers)
            assert (
                bob_client.post(path(run, what), {"add": "x"}, headers=headers).status_code == 405
            )
    assert not changed_tables(before)


def test_hostile_names_and_tags_are_text(bob_client: Client, run: Any) -> None:
    by = make.actor(run.submitter)
    actions.rename_run(run, HOSTILE, by=by)
    actions.change_tags(run, by=by, put={HOSTILE: HOSTILE})
    choices = {**HTMX, "HX-Target": "runs-edit_tag_choices-x"}

    for address, headers in (
        (path(run, "edit-name"), HTMX),
        (path(run, "edit-tags"), {}),
        (path(run, "edit-tags"), choices),
        (path(run, "row"), HTMX),
    ):
        answer = bob_client.get(address, headers=headers)
        assert answer.status_code == 200
        assert b"<img" not in answer.content


@pytest.mark.parametrize(("what", "n"), [("edit-name", 6), ("edit-tags", 7), ("row", 11)])
def test_opening_a_cell_costs_a_few_queries(
    bob_client: Client, run: Any, what: str, n: int
) -> None:
    with CaptureQueriesContext(connection) as seen:
        bob_client.get(path(run, what), headers=HTMX)

    assert len(seen) <= n, [one["sql"][:90] for one in seen]
