"""What no address and no view holds is refused in words, never left out."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from studio.custom_views.charts import parse_charts
from studio.custom_views.models import CustomView
from studio.search.scanner import MAX_CHARACTERS
from tests import make
from tests.web.pages import HTMX, read, rows
from tests.web.viewing import LIST, VIEWS, opened, page_of, save_form, send, view_of

COLUMNS, EDIT, COMPARE = "/w/lab/runs-columns", "/w/lab/runs-chart-edit", "/w/lab/compare"
LOSS = "kind=line&y=metric.loss"
# A hundred hidden lines in each of four charts.
HIDDEN = ",".join(f"{n:012x}" for n in range(100))
TOO_MANY = ";".join([f"{LOSS}&hidden={HIDDEN}"] * 4)
NAMES = [f"metric.{'a' * 60}{n:03}" for n in range(59)]


def test_columns_that_fit_into_no_address_are_refused_and_stay_in_the_form(
    bob_client: Client, workspace: Any
) -> None:
    draft = {"column": ["name", *NAMES], "width": [""] * 60}

    answer = bob_client.get(COLUMNS, {**draft, "apply": "1"}, headers=HTMX)

    page = read(answer)
    assert answer.status_code == 422
    assert "The columns of this list would take 4,1" in page.text
    assert "at most 4,000 fit into its address or a view. Remove some of them." in page.text
    kept = [own["value"] for _, own in page.elements if own.get("name") == "column"]
    assert kept == ["name", *NAMES]
    fewer = {"column": ["name", *NAMES[:40]], "width": [""] * 41, "apply": "1"}
    assert bob_client.get(COLUMNS, fewer).status_code == 302


def test_letters_that_take_more_room_in_an_address_count_as_they_do_there(
    bob_client: Client, workspace: Any
) -> None:
    names = [f"metric.{'é' * 40}{n:03}" for n in range(50)]

    answer = bob_client.get(COLUMNS, {"column": names, "width": [""] * 50, "apply": "1"})

    assert answer.status_code == 422
    assert "at most 7,500 fit. Remove columns or charts" in read(answer).text


def test_charts_that_fit_into_no_address_are_said_where_they_are_seen(
    bob_client: Client, run: Any
) -> None:
    answer = bob_client.get(LIST, {"charts": TOO_MANY})

    assert answer.status_code == 422
    assert rows(answer) == [run.uid]
    told = read(answer).text
    assert "The charts of this list would take 5,3" in told
    assert "Show hidden lines again, or remove a chart." in told


def test_a_view_is_not_saved_without_its_charts(
    bob_client: Client, workspace: Any, run: Any
) -> None:
    listed = read(bob_client.get(LIST, {"charts": TOO_MANY}))
    link = next(own["href"] for _, own in listed.elements if "data-view-new" in own)
    form = read(bob_client.get(link))
    fields = {"state": form.one("input", name="state")["value"], "place": "runs", "name": "Four"}
    answer = bob_client.post(f"{VIEWS}/create", fields)

    assert answer.status_code == 422
    assert "Show hidden lines again, or remove a chart." in read(answer).text
    assert not CustomView.objects.exists()


def test_an_open_view_is_not_saved_without_its_charts(
    bob_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    view = view_of(workspace, people.bob, {"charts": LOSS})
    form = save_form(opened(bob_client, f"{page_of(view)}?rev=1&q=vision"))
    # As static/js/views.js catches up with the address.
    form["state"] = f"?{urlencode({'charts': TOO_MANY})}"

    answer = send(bob_client, form)

    assert answer.status_code == 422
    told = read(answer)
    assert "This can't be saved: The charts of this list would take" in told.text
    assert quote(HIDDEN, safe=",") in told.one("input", name="state")["value"]
    view.refresh_from_db()
    assert (view.version, view.state) == (1, {"charts": LOSS})


def test_one_more_chart_than_fits_is_refused_in_the_editor(bob_client: Client, run: Any) -> None:
    title = "%C3%A9" * 100
    six = ";".join([f"{LOSS}&title={title}"] * 6)
    assert len(six) < MAX_CHARACTERS
    asked = {"charts": six, "chart": "6", "kind": "line", "y": "metric.loss", "title": "é" * 100}

    answer = bob_client.get(EDIT, {**asked, "apply": "1"}, headers=HTMX)

    assert answer.status_code == 422
    assert "Show hidden lines again, or remove a chart." in read(answer).text
    card = read(bob_client.get(LIST, {"charts": six})).text
    assert "Wider or narrower" in card
    assert "Duplicate" not in card


@pytest.mark.parametrize(("n", "n_drawn"), [(2, 2), (4, 3)])
def test_a_comparison_cuts_no_chart_in_its_middle(
    n: int, n_drawn: int, bob_client: Client, experiment: Any
) -> None:
    uids = ",".join(make.run(experiment).uid for _ in range(2))
    asked = {"chosen": uids, "charts": ";".join(TOO_MANY.split(";")[:n])}
    section = {**HTMX, "HX-Target": "compare-charts"}

    part = read(bob_client.get(COMPARE, asked, headers=section))

    texts = [own["data-chart-text"] for _, own in part.elements if "data-chart-text" in own]
    assert [len(parse_charts(text)[0].hidden) for text in texts] == [100] * n_drawn
    assert ("Those that do not fit are not drawn." in part.text) == (n_drawn < n)
