"""Metrics of machines stand apart: offered nowhere, found by their exact name."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from studio.runs.models import Run
from studio.search import distinct
from studio.search.apply import search
from studio.search.column_finder import find_columns
from studio.search.comparing import Asked, common_metrics, compare, runs_to_compare
from studio.search.suggest import suggest
from studio.web.run_filters_choices import name_choices
from tests import make
from tests.browser.charting import log, scalars
from tests.web.pages import read

pytestmark = [pytest.mark.django_db, pytest.mark.data]

# Names around those of machines, in the order of the alphabet; a capital is not the same.
ORDINARY = ["System/x", "aloss", "system", "system.x", "system0", "systems", "zloss"]
MACHINES = ["system/", "system/a/cpu_percent", "system/zz/gpu/0/power_watts"]


@pytest.fixture
def runs(experiment: Any) -> list[Any]:
    """Two runs that log all of them, and one that is only measured."""
    made = [make.run(experiment) for _ in range(3)]
    for i, run in enumerate(made):
        names = [*MACHINES, *(ORDINARY if i < 2 else ())]
        log(run, *[scalars(name, [float(i), i + 1.0]) for name in names])
    return made


def seen(room: Any, runs: list[Any]) -> dict[str, set[str]]:
    """What each place offers to choose from."""
    found = runs_to_compare(room, [run.uid for run in runs])
    sections = compare(found, Asked(only_differences=False))
    rows = next(section.rows for section in sections if section.key == "metrics")
    places: dict[str, Callable[[], Any]] = {
        "names": lambda: distinct.names("metric", room.pk, limit=100),
        "from one on": lambda: distinct.names("metric", room.pk, start="system/b", limit=100),
        "columns": lambda: (one.name for one in find_columns(room, "metric.system")),
        "suggestions": lambda: (one.label for one in suggest(room, "metric.sys", 10)),
        "filters": lambda: name_choices(room, "metric", "system"),
        "compare": lambda: (row.name for row in rows),
        "common": lambda: (one.name for one in common_metrics(found)),
    }
    return {place: set(offer()) for place, offer in places.items()}


def test_no_place_offers_them(workspace: Any, runs: list[Any]) -> None:
    every = set(ORDINARY)
    assert seen(workspace, runs) == {
        "names": every,
        "from one on": {name for name in ORDINARY if name > "system/b"},
        "columns": every - {"aloss", "zloss"},
        "suggestions": every - {"aloss", "zloss"},
        "filters": every - {"aloss", "zloss"},
        "compare": every,
        "common": every,
    }


@pytest.mark.parametrize("limit", range(1, 9))
def test_a_limit_counts_the_others_only(limit: int, workspace: Any, runs: list[Any]) -> None:
    assert len(distinct.names("metric", workspace.pk, limit=limit)) == min(limit, len(ORDINARY))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('metric."system/a/cpu_percent">2', [2]),
        ('metric."system/a/cpu_percent":max<=2', [0, 1]),
        ('has:metric."system/a/cpu_percent"', [0, 1, 2]),
        ("has:metric", [0, 1]),
    ],
)
def test_search_finds_them_by_name(
    query: str, found: list[int], workspace: Any, runs: list[Any], people: Any
) -> None:
    matching = search(Run.objects.of(workspace), query, user=people.bob, workspace=workspace)
    assert {run.pk for run in matching} == {runs[i].pk for i in found}


def test_pages_count_and_show_the_others_only(runs: list[Any], bob_client: Client) -> None:
    def page(name: str) -> Any:
        return read(bob_client.get(reverse(name, args=["lab", runs[0].uid])))

    names = [own["value"] for tag, own in page("run-metrics").elements if own.get("name") == "m"]
    assert sorted(names) == sorted(ORDINARY)
    assert f"Metrics {len(ORDINARY)}" in page("run-metrics").text
    assert f"Last values {len(ORDINARY)}" in page("run-detail").text
    assert "cpu_percent" not in page("run-values").text


def test_a_column_may_still_name_one(runs: list[Any], bob_client: Client) -> None:
    name = "system/a/cpu_percent"
    form = {"column": ["name"], "width": [""], "add_at": "1", "at_best": "min"}
    form |= {"at_metric": name, "at_other": "aloss"}
    answer = bob_client.get("/w/lab/runs-columns", form, follow=True)
    column = read(answer).one("input", name="column", value=f"metric.{name}:at-min(aloss)")

    text = read(bob_client.get("/w/lab/runs", {"columns": f"name,{column['value']}"})).text
    assert f"{name} at min aloss" in text
