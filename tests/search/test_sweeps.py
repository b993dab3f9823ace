"""What the child runs of a sweep share, on both databases."""

from typing import Any

import pytest

from studio.runs.actions.annotate import add_properties
from studio.runs.models import Run
from studio.search.sweeps import Primary, best_of, primary_of, shared_of
from tests import make
from tests.browser import charting

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.mark.parametrize(
    ("tags", "properties", "found"),
    [
        ({}, {}, None),
        ({"primary_metric": None}, {}, None),
        ({"primary_metric": "loss"}, {}, Primary("loss")),
        ({"primary_metric": "loss", "primary_metric_goal": "lower"}, {}, Primary("loss")),
        (
            {"primary_metric": "a, b", "primary_metric_goal": " MAXIMIZE"},
            {},
            Primary("a, b", "max"),
        ),
        (
            {"primary_metric": "loss", "primary_metric_goal": "maximize"},
            {"primary_metric": "f1", "primary_metric_goal": "minimize"},
            Primary("f1", "min"),
        ),
    ],
)
def test_a_property_or_else_a_tag_names_the_metric(
    experiment: Any, people: Any, tags: Any, properties: Any, found: Primary | None
) -> None:
    run = make.run(experiment, tags=tags)
    if properties:
        add_properties(run, properties, by=make.actor(people.bob))

    assert primary_of(run) == found


@pytest.fixture
def trials(experiment: Any) -> list[Any]:
    """A parent, four child runs, the last without a metric; and a better one of another parent."""
    parent, other = make.run(experiment), make.run(experiment)
    found = [parent]
    losses = ([3.0, 1.0, 2.0], [1.0, float("nan")], [float("nan")], [])
    for i, values in enumerate(losses):
        parameters = {"lr": f"{10.0**-i:g}", "optimizer": "adam" if i else "sgd", "seed": "1"}
        run = make.run(experiment, parent=parent, parameters=parameters)
        if values:
            charting.log(run, charting.scalars("loss", values))
        found.append(run)
    charting.log(found[1], charting.scalars("alone", [1.0]))
    charting.log(make.run(experiment, parent=other), charting.scalars("loss", [0.0, 9.0]))
    return found


def test_the_best_has_the_least_or_greatest_value_and_is_the_newest_of_equal_ones(
    trials: list[Any], workspace: Any
) -> None:
    below = Run.objects.of(workspace).below(trials[0], all_levels=False)

    def best(goal: str) -> tuple[Any, float] | None:
        found = best_of(below, Primary("loss", goal), workspace)
        return None if found is None else (found.run, found.value)

    assert best("min") == (trials[2], 1.0)
    assert best("max") == (trials[1], 3.0)
    assert best("") is None
    assert best_of(below, Primary("none", "min"), workspace) is None


def test_what_differs_and_what_is_common_is_told(trials: list[Any], workspace: Any) -> None:
    shared = shared_of(Run.objects.of(workspace).below(trials[0], all_levels=False))

    assert (shared.metrics, shared.has_lines) == (("loss",), {"loss"})
    assert (shared.parameters, shared.numbers) == (("lr", "optimizer"), ("lr",))
    assert shared.spread == {"lr"}
    nobody = shared_of(Run.objects.of(workspace).below(trials[4], all_levels=True))
    assert (nobody.metrics, nobody.parameters) == ((), ())
