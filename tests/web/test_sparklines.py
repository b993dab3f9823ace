"""Lines of the size of a word beside the last values: what is drawn, from how much, and when."""

from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.metrics.models import Metric
from studio.web import sparklines
from studio.web.sparklines import HEIGHT, MAX_POINTS, WIDTH, polyline
from tests.browser import charting
from tests.web.pages import read

INFINITY, NAN = float("inf"), float("nan")


def points_of(line: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in (pair.split(",") for pair in line.split())]


def drawn(y: list[float], x: list[float] | None = None) -> list[tuple[int, int]]:
    steps = np.array(range(len(y)) if x is None else x, np.float64)
    return points_of(polyline(steps, np.array(y, np.float64)))


def lines_on(client: Client, run: Any, page: str = "") -> dict[str, str]:
    """Name of a metric -> points of its line, of the cards of the details of a run."""
    found: dict[str, str] = {}
    name = ""
    for tag, own in read(client.get(f"/w/lab/runs/{run.uid}{page}")).elements:
        if "value-name" in own.get("class", ""):
            name = own["title"]
        elif tag == "polyline" and name:
            found[name] = own["points"]
    return found


def test_a_line_goes_from_edge_to_edge_and_from_the_least_to_the_greatest() -> None:
    assert drawn([1.0, 3.0, 2.0]) == [(3, 29), (64, 3), (125, 16)]


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([7.0, 7.0], [(3, 16), (125, 16)]),
        ([NAN, 1.0, NAN, 2.0, INFINITY], [(3, 29), (125, 3)]),
        ([-1.7e308, 1.7e308], [(3, 29), (125, 3)]),
        ([1.0], []),
        ([1.0, NAN, -INFINITY], []),
        ([], []),
    ],
)
def test_odd_numbers_are_drawn_as_far_as_they_can_be(
    y: list[float], expected: list[tuple[int, int]]
) -> None:
    assert drawn(y) == expected


def test_points_of_one_step_are_drawn_beside_each_other() -> None:
    assert drawn([1.0, 2.0, 1.0], x=[5.0, 5.0, 5.0]) == [(3, 29), (64, 3), (125, 29)]


def test_of_many_points_few_are_drawn_and_no_spike_is_lost() -> None:
    y = [0.0] * 5_000
    y[3_333] = 1.0
    found = drawn(y)

    assert len(found) <= MAX_POINTS + 2
    assert [place for place in found if place[1] == 3] == [(round(3 + 122 * 3_333 / 4_999), 3)]
    assert all(0 < x < WIDTH and 0 < place < HEIGHT for x, place in found)


def test_the_details_draw_numbers_with_two_finite_points_alone(
    run: Any, carol_client: Client
) -> None:
    charting.log(
        run,
        charting.scalars("loss", [3.0, 2.0, 1.0]),
        charting.scalars("once", [3.0]),
        charting.scalars("lost", [NAN, NAN, 1.0]),
        charting.others("note", "text", ["a", "b"]),
    )
    page = read(carol_client.get(f"/w/lab/runs/{run.uid}"))

    assert lines_on(carol_client, run) == {"loss": "3,3 64,16 125,29"}
    svg = page.one("svg", **{"class": "sparkline"})
    assert (svg["aria-hidden"], svg["stroke"]) == ("true", "currentColor")
    assert lines_on(carol_client, run, "/values") == lines_on(carol_client, run)


def test_many_long_series_cost_one_query_and_a_bounded_reading(
    run: Any, carol_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        charting.log(run, charting.scalars(name, [float(i % 7) for i in range(9_000)]))
    with CaptureQueriesContext(connection) as seen:
        assert set(lines_on(carol_client, run, "/values")) == {"a", "b", "c"}
    assert len([one for one in seen.captured_queries if "metricchunk" in one["sql"]]) == 1

    # Each has a full chunk, read by its outline, and 808 more points.
    monkeypatch.setattr(sparklines, "READ_WHOLE", 2 * (256 + 808))
    assert set(lines_on(carol_client, run, "/values")) == {"a", "b"}


def test_no_news_read_no_points(run: Any, carol_client: Client) -> None:
    charting.log(run, charting.scalars("loss", [3.0, 2.0]))
    values = carol_client.get(f"/w/lab/runs/{run.uid}/values")
    news = read(values).one("section", id="runs-values")["hx-get"]
    with CaptureQueriesContext(connection) as seen:
        assert carol_client.get(news).status_code == 204
    assert not [one for one in seen.captured_queries if "metricchunk" in one["sql"]]


def test_a_run_without_numbers_asks_for_none(run: Any) -> None:
    charting.log(run, charting.others("note", "text", ["a", "b"]))
    with CaptureQueriesContext(connection) as seen:
        assert sparklines.sparklines(list(Metric.objects.filter(run=run))[:0]) == {}
        assert sparklines.sparklines(list(Metric.objects.filter(run=run))) == {}
    assert len(seen) == 2
