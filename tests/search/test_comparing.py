"""What runs have side by side, and where they differ."""

from typing import Any

import pytest

from studio.metrics.models import Kind, Metric
from studio.runs import actions
from studio.runs.models import Run, RunDefinition
from studio.search.comparing import (
    FEWEST_ROWS,
    Asked,
    Section,
    Value,
    compare,
    most_rows,
    runs_to_compare,
)
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

ALL = Asked(only_differences=False)


def sections(*runs: Any, asked: Asked = ALL) -> dict[str, Section]:
    found = runs_to_compare(runs[0].workspace, [run.uid for run in runs])
    return {section.key: section for section in compare(found, asked)}


def texts(section: Section) -> dict[str, list[str | None]]:
    return {
        row.name: [value.text if value else None for value in row.values] for row in section.rows
    }


def differing(section: Section) -> list[str]:
    return [row.name for row in section.rows if row.differs]


def metric(run: Any, name: str, **facts: Any) -> None:
    Metric.objects.create(workspace=run.workspace, run=run, name=name, **facts)


def test_runs_come_in_the_order_of_their_ids_each_once(experiment: Any) -> None:
    first, second, third = (make.run(experiment) for _ in range(3))
    uids = [third.uid, first.uid, third.uid, "0" * 32, second.uid]

    assert runs_to_compare(experiment.workspace, uids) == [third, first, second]


def test_runs_of_the_trash_and_of_other_workspaces_are_left_out(
    experiment: Any, people: Any
) -> None:
    other = make.workspace("elsewhere", owner=people.dave)
    foreign = make.run(make.experiment(other, by=people.dave), by=people.dave)
    run, gone = make.run(experiment), make.run(experiment)
    actions.complete_run(gone, by=make.actor(people.bob))
    actions.keeping.delete_run(gone, by=make.actor(people.alice))

    found = runs_to_compare(experiment.workspace, [foreign.uid, gone.uid, run.uid])

    assert found == [run]


def test_a_parameter_differs_by_its_text_and_where_a_run_has_none(experiment: Any) -> None:
    first = make.run(experiment, parameters={"lr": "0.1", "epochs": "10", "momentum": "0.9"})
    second = make.run(experiment, parameters={"lr": "0.01", "epochs": "10"})

    found = sections(first, second)["parameters"]

    assert texts(found) == {
        "epochs": ["10", "10"],
        "lr": ["0.1", "0.01"],
        "momentum": ["0.9", None],
    }
    assert differing(found) == ["lr", "momentum"]
    assert (found.n_rows, found.n_differ, found.n_left) == (3, 2, 0)
    assert found.rows[1].values[0] == Value("0.1", 0.1)


def test_only_the_rows_that_differ_are_given_unless_all_are_asked_for(experiment: Any) -> None:
    first = make.run(experiment, parameters={"lr": "0.1", "epochs": "10"})
    second = make.run(experiment, parameters={"lr": "0.01", "epochs": "10"})

    found = sections(first, second, asked=Asked())["parameters"]

    assert [row.name for row in found.rows] == ["lr"]
    assert (found.n_rows, found.n_differ) == (2, 1)


def test_a_tag_without_a_value_differs_from_one_with_an_empty_value_and_from_none(
    experiment: Any,
) -> None:
    runs = [make.run(experiment, tags=tags) for tags in ({"seen": None}, {"seen": "x"}, {})]

    assert texts(sections(*runs)["tags"]) == {"seen": ["set", "x", None]}
    assert differing(sections(*runs[:2])["tags"]) == ["seen"]
    assert differing(sections(runs[0], runs[2])["tags"]) == ["seen"]


def test_metrics_are_compared_by_the_value_that_is_asked_for(experiment: Any) -> None:
    first, second = make.run(experiment), make.run(experiment)
    metric(first, "loss", last=0.5, min=0.25, max=1.0)
    metric(second, "loss", last=0.75, min=0.25, max=1.5)

    for stat, values, differs in (
        ("last", ["0.5", "0.75"], True),
        ("min", ["0.25", "0.25"], False),
        ("max", ["1.0", "1.5"], True),
    ):
        found = sections(first, second, asked=Asked(stat=stat, only_differences=False))["metrics"]
        assert texts(found) == {"loss": values}
        assert found.rows[0].differs is differs


def test_what_is_no_number_among_metrics_is_its_text(experiment: Any) -> None:
    runs = [make.run(experiment) for _ in range(3)]
    metric(runs[0], "loss", last=0.5, min=0.5, max=0.5)
    metric(runs[1], "loss", last=None, last_text="NaN")
    metric(runs[2], "loss", last=None, last_text="-Infinity", min=0.1, max=0.2)
    for run in runs:
        metric(run, "note", kind=Kind.TEXT, last_text="same")

    found = sections(*runs)["metrics"]

    assert texts(found) == {"loss": ["0.5", "NaN", "-Infinity"], "note": ["same"] * 3}
    assert differing(found) == ["loss"]
    assert found.rows[0].values[1] == Value("NaN", None)
    least = sections(*runs, asked=Asked(stat="min"))["metrics"]
    assert texts(least) == {"loss": ["0.5", None, "0.1"]}


def test_names_are_found_in_any_case_and_ordered_as_people_count(experiment: Any) -> None:
    names = ["Layer10", "layer2", "LAYER1", "other"]
    first = make.run(experiment, parameters=dict.fromkeys(names, "1"))
    second = make.run(experiment, parameters=dict.fromkeys(names, "2"))

    found = sections(first, second, asked=Asked(find="lAyEr"))

    assert list(texts(found["parameters"])) == ["LAYER1", "layer2", "Layer10"]
    assert found["attributes"].n_rows == 0


def test_a_wildcard_in_a_search_is_a_letter(experiment: Any) -> None:
    runs = [make.run(experiment, parameters={"a%b": str(i), "acb": str(i)}) for i in range(2)]

    assert list(texts(sections(*runs, asked=Asked(find="a%"))["parameters"])) == ["a%b"]


def test_a_folded_section_has_its_counts_and_no_rows(experiment: Any) -> None:
    runs = [make.run(experiment, parameters={"lr": str(i)}) for i in range(2)]

    found = sections(*runs, asked=Asked(folded=("parameters",)))["parameters"]

    assert (found.rows, found.n_rows, found.n_differ) == ((), 1, 1)


def test_very_many_rows_are_shown_only_when_all_are_asked_for(experiment: Any) -> None:
    n = most_rows(100) + 5
    runs = [
        make.run(experiment, parameters={f"p{at}": str(i) for at in range(n)}, start=False)
        for i in range(100)
    ]

    found = sections(*runs, asked=Asked())["parameters"]
    whole = sections(*runs, asked=Asked(whole=("parameters",)))["parameters"]

    assert (len(found.rows), found.n_left) == (n - 5, 5)
    assert (len(whole.rows), whole.n_left) == (n, 0)


@pytest.mark.parametrize("n_runs", [1, 2, 60, 100])
def test_the_size_of_a_section_is_bounded(n_runs: int) -> None:
    assert FEWEST_ROWS <= most_rows(n_runs) <= most_rows(n_runs, is_whole=True)
    assert most_rows(n_runs, is_whole=True) * n_runs <= 50_000


def test_the_environment_comes_from_the_definition_packages_last(experiment: Any) -> None:
    git = {"commit": "abc", "dirty": "True"}
    facts = {"python_version": "3.11", "pid": 7, "git": git, "packages": {"numpy": "2.1"}}
    first = make.run(experiment, definition={**facts, "gpu": {"name": "x", "n": 2}})
    second = make.run(experiment, definition={**facts, "pid": 8, "packages": {"numpy": "2.2"}})

    found = sections(first, second)

    assert texts(found["environment"]) == {
        "Python": ["3.11", "3.11"],
        "gpu.n": ["2", None],
        "gpu.name": ["x", None],
        "Package numpy": ["2.1", "2.2"],
    }
    assert texts(found["attributes"])["Git commit"] == ["abc", "abc"]
    assert texts(found["attributes"])["Git changes"] == ["Uncommitted changes"] * 2


@pytest.mark.parametrize(
    "facts", [[], "text", 7, {"git": [1], "packages": "all"}, {"a": {"b": {"c": {"d": {"e": 1}}}}}]
)
def test_a_definition_of_any_shape_is_compared(facts: Any, experiment: Any) -> None:
    first, second = make.run(experiment), make.run(experiment)
    RunDefinition.objects.update_or_create(run=first, defaults={"facts": facts})

    assert sections(first, second)["attributes"].n_rows > 0


def test_descriptions_differ_by_their_whole_text(experiment: Any, people: Any) -> None:
    runs = [make.run(experiment) for _ in range(3)]
    for run, text in zip(runs, ["\n# Same\n\nfirst", "# Same\n\nsecond", ""], strict=True):
        if text:
            actions.describe_run(run, text, by=make.actor(people.bob))

    found = sections(*runs)["description"]

    assert texts(found) == {"First line": ["# Same", "# Same", None]}
    assert differing(sections(*runs[:2])["description"]) == ["First line"]
    assert sections(runs[2], make.run(experiment))["description"].n_rows == 0


def test_it_costs_15_queries_whatever_the_runs(
    experiment: Any, people: Any, django_assert_num_queries: Any
) -> None:
    runs = [
        make.run(
            experiment,
            tags={"n": str(i)},
            parameters={"lr": str(i)},
            properties={"p": str(i)},
            definition={"python_version": str(i)},
            start=False,
            submit=actions.Submission(target="local", snapshot="", script="train.py"),
        )
        for i in range(6)
    ]
    for run in runs:
        metric(run, "loss", last=1.0, min=1.0, max=1.0)
        actions.describe_run(run, run.uid, by=make.actor(people.bob))
    Run.objects.filter(pk=runs[0].pk).update(snapshot="a" * 64)

    for some in (runs[:2], runs):
        with django_assert_num_queries(15):
            compare(runs_to_compare(experiment.workspace, [run.uid for run in some]), ALL)
