"""Charts above a list of runs."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from studio.custom_views.charts import KINDS, parse_charts
from studio.metrics.actions import record_batch
from studio.runs import actions
from studio.wire import Batch, Series
from tests import make
from tests.rows import all_rows
from tests.web.pages import HTMX, read

LIST, FIGURE, EDIT = "/w/lab/runs", "/w/lab/runs-chart", "/w/lab/runs-chart-edit"
CHARTS = {
    "line": "kind=line&y=metric.loss",
    "scatter": "kind=scatter&x=param.lr&y=metric.loss&z=metric.accuracy",
    "bar": "kind=bar&y=metric.loss",
    "box": "kind=box&y=metric.loss&x=tag.model",
    "parallel": "kind=parallel&y=param.lr,tag.model,metric.loss",
    "contour": "kind=contour&x=param.lr&y=metric.accuracy&z=metric.loss",
}


def log(run: Any, **metrics: list[float]) -> None:
    series = [
        Series(name, "scalar", [1.7e9 + i for i in range(len(values))], values, None)
        for name, values in metrics.items()
    ]
    record_batch(run, Batch(str(uuid.uuid4()), tuple(series)), by=make.actor(run.submitter))


@pytest.fixture
def five(experiment: Any) -> list[Any]:
    """Newest last: four runs with two metrics, a parameter and a tag, and one with nothing."""
    runs = [
        make.run(
            experiment,
            display_name=f"net {i}",
            parameters={"lr": str(10**-i)},
            tags={"model": "bert" if i % 2 else "unet"},
        )
        for i in range(4)
    ]
    for i, run in enumerate(runs):
        log(run, loss=[3.0, 2.0, 1.0 + i], accuracy=[0.1, 0.2 * i])
    return [*runs, make.run(experiment, display_name="bare")]


def figure(client: Client, chart: str, **query: str) -> dict[str, Any]:
    answer = client.get(FIGURE, {"charts": chart, "chart": "0", **query})
    assert answer.status_code == 200
    return dict(json.loads(answer.content))


def test_a_line_is_drawn_for_each_run_in_its_own_colour(
    bob_client: Client, five: list[Any]
) -> None:
    drawn = figure(bob_client, CHARTS["line"])

    by_uid = {trace["meta"]["uid"]: trace for trace in drawn["data"]}
    assert by_uid.keys() == {run.uid for run in five[:4]}
    assert by_uid[five[2].uid]["y"] == [3.0, 2.0, 3.0]
    assert all(by_uid[run.uid]["meta"]["slot"] == run.colour for run in five[:4])
    assert drawn["badge"] == "5 runs · 1 without a value"
    assert drawn["is_live"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_draws_the_runs_that_have_values(
    bob_client: Client, five: list[Any], kind: str
) -> None:
    drawn = figure(bob_client, CHARTS[kind])

    assert drawn["data"]
    assert "5 runs" in drawn["badge"]
    assert drawn["label"].startswith(KINDS[kind])


def test_a_chart_follows_the_filter_and_the_ticks(bob_client: Client, five: list[Any]) -> None:
    filtered = figure(bob_client, CHARTS["line"], q="tag.model:bert")
    assert {t["meta"]["uid"] for t in filtered["data"]} == {five[1].uid, five[3].uid}

    ticked = figure(bob_client, CHARTS["line"], q="tag.model:bert", chosen=five[0].uid)
    assert [t["meta"]["uid"] for t in ticked["data"]] == [five[0].uid]
    assert ticked["badge"] == "1 ticked run"


@pytest.mark.parametrize("kind", ["line", "scatter"])
def test_a_chart_of_some_of_the_ticked_runs_says_of_how_many(
    bob_client: Client, five: list[Any], kind: str
) -> None:
    chosen = ",".join(run.uid for run in five[:2])

    drawn = figure(bob_client, CHARTS[kind], chosen=chosen, ticked="1200")

    assert drawn["badge"] == "2 of 1,200 ticked runs"
    for no_more in ("2", "-7", "x"):
        assert figure(bob_client, CHARTS[kind], chosen=chosen, ticked=no_more)["badge"] == (
            "2 ticked runs"
        )


def test_hidden_lines_and_the_zoom_are_the_address_s(bob_client: Client, five: list[Any]) -> None:
    drawn = figure(bob_client, f"{CHARTS['line']}&hidden={five[0].uid}&zx=0.5..1.5&zy=1..2&log=y")

    hidden = {t["meta"]["uid"] for t in drawn["data"] if t["visible"] == "legendonly"}
    assert hidden == {five[0].uid}
    assert drawn["layout"]["xaxis"]["range"] == [0.5, 1.5]
    assert drawn["layout"]["yaxis"]["range"] == pytest.approx([0.0, 0.30103], abs=1e-5)


def test_a_smoothed_line_keeps_the_raw_one_behind_it(bob_client: Client, five: list[Any]) -> None:
    drawn = figure(bob_client, f"{CHARTS['line']}&smooth=0.9", chosen=five[1].uid)

    assert [trace["meta"]["role"] for trace in drawn["data"]] == ["faint", "line"]
    assert drawn["data"][0]["y"] == [3.0, 2.0, 2.0]
    assert drawn["data"][1]["y"][-1] > 2.5


def test_a_drawn_version_is_not_sent_again(bob_client: Client, five: list[Any]) -> None:
    query = {"charts": CHARTS["line"], "chart": "0"}
    version = figure(bob_client, CHARTS["line"])["version"]
    assert bob_client.get(FIGURE, query | {"v": version}).status_code == 204

    log(five[0], loss=[0.5])
    assert bob_client.get(FIGURE, query | {"v": version}).status_code == 200


def test_the_chart_of_finished_runs_asks_no_more(bob_client: Client, five: list[Any]) -> None:
    for run in five:
        actions.complete_run(run, by=make.actor(run.submitter))

    assert not figure(bob_client, CHARTS["line"])["is_live"]
    assert not figure(bob_client, CHARTS["bar"])["is_live"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_strings_gaps_and_infinite_values_draw_without_an_error(
    bob_client: Client, experiment: Any, kind: str
) -> None:
    nan, inf = float("nan"), float("inf")
    for i, values in enumerate(([nan], [inf, -inf], [2.0], [1e308, -1e308], [5.0, 5.0])):
        run = make.run(experiment, parameters={"lr": ["x", "1", "nan", "1e400", ""][i]})
        log(run, loss=values, accuracy=values)
    make.run(experiment, tags={"model": "%{x}<b>"})

    drawn = figure(bob_client, f"{CHARTS[kind]}&log=xy&clip=1&smooth=0.5")
    # Strict JSON: no NaN, no Infinity.
    json.loads(json.dumps(drawn, allow_nan=False))


def test_names_are_text_in_a_chart(bob_client: Client, experiment: Any) -> None:
    run = make.run(experiment, display_name="<b>%{x}</b>")
    log(run, loss=[1.0, 2.0])

    (trace,) = figure(bob_client, CHARTS["line"])["data"]
    assert trace["name"] == "&lt;b&gt;%{x}&lt;/b&gt;"
    assert "<b>" not in trace["hovertemplate"]
    assert "%{x}" not in trace["hovertemplate"]


def test_the_table_and_the_download_hold_what_is_drawn(bob_client: Client, five: list[Any]) -> None:
    query = {"charts": CHARTS["scatter"], "chart": "0"}
    page = read(bob_client.get("/w/lab/runs-chart-table", query))
    assert {"net 3", "0.001", "loss"} <= set(page.texts)

    csv = bob_client.get("/w/lab/runs-chart-csv", query).content.decode()
    assert csv.splitlines()[0] == "Run,lr,loss,accuracy"
    assert "net 3,0.001,4.0,0.6" in csv.replace("0.6000000000000001", "0.6")


@pytest.mark.parametrize("chart", ["", "1", "-1", "x", "²", "99999"])
def test_a_chart_that_is_not_there_is_not_found(
    bob_client: Client, five: list[Any], chart: str
) -> None:
    assert bob_client.get(FIGURE, {"charts": CHARTS["bar"], "chart": chart}).status_code == 404


def test_another_workspace_s_runs_are_never_drawn(
    five: list[Any], people: Any, bob_client: Client
) -> None:
    room = make.workspace("other", owner=people.dave)
    secret = make.run(make.experiment(room, by=people.dave), by=people.dave)
    log(secret, loss=[1.0])

    assert figure(bob_client, CHARTS["line"], chosen=secret.uid)["data"] == []


# The page and the editor


def links(answer: Any) -> set[str]:
    return {own.get("href", "") for _, own in read(answer).elements}


def charts_of(address: str) -> Any:
    from urllib.parse import parse_qs, urlsplit

    return parse_charts(parse_qs(urlsplit(address).query).get("charts", [""])[0])


def test_each_change_of_a_chart_is_a_link_of_the_list(bob_client: Client, five: list[Any]) -> None:
    both = f"{CHARTS['line']};{CHARTS['bar']}"
    page = bob_client.get(LIST, {"charts": both})
    found = [charts_of(link) for link in links(page) if link.startswith(LIST)]

    kinds = [tuple(chart.kind for chart in some) for some in found]
    assert ("bar",) in kinds  # removed
    assert ("line", "line", "bar") in kinds  # duplicated
    assert ("bar", "line") in kinds  # moved
    assert any(some and some[0].width == 2 for some in found)
    assert any(some and some[0].height == 2 for some in found)


def test_nothing_of_plotly_loads_before_a_chart_is_there(
    bob_client: Client, five: list[Any]
) -> None:
    for query in ({}, {"charts": CHARTS["line"]}):
        sources = [
            own.get("src", "")
            for tag, own in read(bob_client.get(LIST, query)).elements
            if tag == "script"
        ]
        assert not [source for source in sources if "plotly" in source]


def test_the_form_adds_a_chart_to_the_list(bob_client: Client, five: list[Any]) -> None:
    form = {"kind": "scatter", "x": "param.lr", "y": "loss", "z": "", "log": "x", "apply": "1"}
    answer = bob_client.get(EDIT, {"q": "net", "charts": CHARTS["bar"], "chart": "1", **form})

    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{LIST}?q=net")
    first, second = charts_of(answer["Location"])
    assert first.kind == "bar"
    assert str(second) == "kind=scatter&x=param.lr&y=metric.loss&log=x"


def test_a_form_with_a_mistake_keeps_what_was_typed(bob_client: Client, five: list[Any]) -> None:
    form = {"kind": "line", "y": "status", "title": "my chart", "apply": "1"}
    answer = bob_client.get(EDIT, {"chart": "0", **form}, headers=HTMX)

    assert answer.status_code == 422
    page = read(answer)
    assert "A line draws metrics; Status is none." in page.text
    assert page.one("input", id="chart-y-0")["value"] == "status"
    assert page.one("input", id="chart-title")["value"] == "my chart"


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_form_without_columns_asks_for_them(
    bob_client: Client, five: list[Any], kind: str
) -> None:
    answer = bob_client.get(EDIT, {"kind": kind, "apply": "1"})

    assert answer.status_code == 422
    assert "Choose what to draw." in read(answer).text


def test_a_new_chart_begins_with_a_metric_of_the_workspace(
    bob_client: Client, five: list[Any]
) -> None:
    page = read(bob_client.get(EDIT))
    assert page.one("input", id="chart-y-0")["value"] == "metric.accuracy"

    page = read(bob_client.get(EDIT, {"columns": "name,metric.loss:min"}))
    assert page.one("input", id="chart-y-0")["value"] == "metric.loss"


def test_looking_at_charts_writes_nothing(bob_client: Client, five: list[Any]) -> None:
    before = all_rows()
    bob_client.get(LIST, {"charts": ";".join(CHARTS.values())})
    for chart in CHARTS.values():
        figure(bob_client, chart)
    bob_client.get(EDIT, {"kind": "line", "y": "loss", "apply": "1"})

    assert all_rows() == before


def test_a_zoom_of_moments_is_written_in_seconds(bob_client: Client, five: list[Any]) -> None:
    chart = "kind=line&y=metric.loss&axis=time&zx=1700000000.0..1700000002.0"

    assert figure(bob_client, chart)["layout"]["xaxis"]["range"] == [1.7e12, 1.700000002e12]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_chart_without_a_value_says_so(bob_client: Client, experiment: Any, kind: str) -> None:
    make.run(experiment)

    drawn = figure(bob_client, CHARTS[kind])
    assert drawn["badge"] == "No run has a value to draw · 1 run"
    assert drawn["layout"]["annotations"][0]["text"] == "No run has a value to draw"


def test_parallel_coordinates_hold_each_run_once(bob_client: Client, five: list[Any]) -> None:
    drawn = figure(bob_client, "kind=parallel&y=submitted,param.lr,tag.model,metric.loss")

    bundles = [trace for trace in drawn["data"] if trace["meta"]["role"] == "shade"]
    assert sorted(uid for trace in bundles for uid in trace["meta"]["uids"]) == sorted(
        run.uid for run in five
    )
    assert all(len(t["y"]) == 5 * len(t["meta"]["uids"]) for t in bundles)
    assert [axis["key"] for axis in drawn["layout"]["meta"]["axes"]] == [
        "submitted",
        "param.lr",
        "tag.model",
        "metric.loss",
    ]
    assert "none" in [note["text"] for note in drawn["layout"]["annotations"]]


def test_another_order_asks_for_the_same_figure_of_all_runs(
    bob_client: Client, five: list[Any]
) -> None:
    def addresses(**query: str) -> list[str]:
        html = read(bob_client.get(LIST, {"charts": CHARTS["scatter"], **query}))
        return [own["data-figure-url"] for _, own in html.elements if "data-figure-url" in own]

    assert addresses() == addresses(order="name", columns="name,status", group="status")


def test_the_form_offers_some_of_thousands_of_names(bob_client: Client, experiment: Any) -> None:
    run = make.run(experiment)
    for part in range(4):
        log(run, **{f"layer-{part}-{i}": [1.0] for i in range(500)})

    answer = bob_client.get(EDIT, {"chart": "0"})
    assert answer.status_code == 200
    assert 0 < answer.content.decode().count('<option value="metric.') <= 200
