"""The moment that the tabs of a run share: from a step to a time to a line, and back."""

import io
import re
from typing import Any

import pytest
from django.test import Client

from studio.artifacts.actions import put_artifact
from studio.artifacts.models import MAIN_LOG
from tests import make
from tests.browser import charting
from tests.web import moments
from tests.web.pages import read

pytestmark = [pytest.mark.django_db, pytest.mark.data]

TABS = ("metrics", "images", "logs", "monitoring")


@pytest.fixture
def start(run: Any) -> int:
    """When the run began, ms of Unix time; it is filled."""
    return moments.fill(run)


def figure(client: Client, run: Any, **query: str) -> Any:
    return client.get(f"{run.page_path}/metrics/figure", {"m": "loss", **query}).json()


def test_a_step_is_a_moment_is_a_line_and_the_line_leads_back(
    run: Any, start: int, carol_client: Client
) -> None:
    drawn = figure(carol_client, run)
    clock = drawn["layout"]["meta"]["clock"]
    assert (clock["axis"], clock["start_ms"]) == ("step", start)
    by_step = dict(zip(drawn["data"][0]["x"], clock["after_ms"], strict=True))
    for step, line in ((0, 1), (5, 2), (5 * moments.SPIKE, moments.SPIKE + 1), (295, 60)):
        t = start + by_step[step]
        there = carol_client.get(f"{run.page_path}/logs", {"t": t})["Location"]
        assert there == f"{run.page_path}/logs?path=logs%2Foutput.txt&line={line}&t={t}#L{line}"
        back = carol_client.get(f"{run.page_path}/charts-at-line", {"line": line})
        assert back["Location"] == f"{run.page_path}/metrics?t={t}"
    # Between two lines it is the one that had arrived; after the last one that.
    for after_ms, line in ((14_999, 2), (15_000, 2), (20_001, 3), (599_000, 60)):
        answer = carol_client.get(f"{run.page_path}/logs", {"t": start + after_ms})
        assert answer["Location"].endswith(f"#L{line}")


@pytest.mark.parametrize(
    ("query", "axis", "n"),
    [
        ({}, "step", 60),
        ({"smooth": "0.9"}, "step", 60),
        ({"from": "100", "to": "120"}, "step", 5),
        ({"x": "time"}, "time", None),
        ({"x": "relative"}, "relative", None),
    ],
)
def test_every_drawn_step_has_its_time(
    query: dict[str, str], axis: str, n: int | None, run: Any, start: int, carol_client: Client
) -> None:
    drawn = figure(carol_client, run, **query)
    clock = drawn["layout"]["meta"]["clock"]
    assert (clock["axis"], clock["start_ms"]) == (axis, start)
    if n is None:
        assert "after_ms" not in clock
    else:
        assert clock["after_ms"] == [2_000 * step for step in drawn["data"][0]["x"]]
        assert len(clock["after_ms"]) == n


def test_steps_and_times_stay_pairs_when_points_are_thinned_or_come_twice(
    run: Any, carol_client: Client
) -> None:
    start = round(run.started_at.timestamp() * 1000)
    n = 9_000
    steps = [*range(n), *range(100)]
    times = [start / 1000 + i / 100 for i in range(n + 100)]
    values = [float(i % 977) for i in range(n + 100)]
    charting.log(
        run, {"name": "loss", "kind": "scalar", "steps": steps, "times": times, "values": values}
    )
    drawn = figure(carol_client, run)
    after = drawn["layout"]["meta"]["clock"]["after_ms"]
    x = drawn["data"][0]["x"]
    assert 100 < len(x) == len(after) < n
    assert all(ms in (10 * step, 10 * (n + step)) for step, ms in zip(x, after, strict=True))


def test_the_tabs_and_the_bar_carry_the_moment(run: Any, start: int, carol_client: Client) -> None:
    t = start + 192_000
    for name in ("metrics", "monitoring", "images"):
        page = read(carol_client.get(f"{run.page_path}/{name}", {"t": t, "x": "time"}))
        tabs = [own for tag, own in page.elements if tag == "a" and own.get("class") == "tab"]
        with_moment = [own["href"] for own in tabs if "t=" in own["href"]]
        assert with_moment == [f"{run.page_path}/{tab}?t={t}" for tab in TABS]
        bar = page.one("div", id="runs-moment")
        assert (bar["data-at-ms"], bar["data-start-ms"]) == (str(t), str(start))
        assert "3 m 12 s after the start" in page.text
        unpin = next(own for _, own in page.elements if "data-moment-unpin" in own)
        assert unpin["href"] == f"{run.page_path}/{name}?x=time"
    assert "runs-moment" not in read(carol_client.get(f"{run.page_path}/json?t={t}")).ids()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("t", "words"),
    [
        ("before", "before the start of the run"),
        ("0", "before the start of the run"),
        ("future", "still to come"),
        ("9" * 14, "still to come"),
        ("9" * 400, "no moment"),
        ("-5", "no moment"),
        ("1e999", "no moment"),
        ("NaN", "no moment"),
        ("٣", "no moment"),
        ("<script>alert(1)</script>", "no moment"),
        ("\0", "no moment"),
    ],
)
def test_a_moment_outside_of_the_run_is_left_out_with_words(
    t: str, words: str, run: Any, start: int, carol_client: Client
) -> None:
    t = {"before": str(start - 90_000), "future": str(start + 3_600_000)}.get(t, t)
    for name in TABS:
        answer = carol_client.get(f"{run.page_path}/{name}", {"t": t})
        assert answer.status_code == 200
        page = read(answer)
        assert words in page.text
        assert page.one("div", id="runs-moment")["data-at-ms"] == ""
        assert not re.search(r"[?&]t=", answer.content.decode())


def test_a_file_without_times_is_shown_and_says_so(
    run: Any, start: int, carol_client: Client
) -> None:
    put_artifact(run, "outputs/a.txt", io.BytesIO(b"x\n"), by=make.actor(run.submitter))
    answer = carol_client.get(f"{run.page_path}/logs", {"path": "outputs/a.txt", "t": start})
    assert answer.status_code == 200
    assert "Nobody noted when the lines of this file arrived." in read(answer).text
    for query in ({"path": "outputs/a.txt", "line": 1}, {"line": 99}, {"line": "x"}, {}):
        assert carol_client.get(f"{run.page_path}/charts-at-line", query).status_code == 404


def test_a_run_without_metrics_leads_from_its_log_to_monitoring(
    run: Any, carol_client: Client
) -> None:
    at_ms = round(run.started_at.timestamp() * 1000)
    moments.log_lines(run, [("one\n", at_ms), ("two", at_ms + 5_000)])
    answer = carol_client.get(f"{run.page_path}/charts-at-line", {"path": MAIN_LOG, "line": 2})
    assert answer["Location"] == f"{run.page_path}/monitoring?t={at_ms + 5_000}"


def test_images_show_the_last_one_by_then(run: Any, carol_client: Client) -> None:
    start = moments.fill(run)
    pictures = charting.others("samples", "image", [{"path": f"{i}.png"} for i in range(4)])
    times = [start / 1000 + 30 + 10 * i for i in range(4)]
    charting.log(run, {**pictures, "steps": [0, 10, 20, 30], "times": times})
    for after_ms, step, words in (
        (29_000, 0, "No image was logged by then"),
        (30_000, 0, "the last by then"),
        (59_500, 20, "the last by then"),
        (590_000, 30, "the last by then"),
    ):
        page = read(carol_client.get(f"{run.page_path}/images", {"t": start + after_ms}))
        assert page.one("div", id="runs-images-shown")["data-step"] == str(step)
        assert words in page.text
    # A step that is asked for goes first.
    page = read(carol_client.get(f"{run.page_path}/images", {"t": start + 30_000, "step": "10"}))
    assert "the last by then" not in page.text
