"""Rules that no event wakes: metrics, silence, durations, views."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from studio.alerts.models import AlertRule, Delivery, Firing
from studio.alerts.watching import watch
from studio.custom_views.actions import Draft, create_view, delete_view, save_view
from studio.runs import actions
from studio.runs.limits import Invalid
from studio.runs.models import Run
from tests import make

pytestmark = pytest.mark.data


def log(run: Any, name: str, *values: float, ago_s: float = 0) -> None:
    times = [time.time() - ago_s + i for i in range(len(values))]
    steps = list(range(len(values)))
    point = {
        "name": name,
        "kind": "scalar",
        "steps": steps,
        "times": times,
        "values": ["NaN" if v != v else v for v in values],
    }
    answer = make.Api(run.submitter, run.workspace).post(
        f"/runs/{run.uid}/batches", {"batch": str(uuid4()), "metrics": [point]}
    )
    assert answer.status_code == 200, answer.content


def later(minutes: float) -> Any:
    return timezone.now() + timedelta(minutes=minutes)


def fired() -> list[str]:
    return [firing.facts.get("what", "") for firing in Firing.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("operator", "threshold", "values", "crosses"),
    [
        ("<", 0.3, (0.9, 0.2, 0.8), True),
        ("<", 0.3, (0.9, 0.3), False),
        ("<=", 0.3, (0.9, 0.3), True),
        (">", 5, (1, 6, 2), True),
        (">=", 5, (1, 4.9), False),
        (">", 5, (float("nan"), 1), False),
    ],
)
def test_a_metric_that_crossed_its_value_is_told_once(
    operator: str,
    threshold: float,
    values: tuple[float, ...],
    crosses: bool,
    run: Any,
    rule_of: Callable[..., AlertRule],
) -> None:
    rule_of(kind="metric", metric="loss", operator=operator, threshold=threshold)
    log(run, "loss", *values)

    watch()
    watch(later(1))

    assert len(fired()) == crosses


def test_a_run_that_logs_nothing_for_long_is_told_again_for_each_silence(
    run: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule_of(kind="silence", seconds=1_800)
    log(run, "loss", 0.5)

    watch(later(29))
    assert not fired()
    watch(later(31))
    watch(later(32))
    assert fired() == ["no metric for 30 min"]
    log(run, "loss", 0.4, ago_s=-40 * 60)
    watch(later(80))

    assert len(fired()) == 2


def test_a_run_that_takes_long_is_told_once_and_an_ended_one_never(
    run: Any, experiment: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule_of(kind="duration", seconds=3_600, query="is:mine")
    actions.complete_run(make.run(experiment), by=make.actor(run.submitter))

    watch(later(59))
    assert not fired()
    watch(later(61))
    watch(later(90))

    assert fired() == ["running for more than 60 min"]
    assert Firing.objects.get().run == run


@pytest.fixture
def view(workspace: Any, people: Any) -> Any:
    state = {"q": "status:failed"}
    return create_view(workspace, Draft("Broken", state), by=make.actor(people.bob))


def fail(run: Run) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), reason="wrong")


def test_runs_that_enter_and_leave_a_view_are_told(
    view: Any, run: Any, experiment: Any, rule_of: Callable[..., AlertRule]
) -> None:
    there = make.run(experiment)
    fail(there)
    rule_of(kind="view", edge="both", subject=view)
    watch()
    fail(run)

    watch(later(1))
    watch(later(2))
    actions.keeping.archive_run(there, by=make.actor(run.submitter))
    watch(later(3))

    assert fired() == ["entered the view “Broken”", "left the view “Broken”"]
    assert [firing.facts["n"] for firing in Firing.objects.order_by("pk")] == [1, 1]
    entered = Firing.objects.order_by("pk")[0].facts["runs"]
    assert [one["run"] for one in entered] == [run.uid]


@pytest.mark.parametrize(
    ("state", "place", "expected"),
    [
        ({}, "runs", "top pipeline other hers"),
        ({"children": "flat"}, "runs", "top pipeline other hers child"),
        ({"mine": "1"}, "runs", "top pipeline other"),
        ({"q": "is:archived"}, "runs", "archived"),
        ({}, "experiment", "top pipeline hers"),
        ({"children": "flat", "mine": "1"}, "experiment", "top pipeline child"),
        ({}, "pipelines", "pipeline"),
    ],
)
def test_a_rule_watches_the_runs_that_the_views_page_lists(
    state: dict[str, str],
    place: str,
    expected: str,
    experiment: Any,
    people: Any,
    rule_of: Callable[..., AlertRule],
) -> None:
    top = make.run(experiment)
    runs = {
        "top": top,
        "child": make.run(experiment, parent=top),
        "pipeline": make.run(experiment),
        "other": make.run(make.experiment(experiment.workspace, "other")),
        "hers": make.run(experiment, by=people.alice),
        "archived": make.run(experiment),
    }
    Run.objects.filter(pk=runs["pipeline"].pk).update(type="pipeline")
    fail(runs["archived"])
    actions.keeping.archive_run(runs["archived"], by=make.actor(people.bob))
    within = experiment if place == "experiment" else None
    draft = Draft("Some", state, place=place, experiment=within)
    view = create_view(experiment.workspace, draft, by=make.actor(people.bob))
    rule = rule_of(kind="view", edge="both", subject=view)

    watch()
    page = make.client(people.bob).get(f"/w/lab/views/{view.address}").content.decode()

    rule.refresh_from_db()
    assert {name for name, run in runs.items() if run.pk in rule.state["ids"]} == {
        *expected.split()
    }
    assert {name for name, run in runs.items() if run.uid in page} == {*expected.split()}


def test_the_number_of_runs_in_a_view_is_told_when_it_is_reached(
    view: Any, experiment: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule_of(kind="view", edge="above", threshold=2, subject=view)
    watch()
    for minute in range(1, 4):
        fail(make.run(experiment))
        watch(later(minute))

    assert [firing.facts["n"] for firing in Firing.objects.all()] == [2]


def test_no_rule_looks_into_logs(view: Any, people: Any, rule_of: Callable[..., AlertRule]) -> None:
    bob = make.actor(people.bob)
    with pytest.raises(Invalid, match="Rules can't look into logs"):
        rule_of(query='status:failed -log~"CUDA"', statuses=["Failed"])
    rule = rule_of(kind="view", edge="enter", subject=view)
    save_view(view, by=bob, expected_version=1, state={"q": 'log~"CUDA"'})
    view.refresh_from_db()
    with pytest.raises(Invalid, match="Rules can't look into logs"):
        rule_of(kind="view", edge="enter", subject=view)

    watch()

    rule.refresh_from_db()
    assert not rule.is_enabled
    assert "can't look into logs" in rule.trouble


def test_a_rule_on_a_view_that_is_gone_is_off_and_says_why(
    view: Any, people: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule = rule_of(kind="view", edge="enter", subject=view)
    delete_view(view, by=make.actor(people.bob))

    watch()

    rule.refresh_from_db()
    assert not rule.is_enabled
    assert "gone" in rule.trouble
    assert not Delivery.objects.exists()
