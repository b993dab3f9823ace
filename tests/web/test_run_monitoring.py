"""The tab Monitoring: hosts, charts, tables, CSV, and that no machine disturbs the metrics."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from studio.runs import actions
from tests import make
from tests.browser.charting import T0, log
from tests.web.pages import HTMX, read

pytestmark = pytest.mark.django_db

GB = 1e9
HOSTILE = "<img src=x onerror=alert(1)>\N{RIGHT-TO-LEFT OVERRIDE}&\"'%{y}"


def samples(name: str, values: list[Any], *, every_s: int = 5) -> dict[str, Any]:
    steps = [every_s * i for i in range(len(values))]
    times = [T0 + step for step in steps]
    return {"name": name, "kind": "scalar", "steps": steps, "times": times, "values": values}


def log_host(run: Any, host: str, n: int = 4) -> None:
    """What the studio's own sampler sends, for a host with two GPUs."""
    keys = {
        "cpu_percent": 98.5,
        "host_cpu_percent": 130.0,
        "memory_bytes": 1.5 * GB,
        "host_memory_used_bytes": 9 * GB,
        "process_count": 3,
        "disk_read_bytes_per_second": 2e6,
        "disk_write_bytes_per_second": 5e5,
        "network_receive_bytes_per_second": 0,
        "gpu/0/utilization_percent": 93,
        "gpu/1/utilization_percent": 12,
        "gpu/0/memory_used_bytes": 6 * GB,
    }
    facts = {"cpu_count": 8, "host_memory_total_bytes": 32 * GB, "gpu_count": 2}
    log(
        run,
        *[
            samples(f"system/{host}/{key}", [value * (0.8 + 0.05 * (i % 4)) for i in range(n)])
            for key, value in keys.items()
        ],
        *[samples(f"system/{host}/{key}", [value]) for key, value in facts.items()],
    )


def get(client: Client, run: Any, name: str = "run-monitoring", **query: Any) -> Any:
    headers = query.pop("headers", {})
    return client.get(reverse(name, args=["lab", run.uid]), query, headers=headers)


def heads(answer: Any) -> list[str]:
    """The titles of the charts, in order."""
    page = read(answer)
    assert len(page.ids()) == len(set(page.ids()))
    return [own["title"] for tag, own in page.elements if tag == "h3" and "title" in own]


def test_each_host_has_its_charts_in_words_and_units(run: Any, carol_client: Client) -> None:
    log_host(run, "node2")
    log_host(run, "node10")
    answer = get(carol_client, run)

    titles = ("CPU", "Memory", "GPU", "GPU memory", "Disk", "Network", "Processes")
    assert heads(answer) == [f"{t} of {h}" for h in ("node2", "node10") for t in titles]
    text = read(answer).text
    for words in ("2 hosts", "8 cores", "32 GB memory", "2 GPUs", "CPU · %", "MB/s"):
        assert words in text
    assert "Chart of Memory, node2: last Run's processes 1.425 GB, Host, used 8.55 GB" in (
        answer.content.decode().replace("&#39;", "'")
    )


def test_what_mlflow_logs_is_shown_too_and_what_nobody_knows(run: Any, bob_client: Client) -> None:
    log(
        run,
        samples("system/cpu_utilization_percentage", [10, 20]),
        samples("system/gpu_0_memory_usage_megabytes", [1500.0]),
        samples("system/gpu_11_memory_usage_megabytes", [500.0]),
        samples("system/gpu_2_memory_usage_megabytes", [500.0]),
        samples("system/worker-a/network_receive_megabytes", [3.0]),
        samples("system/worker-a/fan speed", [3.0]),
        samples("system/", [1.0]),
    )
    assert heads(get(bob_client, run)) == [
        *("CPU in use of Machine without a name", "GPU memory of Machine without a name"),
        "No name of Machine without a name",
        *("Network since the start of worker-a", "fan speed of worker-a"),
    ]
    figure = get(bob_client, run, "run-monitoring-figure", host="", panel="gpu_memory").json()
    assert [trace["name"] for trace in figure["data"]] == ["GPU 0", "GPU 2", "GPU 11"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "GB"
    assert figure["data"][0]["y"] == [1.5]


@pytest.mark.parametrize(
    ("axis", "first"), [("", "2026-11-18 11:06:40.000000"), ("relative", None)]
)
def test_a_figure_is_over_wall_time_or_the_time_since_the_start(
    axis: str, first: str | None, run: Any, bob_client: Client
) -> None:
    log_host(run, "node2")
    query = {"host": "node2", "panel": "memory", **({"x": axis} if axis else {})}
    figure = get(bob_client, run, "run-monitoring-figure", **query).json()

    assert [trace["name"] for trace in figure["data"]] == ["Run's processes", "Host, used"]
    assert figure["data"][0]["y"] == pytest.approx([1.2, 1.275, 1.35, 1.425])
    assert figure["badge"] == "4 samples"
    x = figure["data"][0]["x"]
    assert x[0] == first or x[0] == pytest.approx(T0 - run.started_at.timestamp())
    low = T0 + 4 - (run.started_at.timestamp() if axis else 0)
    query |= {"from": repr(low), "to": repr(low + 7)}
    part = get(bob_client, run, "run-monitoring-figure", **query).json()
    assert part["data"][0]["x"] == x[1:3]


def test_news_come_only_when_there_are_some(run: Any, bob_client: Client, people: Any) -> None:
    assert "No samples yet" in get(bob_client, run).content.decode()
    log_host(run, "node2")
    query = {"host": "node2", "panel": "cpu"}
    first = get(bob_client, run, "run-monitoring-figure", **query).json()
    assert first["is_live"] is True
    query["v"] = first["version"]
    assert get(bob_client, run, "run-monitoring-figure", **query).status_code == 204

    live_url = read(get(bob_client, run)).one("section", id="runs-monitoring")["hx-get"]
    assert bob_client.get(live_url, headers=HTMX).status_code == 204
    log_host(run, "node3")
    assert "node3" in bob_client.get(live_url, headers=HTMX).content.decode()

    actions.complete_run(run, by=make.actor(people.bob))
    assert get(bob_client, run, "run-monitoring-figure", **query).json()["is_live"] is False
    assert "hx-get" not in read(bob_client.get(live_url, headers=HTMX)).one(
        "section", id="runs-monitoring"
    )


def test_of_many_hosts_the_first_are_shown_and_others_are_one_click_away(
    run: Any, bob_client: Client
) -> None:
    for i in range(25):
        log(run, samples(f"system/node{i}/cpu_percent", [1.0 + i]))
    answer = get(bob_client, run)

    assert heads(answer) == [f"CPU of node{i}" for i in range(4)]
    assert "4 of 25 hosts shown" in read(answer).text
    other = get(bob_client, run, host=["node20", "node3", "nowhere"])
    assert heads(other) == ["CPU of node3", "CPU of node20"]
    assert "no samples of “nowhere”" in read(other).text
    assert heads(get(bob_client, run, host="nowhere")) == heads(answer)


def test_tables_and_csv_hold_the_same_samples(run: Any, bob_client: Client) -> None:
    log_host(run, "node2", n=300)
    whole = get(bob_client, run, **{"as": "table"})
    assert "data-figure-url" not in whole.content.decode()
    assert "Run's processes (GB)" in read(whole).text

    asked = {"host": "node2", "panel": "memory"}
    table = read(get(bob_client, run, "run-monitoring-table", **asked))
    assert "100 more of 300 rows" in table.text
    answer = get(bob_client, run, "run-monitoring-csv", **asked)
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode())))
    assert rows[0] == [
        "time",
        "system/node2/memory_bytes",
        "system/node2/host_memory_used_bytes",
    ]
    assert len(rows) == 301
    assert rows[1] == ["2026-11-18T11:06:40.000Z", "1200000000.0", "7200000000.0"]


def test_a_hostile_host_is_only_a_name(run: Any, bob_client: Client) -> None:
    log_host(run, HOSTILE)
    log(run, samples(f"system/{HOSTILE}/<b>fans</b>", [3.0]))
    text = get(bob_client, run).content.decode()
    assert "<img" not in text
    assert "<b>fans" not in text
    url = read(get(bob_client, run)).elements
    figures = [own["data-figure-url"] for _, own in url if "data-figure-url" in own]
    assert len(figures) == 8
    for one in figures:
        for trace in bob_client.get(one).json()["data"]:
            assert "<" not in trace["name"]


@pytest.mark.parametrize(
    "query", [{}, {"host": "node2"}, {"host": "node2", "panel": "moon"}, {"panel": "cpu"}]
)
@pytest.mark.parametrize("name", ["figure", "table", "csv"])
def test_a_chart_that_there_is_not_is_not_found(
    query: dict[str, str], name: str, run: Any, bob_client: Client
) -> None:
    log_host(run, "node2")
    assert get(bob_client, run, f"run-monitoring-{name}", **query).status_code == 404


def test_a_run_over_without_samples_says_how_to_have_some(
    run: Any, bob_client: Client, people: Any
) -> None:
    actions.complete_run(run, by=make.actor(people.bob))
    text = read(get(bob_client, run)).text
    assert "No samples" in text
    assert "pip install psutil nvidia-ml-py" in text
    assert "mlflow.enable_system_metrics_logging()" in text
