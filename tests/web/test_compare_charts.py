"""Charts below the table of a comparison."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from studio.custom_views.charts import parse_charts
from tests import make
from tests.browser.charting import log, others, scalars
from tests.web.comparing import PAGE, chosen
from tests.web.pages import HTMX, Read, read

SECTION = {**HTMX, "HX-Target": "compare-charts"}


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Three runs with loss, two with accuracy, one with both a text and a single value alike."""
    made = [make.run(experiment, display_name=f"try-{i}") for i in range(3)]
    for i, run in enumerate(made):
        log(run, scalars("loss", [3.0, 2.0, 1.0 + i]), others("note", "text", ["a"]))
        log(run, scalars("score", [0.1 * i]))
    log(made[0], scalars("accuracy", [0.1, 0.2]), scalars("alone", [1.0, 2.0]))
    log(made[1], scalars("accuracy", [0.1, 0.3]))
    return made


def charts_of(client: Client, runs: Any, at: str = "", **query: str) -> tuple[Read, Any]:
    """The section as it is loaded by a page whose own address is `at`."""
    asked = {"chosen": chosen(runs), **query}
    here = f"http://testserver{PAGE}?{at or 'chosen=' + chosen(runs)}"
    answer = client.get(PAGE, asked, headers={**SECTION, "HX-Current-URL": here})
    assert answer.status_code == 200
    return read(answer), answer


def texts(found: Read) -> list[str]:
    return [own["data-chart-text"] for _, own in found.elements if "data-chart-text" in own]


def test_the_page_comes_without_charts_and_asks_for_them_when_they_are_near(
    runs: Any, bob_client: Client
) -> None:
    page = read(bob_client.get(PAGE, {"chosen": chosen(runs)}))
    section = page.one("section", id="compare-charts")

    assert section["hx-trigger"] == "intersect once"
    assert chosen(runs) in section["hx-get"]
    assert texts(page) == []
    assert "Charts need JavaScript" in page.text


def test_a_chart_is_shown_of_each_metric_that_two_runs_have(runs: Any, bob_client: Client) -> None:
    found, answer = charts_of(bob_client, runs)

    assert texts(found) == [
        "kind=line&y=metric.loss",
        "kind=line&y=metric.accuracy",
        "kind=bar&y=metric.score",
    ]
    assert "HX-Push-Url" not in answer.headers


def test_the_figure_draws_the_compared_runs_and_no_others(
    runs: Any, bob_client: Client, experiment: Any
) -> None:
    log(make.run(experiment), scalars("loss", [9.0, 9.0]))
    found, _ = charts_of(bob_client, runs[:2])
    (first, *_) = [own["data-figure-url"] for _, own in found.elements if "data-figure-url" in own]

    figure = json.loads(bob_client.get(first).content)

    assert {trace["meta"]["uid"] for trace in figure["data"]} == {run.uid for run in runs[:2]}
    assert {t["meta"]["uid"]: t["meta"]["slot"] for t in figure["data"]} == {
        run.uid: run.colour for run in runs[:2]
    }
    assert figure["badge"] == "2 runs"


def test_charts_of_the_address_are_shown_instead(runs: Any, bob_client: Client) -> None:
    wanted = "kind=line&y=metric.loss&log=y&zx=0.0..1.0;kind=box&y=metric.score"
    found, _ = charts_of(bob_client, runs, charts=wanted)

    assert texts(found) == wanted.split(";")
    assert "Common metrics" in found.text


def test_a_changed_chart_keeps_what_the_table_shows_now(runs: Any, bob_client: Client) -> None:
    now = f"chosen={chosen(runs)}&only=all&base={runs[0].uid}"
    found, answer = charts_of(bob_client, runs, at=now, charts="kind=line&y=metric.loss&width=3")

    query = parse_qs(urlsplit(answer["HX-Push-Url"]).query)
    assert query["charts"] == ["kind=line&y=metric.loss&width=3"]
    assert query["only"] == ["all"]
    assert query["base"] == [runs[0].uid]
    link = parse_qs(urlsplit(found.href(id="compare-usual_charts")).query)
    assert link["only"] == ["all"]
    assert "charts" not in link


def test_links_of_the_table_keep_the_charts(runs: Any, bob_client: Client) -> None:
    page = read(bob_client.get(PAGE, {"chosen": chosen(runs), "charts": "kind=box&y=metric.loss"}))

    assert "charts=" in page.href(id="compare-only")
    assert "charts=" in page.href(id="compare-add_runs")


def test_removing_the_last_chart_leaves_none_and_says_how_to_get_one(
    runs: Any, bob_client: Client
) -> None:
    found, _ = charts_of(bob_client, runs, charts="kind=box&y=metric.loss")
    (remove,) = [own["href"] for tag, own in found.elements if tag == "a" and "data-removes" in own]
    query = parse_qs(urlsplit(remove).query)

    assert urlsplit(remove).path == PAGE
    bare, _ = charts_of(bob_client, runs, charts=query["charts"][0])
    assert texts(bare) == []
    assert "No charts" in bare.text
    assert bare.href(id="runs-add_chart")


def test_runs_without_a_metric_in_common_say_what_to_do(
    experiment: Any, bob_client: Client
) -> None:
    bare = [make.run(experiment) for _ in range(2)]
    log(bare[0], scalars("loss", [1.0, 2.0]))
    found, _ = charts_of(bob_client, bare)

    assert "No metric in common" in found.text
    assert found.href(id="runs-add_chart")


def test_a_run_taken_out_leaves_the_charts_too_when_they_are_drawn(
    runs: Any, bob_client: Client
) -> None:
    query = {"chosen": chosen(runs), "make": f"without:{runs[2].uid}"}
    plain = read(bob_client.get(PAGE, query, headers=HTMX))
    drawn = read(bob_client.get(PAGE, {**query, "drawn": "1"}, headers=HTMX))

    assert texts(plain) == []
    assert drawn.one("section", id="compare-charts")["hx-swap-oob"] == "true"
    figures = [own["data-figure-url"] for _, own in drawn.elements if "data-figure-url" in own]
    assert figures
    assert not any(runs[2].uid in address for address in figures)


def test_the_editor_leads_back_to_the_comparison(runs: Any, bob_client: Client) -> None:
    now = f"chosen={chosen(runs)}&only=all"
    found, _ = charts_of(bob_client, runs, at=now)
    edit = found.href(id="runs-add_chart")
    form = {key: values[0] for key, values in parse_qs(urlsplit(edit).query).items()}

    page = read(bob_client.get(edit))
    assert "Compare" in page.text
    asked = {**form, "kind": "line", "y": "score", "width": "1", "height": "1", "apply": "1"}
    answer = bob_client.get(urlsplit(edit).path, asked)

    assert answer.status_code == 302
    target = urlsplit(answer["Location"])
    query = parse_qs(target.query)
    assert target.path == PAGE
    assert query["only"] == ["all"]
    assert query["chosen"] == [chosen(runs)]
    added = parse_charts(query["charts"][0])
    assert [chart.label for chart in added] == ["loss", "accuracy", "score", "score"]


def test_another_workspaces_runs_are_not_drawn(runs: Any, bob_client: Client, people: Any) -> None:
    other = make.workspace("other", owner=people.dave)
    theirs = make.run(make.experiment(other, "secret", by=people.dave), by=people.dave)
    log(theirs, scalars("hidden", [1.0, 2.0]))
    found, _ = charts_of(bob_client, [runs[0], theirs])

    assert texts(found) == []
