"""The tab Metrics: page, part, figure, table and CSV, for everybody who may and may not ask."""

import csv
import io

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from studio.metrics import curves
from studio.runs import actions
from tests import make
from tests.browser import charting
from tests.web.pages import read

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def address(run, name="run-metrics"):
    return reverse(name, args=["lab", run.uid])


def get(client, run, name="run-metrics", htmx=False, **query):
    return client.get(address(run, name), query, headers=HTMX if htmx else {})


@pytest.fixture
def full(run):
    charting.log_every_kind(run)
    return run


def names_listed(answer) -> int:
    return answer.content.decode().count('name="m"')


@pytest.mark.parametrize("who", ["alice", "bob", "carol"])
def test_every_member_sees_the_first_six_metrics(who, full, people) -> None:
    answer = get(make.client(getattr(people, who)), full)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert text.count("data-figure-url") == 6 - text.count("runs-points-")
    assert names_listed(answer) == 11


@pytest.mark.parametrize(
    "name", ["run-metrics", "run-figure", "run-metric-table", "run-metric-csv"]
)
def test_an_outsider_gets_the_same_404_as_for_nothing(name, full, dave_client) -> None:
    assert get(dave_client, full, name, m="loss").status_code == 404


def test_the_part_for_htmx_is_the_part_of_the_page_and_pushes_a_clean_address(full, bob_client):
    answer = get(bob_client, full, htmx=True, m="loss", find="", x="step", smooth="0")

    text = answer.content.decode()
    assert text.lstrip().startswith("<section")
    assert "<html" not in text
    assert answer["HX-Push-Url"] == f"{address(full)}?m=loss"
    assert "HX-Request" in answer["Vary"]


def test_the_address_holds_the_whole_state(full, bob_client) -> None:
    query = {"m": ["loss", "once"], "x": "relative", "smooth": "0.5", "log": "1"}
    text = bob_client.get(address(full), query).content.decode()

    assert "figure?m=loss&amp;x=relative&amp;smooth=0.5&amp;log=1" in text
    assert 'value="relative" selected' in text
    assert text.count("checked") == 3


@pytest.mark.parametrize(
    "query", [{"x": "moon"}, {"smooth": "nan"}, {"smooth": "-3"}, {"smooth": "x"}, {"m": "no such"}]
)
def test_a_wrong_choice_is_no_error(query, full, bob_client) -> None:
    assert get(bob_client, full, **query).status_code == 200


def test_two_thousand_names_stay_usable_by_search(run, bob_client) -> None:
    charting.log(run, *[charting.scalars(f"layer{i:04}/norm", [1.0]) for i in range(2000)])

    whole = get(bob_client, run)
    assert names_listed(whole) == 200
    assert "1,800 more, refine the search" in whole.content.decode()
    found = get(bob_client, run, find="LAYER1999", htmx=True)
    # The match, and the six that are shown.
    assert names_listed(found) == 7
    assert "layer1999/norm" in found.content.decode()


def test_a_run_without_metrics_says_how_to_log_one(run, bob_client) -> None:
    assert "No metrics yet" in get(bob_client, run).content.decode()


def test_tables_show_values_newest_first_in_place_of_charts(full, bob_client) -> None:
    text = get(bob_client, full, m="loss", **{"as": "table"}).content.decode()

    assert "data-figure-url" not in text
    assert "plotly.min.js" not in text
    assert "200 more of 400 rows" in text


@pytest.mark.parametrize(
    ("name", "n_traces"),
    [
        *[("loss", 1), ("weights", 1), ("grid", 1), ("matrix", 1), ("errors", 1)],
        *[("predicted", 4), ("holes", 2), ("note", 1)],
    ],
)
def test_each_kind_answers_a_figure(name, n_traces, full, bob_client) -> None:
    figure = get(bob_client, full, "run-figure", m=name).json()

    assert len(figure["data"]) == n_traces
    assert figure["is_live"] is True


def test_an_accuracy_table_has_five_charts_of_three_classes_and_their_averages(full, bob_client):
    text = get(bob_client, full, m="table of accuracy").content.decode()

    assert text.count("data-figure-url") == 5
    for variant in ("roc", "pr", "lift", "gains"):
        answer = get(bob_client, full, "run-figure", m="table of accuracy", variant=variant)
        names = [trace["name"].split(" (")[0] for trace in answer.json()["data"]]
        assert names[:3] == ["ash", "birch", "&lt;b&gt;cedar&lt;/b&gt;"]
        assert names[3:] == ["micro average", "macro, dashed", "weighted, dotted", "chance"]


def test_texts_are_drawn_over_the_steps_and_many_different_ones_are_a_table(run, bob_client):
    phases = ["warm-up", "warm-up", "train", "train", None]
    charting.log(run, charting.others("phase", "text", phases))
    charting.log(run, charting.others("note", "text", [f"line {i}" for i in range(13)]))

    figure = get(bob_client, run, "run-figure", m="phase").json()
    assert figure["data"][0]["x"] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert figure["data"][0]["text"] == ["warm-up", "warm-up", "train", "train", "–"]
    assert figure["layout"]["yaxis"]["ticktext"] == ["warm-up", "train", "–"]
    assert get(bob_client, run, "run-figure", m="note").json()["data"] == []
    text = get(bob_client, run).content.decode()
    assert text.count("data-figure-url") == 1
    assert "line 12" in text


def test_nothing_is_sent_while_nothing_is_new_and_once_more_at_the_end(full, bob_client, people):
    first = get(bob_client, full, "run-figure", m="loss").json()
    assert get(bob_client, full, "run-figure", m="loss", v=first["version"]).status_code == 204

    charting.log(full, charting.scalars("loss", [9.0], first=400))
    second = get(bob_client, full, "run-figure", m="loss", v=first["version"]).json()
    assert second["data"][0]["y"][-1] == 9.0

    actions.complete_run(full, by=make.actor(people.bob))
    last = get(bob_client, full, "run-figure", m="loss", v=second["version"]).json()
    assert last["is_live"] is False


def test_a_long_line_is_thinned_without_losing_its_spike_and_a_zoom_is_finer(run, bob_client):
    values = [0.0] * 48_300
    values[31_234] = 1000.0
    charting.log(run, charting.scalars("loss", values))

    whole = get(bob_client, run, "run-figure", m="loss").json()
    shown = len(whole["data"][0]["y"])
    assert 1000.0 in whole["data"][0]["y"]
    assert whole["is_thinned"]
    assert whole["badge"] == f"{shown:,} of 48,300 points, min/max kept"
    part = get(bob_client, run, "run-figure", m="loss", **{"from": "31000", "to": "31999.5"}).json()
    assert {float(step) for step in range(31_000, 32_000)} <= set(part["data"][0]["x"])


@pytest.mark.parametrize("x", ["step", "relative", "time"])
def test_a_line_too_long_to_read_whole_says_what_all_of_it_holds(x, run, bob_client, monkeypatch):
    monkeypatch.setattr(curves, "READ_WHOLE", 20_000)
    values = np.sin(np.arange(60_000) / 500) + 2
    values[[31_234, 45_001]] = 1000.0, -5.0
    values[31_000:31_010] = np.nan
    charting.log(run, charting.scalars("loss", values.tolist()))

    whole = get(bob_client, run, "run-figure", m="loss", x=x, log="1").json()
    shown = whole["data"][0]["y"]
    assert {1000.0, -5.0, values[0], values[-1]} <= set(shown)
    assert None in shown
    thinned, *more = whole["badge"].split(" · ")
    assert thinned == f"{len(shown):,} of 60,000 points, min/max kept"
    assert more == ["10 NaN or infinite", "1 not above 0 left out"]
    first = charting.T0 - (run.started_at.timestamp() if x == "relative" else 0)
    ends = {"from": "30000"} if x == "step" else {"from": str(first + 30_000)}
    part = get(bob_client, run, "run-figure", m="loss", x=x, **ends).json()
    assert " of 30,000 points, min/max kept · 10 NaN" in part["badge"]
    assert part["data"][0]["y"][0] == values[30_000]


@pytest.mark.parametrize("x", ["relative", "time"])
def test_a_zoom_on_a_time_axis_is_in_seconds(x, full, bob_client) -> None:
    start = charting.T0 - (full.started_at.timestamp() if x == "relative" else 0)
    query = {"m": "loss", "x": x, "from": str(start + 100), "to": str(start + 200)}
    figure = bob_client.get(address(full, "run-figure"), query).json()

    # Five in a hundred more on either side.
    assert len(figure["data"][0]["y"]) == 111


def test_smoothing_draws_the_line_over_what_was_logged(full, bob_client) -> None:
    raw, smooth = get(bob_client, full, "run-figure", m="loss", smooth="0.9").json()["data"]

    assert raw["meta"]["role"] == "faint"
    assert smooth["meta"]["slot"] == full.colour
    assert raw["y"] != smooth["y"]


def test_what_a_line_cannot_show_is_said(full, bob_client) -> None:
    badge = get(bob_client, full, "run-figure", m="weights", log="1").json()["badge"]

    assert badge == "4 points · 1 not above 0 left out"
    assert "2 NaN or infinite" in get(bob_client, full, "run-figure", m="holes").json()["badge"]


def test_an_unknown_metric_is_not_found(full, bob_client) -> None:
    for name in ("run-figure", "run-metric-table", "run-metric-csv"):
        assert get(bob_client, full, name, m="no such").status_code == 404


def rows_of(answer):
    assert answer.streaming
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_csv_holds_every_point_exactly(full, bob_client) -> None:
    answer = get(bob_client, full, "run-metric-csv", m="loss")

    rows = rows_of(answer)
    assert "attachment" in answer["Content-Disposition"]
    assert rows[0] == ["step", "time", "value"]
    assert len(rows) == 401
    drawn = get(bob_client, full, "run-figure", m="loss").json()["data"][0]["y"]
    assert [float(row[2]) for row in rows[1:]] == drawn


def test_no_cell_of_the_csv_is_a_formula(run, bob_client) -> None:
    nasty = ["=2+5", "+1", "-1", "@x", "\t=1", "fine"]
    charting.log(
        run,
        charting.others("note", "text", nasty),
        charting.others("grid", "table", [{"=cmd": "=1", "n": -1.5}]),
        charting.scalars("loss", [-0.25]),
    )

    cells = [row[2] for row in rows_of(get(bob_client, run, "run-metric-csv", m="note"))[1:]]
    assert cells == [f"'{text}" for text in nasty[:-1]] + ["fine"]
    header, row = rows_of(get(bob_client, run, "run-metric-csv", m="grid"))
    assert (header[2:], row[2:]) == (["'=cmd", "n"], ["'=1", "-1.5"])
    assert rows_of(get(bob_client, run, "run-metric-csv", m="loss"))[1][2] == "-0.25"


def test_names_with_markup_are_shown_as_text(run, bob_client) -> None:
    charting.log(run, charting.scalars("<script>alert(1)</script>", [1.0]))

    text = get(bob_client, run).content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_plotly_is_loaded_on_pages_with_charts_only(full, bob_client) -> None:
    assert "plotly.min.js" in get(bob_client, full).content.decode()
    assert "plotly" not in get(bob_client, full, "run-detail").content.decode()


def test_the_page_asks_the_same_number_of_queries_for_any_number_of_metrics(
    run, bob_client, django_assert_max_num_queries
) -> None:
    charting.log(run, *[charting.scalars(f"m{i}", [1.0]) for i in range(300)])

    with django_assert_max_num_queries(18):
        bob_client.get(address(run), {"m": [f"m{i}" for i in range(20)]})
    with django_assert_max_num_queries(7):
        get(bob_client, run, "run-figure", m="m7")


def test_curves_are_drawn_before_tables_when_nothing_is_ticked(run, bob_client) -> None:
    charting.log(run, charting.others("a table", "table", [{"x": 1}]))
    charting.log(run, *[charting.scalars(f"loss {i}", [1.0]) for i in range(6)])

    text = get(bob_client, run).content.decode()
    assert 'id="name-' in text
    assert text.count("data-figure-url") == 6
    assert ' title="a table">a table</h2>' not in text


# ------------------------------------------------------------------------- tables while it runs


def live_url_of(answer) -> str:
    """Where the only table of an answer asks for its news, "" when it does not."""
    (part,) = [own for tag, own in read(answer).elements if "data-points" in own]
    assert part.get("hx-trigger", "every 2s") == "every 2s"
    assert part.get("hx-target", "this") == "this"
    return part.get("hx-get", "")


@pytest.mark.parametrize("asked", ["page", "part"])
def test_a_table_asks_for_its_news_until_the_run_is_over(asked, run, bob_client) -> None:
    charting.log(run, charting.scalars("loss", [0.5, 0.4]))
    first = (
        get(bob_client, run, m="loss", **{"as": "table"})
        if asked == "page"
        else get(bob_client, run, "run-metric-table", m="loss")
    )
    url = live_url_of(first)
    assert bob_client.get(url).status_code == 204

    charting.log(run, charting.scalars("loss", [0.125], first=2))
    second = bob_client.get(url)
    assert "0.125" in read(second).texts
    assert read(second).ids("runs-points-") == read(first).ids("runs-points-")
    assert live_url_of(second) != url

    actions.complete_run(run, by=make.actor(run.submitter))
    last = bob_client.get(live_url_of(second))
    assert (last.status_code, live_url_of(last)) == (200, "")
    assert live_url_of(get(bob_client, run, m="loss", **{"as": "table"})) == ""


def test_texts_shown_as_a_table_among_charts_are_live_too(run, bob_client) -> None:
    notes = [f"note {i}" for i in range(20)]
    charting.log(run, charting.others("note", "text", notes))
    url = live_url_of(get(bob_client, run, m="note"))
    charting.log(run, charting.others("note", "text", ["the end"]))

    assert "the end" in read(bob_client.get(url)).texts


def test_no_news_cost_no_reading_of_points(run, bob_client) -> None:
    charting.log(run, charting.scalars("loss", [0.5] * 9))
    url = live_url_of(get(bob_client, run, "run-metric-table", m="loss"))
    with CaptureQueriesContext(connection) as seen:
        assert bob_client.get(url).status_code == 204
    assert not [one for one in seen.captured_queries if "metrics_metricchunk" in one["sql"]]


def test_tables_of_two_charts_of_one_metric_are_two_parts(full, bob_client) -> None:
    page = read(get(bob_client, full, m="table of accuracy"))
    links = [own["href"] for tag, own in page.elements if "data-table-link" in own]
    ids = [read(bob_client.get(link)).ids("runs-points-")[0] for link in links]

    assert len(set(ids)) == len(links) > 1
