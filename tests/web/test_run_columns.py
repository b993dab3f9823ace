"""Editing the columns and the order of a list: a draft in a form, which leads to a URL."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tests import make
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, Read, read

COLUMNS, SORTING, LIST = "/w/lab/runs-columns", "/w/lab/runs-sorting", "/w/lab/runs"
HOSTILE = '<b>a,"b"</b>'


def chosen(page: Read, name: str = "column") -> list[str]:
    return [
        own["value"] for tag, own in page.elements if tag == "input" and own.get("name") == name
    ]


def pressed(page: Read) -> list[str]:
    return [
        own["value"]
        for tag, own in page.elements
        if tag == "button" and own.get("name") == "toggle" and own["aria-pressed"] == "true"
    ]


def after(client: Client, address: str, query: dict[str, Any]) -> Read:
    """The page that a button of the form leads to, without HTMX."""
    answer = client.get(address, query)
    assert answer.status_code == 302, answer.status_code
    return read(client.get(answer["Location"]))


@pytest.fixture
def logged(api: Any, run: Any) -> Any:
    points = {"kind": "scalar", "steps": [0, 1], "times": [1e9, 1e9 + 1], "values": [0.3, 0.2]}
    names = ("loss", "accuracy", HOSTILE)
    batch = {
        "batch": "11111111-ab55-4a33-9d2b-1c1f0a4a4c12",
        "metrics": [{"name": name, **points} for name in names],
    }
    assert api.post(f"/runs/{run.uid}/batches", batch).status_code in {200, 201}
    return run


def test_the_editor_opens_with_what_the_list_shows(bob_client: Client, workspace: Any) -> None:
    page = read(bob_client.get(COLUMNS, {"columns": "status,name", "widths": "status=150"}))

    assert chosen(page) == ["status", "name"]
    assert chosen(page, "width") == ["150", ""]
    assert set(pressed(page)) == {"status", "name"}


def test_a_tick_adds_a_column_at_the_end_and_takes_it_away(bob_client: Client, logged: Any) -> None:
    form = {"column": ["name", "status"], "width": ["", ""], "q": "status:running"}
    page = after(bob_client, COLUMNS, {**form, "toggle": "metric.loss:min"})
    assert chosen(page) == ["name", "status", "metric.loss:min"]
    assert page.one("input", type="hidden", name="q")["value"] == "status:running"

    page = after(bob_client, COLUMNS, {**form, "toggle": "status"})
    assert chosen(page) == ["name"]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ({"up": "tags"}, ["name", "tags", "status"]),
        ({"down": "name"}, ["status", "name", "tags"]),
        ({"up": "name"}, ["name", "status", "tags"]),
        ({"down": "tags"}, ["name", "status", "tags"]),
        ({"drop": "status"}, ["name", "tags"]),
        ({"drop": "name"}, ["name", "status", "tags"]),
        ({"toggle": "name"}, ["name", "status", "tags"]),
    ],
)
def test_columns_move_and_go_but_the_name_stays(
    bob_client: Client, workspace: Any, act: dict[str, str], expected: list[str]
) -> None:
    form = {"column": ["name", "status", "tags"], "width": ["", "100", ""]}
    page = after(bob_client, COLUMNS, {**form, **act})

    assert chosen(page) == expected
    assert dict(zip(chosen(page), chosen(page, "width"), strict=True)).get("status", "100") == "100"


def test_apply_leads_to_the_list_with_columns_widths_and_pins(
    bob_client: Client, workspace: Any
) -> None:
    form = {
        "column": ["name", "tag.quality", "status"],
        "width": ["300", "", "90"],
        "pins": "2",
        "q": "status:running",
        "apply": "1",
    }
    answer = bob_client.get(COLUMNS, form)
    to = urlsplit(answer["Location"])

    assert to.path == LIST
    assert parse_qs(to.query) == {
        "q": ["status:running"],
        "columns": ["name,tag.quality,status"],
        "widths": ["name=300,status=90"],
        "pins": ["2"],
    }
    part = bob_client.get(COLUMNS, form, headers=HTMX)
    assert part.status_code == 204
    assert answer["Location"] in part["HX-Trigger"]


def test_the_usual_columns_leave_nothing_in_the_address(bob_client: Client, workspace: Any) -> None:
    form = {"column": ["name", "status"], "width": ["300", ""], "pins": "3"}
    page = after(bob_client, COLUMNS, {**form, "usual": "1"})
    fields = {"column": chosen(page), "width": chosen(page, "width"), "pins": "1", "apply": "1"}

    assert chosen(page)[:2] == ["name", "experiment"]
    assert bob_client.get(COLUMNS, fields)["Location"] == LIST


def test_an_experiments_list_keeps_its_place(bob_client: Client, experiment: Any) -> None:
    page = read(bob_client.get(COLUMNS, {"experiment": "vision"}))
    assert "experiment" not in chosen(page)

    form = {"experiment": "vision", "column": ["name"], "width": [""], "apply": "1"}
    answer = bob_client.get(COLUMNS, form)
    assert answer["Location"] == "/w/lab/experiments/vision?columns=name"


def test_a_metric_is_offered_as_last_lowest_and_highest(bob_client: Client, logged: Any) -> None:
    page = read(bob_client.get(COLUMNS, {"find": "loss"}, headers=HTMX))
    offered = [
        own["value"]
        for tag, own in page.elements
        if tag == "button" and own.get("name") == "toggle"
    ]

    assert offered == ["metric.loss", "metric.loss:min", "metric.loss:max"]


def test_the_value_at_another_metrics_best_step_is_a_column(
    bob_client: Client, logged: Any
) -> None:
    form = {"column": ["name"], "width": [""], "add_at": "1", "at_best": "min"}
    page = after(bob_client, COLUMNS, {**form, "at_metric": "accuracy", "at_other": "loss"})
    assert chosen(page) == ["name", "metric.accuracy:at-min(loss)"]

    shown = read(bob_client.get(LIST, {"columns": "name,metric.accuracy:at-min(loss)"}))
    assert "accuracy at min loss" in shown.text


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_metric_that_no_run_has_is_refused_with_what_was_typed(
    bob_client: Client, logged: Any, headers: dict[str, str]
) -> None:
    form = {"column": ["name", "tags"], "width": ["", "77"], "add_at": "1"}
    query = {**form, "at_metric": "acuracy", "at_other": "loss"}
    answer = bob_client.get(COLUMNS, query, headers=headers)
    page = read(answer)

    assert answer.status_code == 422
    assert "No run has a metric called “acuracy”" in page.text
    assert page.one("input", name="at_metric")["value"] == "acuracy"
    assert page.one("input", name="at_other")["value"] == "loss"
    assert chosen(page, "width") == ["", "77"]


@pytest.mark.parametrize("typed", ["wide", "39", "1001", "-5", "1e2", "٣٠٠"])
@pytest.mark.parametrize("act", ["apply", "up"])
def test_a_width_that_is_none_is_refused_and_kept(
    bob_client: Client, workspace: Any, typed: str, act: str
) -> None:
    form = {"column": ["name", "tags"], "width": ["", typed], act: "tags"}
    answer = bob_client.get(COLUMNS, form)
    page = read(answer)

    assert answer.status_code == 422
    assert chosen(page, "width") == ["", typed]
    assert "from 40 to 1,000" in page.text
    assert page.one("input", name="width", value=typed)["aria-invalid"] == "true"


def test_more_columns_than_a_list_shows_are_refused(bob_client: Client, workspace: Any) -> None:
    many = ["name", *(f"tag.t{n}" for n in range(59))]
    form = {"column": many, "width": [""] * 60}
    answer = bob_client.get(COLUMNS, {**form, "toggle": "status"})

    assert answer.status_code == 422
    assert "at most 60 columns" in read(answer).text
    assert chosen(read(answer)) == many


@pytest.mark.parametrize("text", ["is:mine", "nothing", "metric.", "", "x:y", "\x00", "tag.a:min"])
def test_a_column_there_is_not_is_left_out_or_refused(
    bob_client: Client, workspace: Any, text: str
) -> None:
    assert chosen(read(bob_client.get(COLUMNS, {"column": ["name", text], "width": ["", ""]}))) == [
        "name"
    ]
    answer = bob_client.get(COLUMNS, {"column": ["name"], "width": [""], "toggle": text})
    assert answer.status_code == 422
    assert bob_client.get(COLUMNS, {"find": text}).status_code == 200
    sorting = {"drafted": "1", "key": [text], "turn": text}
    assert bob_client.get(SORTING, sorting).status_code in {302, 422}


def test_a_hostile_name_is_text_wherever_it_stands(
    bob_client: Client, logged: Any, people: Any
) -> None:
    found = bob_client.get(COLUMNS, {"find": "<b>"})
    text = read(found).one("button", **{"aria-label": f"last {HOSTILE}"})["value"]
    page = after(bob_client, COLUMNS, {"column": ["name"], "width": ["120"], "toggle": text})
    assert chosen(page) == ["name", text]

    query = {"column": ["name", text], "width": ["", "120"], "apply": "1"}
    shown = bob_client.get(bob_client.get(COLUMNS, query)["Location"])
    sorting = bob_client.get(SORTING, {"key": [text]})
    for answer in (found, shown, sorting):
        assert answer.status_code == 200
        assert b"<b>a" not in answer.content
        assert HOSTILE in read(answer).text
    assert read(shown).one("th", **{"data-column": text})
    assert 'width="120"' in shown.content.decode()


def test_of_two_thousand_names_fifty_are_shown_and_any_is_found(
    bob_client: Client, run: Any
) -> None:
    from studio.metrics.models import Metric

    Metric.objects.bulk_create(
        Metric(run=run, workspace_id=run.workspace_id, name=f"layer{n:04}/norm", kind="scalar")
        for n in range(2000)
    )
    page = read(bob_client.get(COLUMNS, {"find": "norm"}))
    assert page.text.count("layer") == 50
    assert "type to narrow" in page.text

    page = read(bob_client.get(COLUMNS, {"find": "r1987"}))
    assert page.text.count("layer1987/norm") == 1


def test_only_what_htmx_asks_for_is_sent(bob_client: Client, logged: Any) -> None:
    def ids(target: str, **query: str) -> list[str]:
        headers = {**HTMX, "HX-Target": target, "HX-Trigger-Name": "at_metric"}
        return read(bob_client.get(COLUMNS, query, headers=headers)).ids("runs-")

    assert ids("runs-columns_found", find="loss") == ["runs-columns_found"]
    assert ids("runs-columns_names", at_metric="acc") == ["runs-columns_names"]
    assert ids("runs-columns_form")[0] == "runs-columns_form"
    assert ids("")[0] == "runs-columns"


def test_names_of_another_workspace_are_not_offered(
    dave_client: Client, logged: Any, people: Any
) -> None:
    make.workspace("elsewhere", owner=people.dave)
    answer = dave_client.get("/w/elsewhere/runs-columns", {"find": "loss"})

    assert "loss" not in read(answer).text.replace("Nothing is called “loss”", "")


# Sorting


def test_keys_are_added_turned_moved_and_removed(bob_client: Client, logged: Any) -> None:
    page = after(bob_client, SORTING, {"drafted": "1", "key": ["-submitted"], "add": "status"})
    assert chosen(page, "key") == ["status"], "the usual order gives way"
    two = {"drafted": "1", "key": ["status", "-metric.loss:min"]}

    page = after(bob_client, SORTING, {**two, "turn": "status"})
    assert chosen(page, "key") == ["-status", "-metric.loss:min"]
    page = after(bob_client, SORTING, {**two, "up": "-metric.loss:min"})
    assert chosen(page, "key") == ["-metric.loss:min", "status"]
    page = after(bob_client, SORTING, {**two, "drop": "status"})
    assert chosen(page, "key") == ["-metric.loss:min"]
    page = after(bob_client, SORTING, {**two, "add": "duration"})
    assert chosen(page, "key") == [*two["key"], "duration"]


def test_the_order_applies_to_the_list_as_it_is(bob_client: Client, workspace: Any) -> None:
    form = {"q": "is:mine", "columns": "name,status", "drafted": "1", "apply": "1"}
    answer = bob_client.get(SORTING, {**form, "key": ["-duration", "name"]})
    assert parse_qs(urlsplit(answer["Location"]).query) == {
        "q": ["is:mine"],
        "columns": ["name,status"],
        "order": ["-duration,name"],
    }
    none_left = bob_client.get(SORTING, {"drafted": "1", "apply": "1", "order": "name"})
    assert none_left["Location"] == LIST


def test_a_sixth_key_is_refused(bob_client: Client, workspace: Any) -> None:
    keys = ["name", "status", "experiment", "duration", "started"]
    answer = bob_client.get(SORTING, {"drafted": "1", "key": keys, "add": "ended"})

    assert answer.status_code == 422
    assert chosen(read(answer), "key") == keys


def test_what_can_not_sort_is_not_offered(bob_client: Client, logged: Any) -> None:
    shown = "name,metric.accuracy:at-min(loss)"
    page = read(bob_client.get(SORTING, {"columns": shown}))
    offered = [own["value"] for tag, own in page.elements if own.get("name") == "add"]

    assert offered
    assert not any("at-min" in one for one in offered)


@pytest.mark.parametrize("address", [COLUMNS, SORTING])
def test_nothing_is_stored_by_looking(bob_client: Client, logged: Any, address: str) -> None:
    before = all_rows()
    for query in ({}, {"find": "loss"}, {"apply": "1"}, {"usual": "1"}):
        bob_client.get(address, query)
        bob_client.get(address, query, headers=HTMX)
    assert not changed_tables(before)


# The table


def test_the_table_obeys_widths_and_pins(bob_client: Client, run: Any) -> None:
    answer = bob_client.get(LIST, {"columns": "name,status", "widths": "status=300", "pins": "2"})
    table = read(answer).one("table", id="runs-table")

    assert table["data-pins"] == "2"
    assert '<col class="w-status" width="300" data-sized>' in answer.content.decode()
    assert "exact" not in table["class"]
    sized = bob_client.get(LIST, {"columns": "name,status", "widths": "name=300"})
    assert "exact" in read(sized).one("table", id="runs-table")["class"]


def test_a_list_leads_to_its_own_editors(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get("/w/lab/experiments/vision?q=status:running&order=name"))

    for name in ("columns", "sorting"):
        to = page.one("a", id=f"runs-edit_{name}")["href"]
        editor = read(bob_client.get(to))
        assert editor.one("input", type="hidden", name="q")["value"] == "status:running"
        assert editor.one("input", type="hidden", name="experiment")["value"] == "vision"


def test_the_value_at_another_metrics_best_step_is_that_of_the_very_step(
    api: Any, experiment: Any, bob_client: Client
) -> None:
    from tests.api.calls import batch

    run = make.run(experiment)
    for name, values in (("loss", [3.0, 0.5, 2.0]), ("accuracy", [0.1, 0.625, 0.9])):
        body = batch(*values)
        body["metrics"][0].update(name=name, steps=[10, 20, 30], times=[1.0, 2.0, 3.0])
        assert api.post(f"/runs/{run.uid}/batches", body).status_code == 200
    columns = "name,metric.accuracy:at-min(loss),metric.accuracy:at-max(loss)"
    shown = read(bob_client.get(LIST, {"columns": columns}))

    assert "0.625" in shown.texts
    assert "0.1" in shown.texts
    assert "0.9" not in shown.texts
