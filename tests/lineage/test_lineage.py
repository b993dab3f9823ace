"""What runs used and made, through the actions: kept once, bounded, gone with the run."""

import math
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.accounts.permissions import NotAllowed
from studio.bulk.acting import choice_called
from studio.lineage import actions
from studio.lineage.actions import ModelPoint, note_inputs, note_model_points, note_outputs
from studio.lineage.checks import NewInput, NoSuchModel
from studio.lineage.finding import models_of_run, of_runs
from studio.lineage.model_actions import (
    NewModel,
    add_model_params,
    create_model,
    delete_model,
    finish_model,
    put_model_tags,
    remove_model_tag,
)
from studio.lineage.models import Dataset, LoggedModel, ModelMetric, ModelStatus
from studio.runs.actions.keeping import delete_run
from studio.runs.limits import Invalid
from studio.runs.models import RunEvent
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]

TRAIN = NewInput("iris", "ab12", "local", "iris.csv", "{}", "{}", {"mlflow.data.context": "train"})
EVAL = replace(TRAIN, labels={"mlflow.data.context": "eval", "part": "2"})


@pytest.fixture
def bob(people: Any) -> Any:
    return make.actor(people.bob)


def test_a_data_set_is_kept_once_and_each_use_of_it_once(run: Any, bob: Any) -> None:
    for _ in range(2):
        note_inputs(run, [TRAIN, EVAL, TRAIN], by=bob)
    # Of one that is known, no use is told: that it is there says nothing new.
    note_inputs(run, [replace(TRAIN, schema="other"), replace(TRAIN, labels={})], by=bob)

    assert Dataset.objects.count() == 1
    uses = of_runs([run])[run.pk].inputs
    assert [(use.context, use.labels.get("part")) for use in uses] == [
        ("train", None),
        ("eval", "2"),
    ]
    assert {(use.dataset.name, use.dataset.schema_text) for use in uses} == {("iris", "{}")}
    told = RunEvent.objects.filter(run=run, kind="datasets").values_list("actor", "after")
    assert list(told) == [("bob", {"iris (ab12)": "train, eval"})]


def test_many_runs_are_told_with_the_queries_of_one(experiment: Any, bob: Any) -> None:
    runs = [make.run(experiment) for _ in range(5)]
    model = create_model(experiment, NewModel("m"), source=runs[0], by=bob)
    for each in runs:
        note_inputs(each, [TRAIN], models=[model.uid], by=bob)
        note_outputs(each, {model.uid: 2**60}, by=bob)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = of_runs(runs)

    assert len(asked) == 3
    for each in runs:
        one = found[each.pk]
        assert (len(one.inputs), one.models_in) == (1, [model.uid])
        assert one.models_out == [(model.uid, 2**60)]
        assert one.inputs[0].dataset.profile == "{}"


def test_the_long_texts_of_many_data_sets_are_read_only_as_far_as_they_fit(
    run: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.lineage.finding.MOST_CHARS", 10)
    note_inputs(
        run, [replace(TRAIN, schema="x" * 8), replace(TRAIN, name="b", schema="y" * 8)], by=bob
    )

    schemas = [use.dataset.schema_text for use in of_runs([run])[run.pk].inputs]

    assert schemas == ["x" * 8, ""]


def test_a_model_is_made_finished_labelled_and_deleted(run: Any, bob: Any, people: Any) -> None:
    new = NewModel("net", "pytorch", {"lr": "0.1"}, {"stage": "a"})
    model = create_model(run.experiment, new, source=run, by=bob)
    add_model_params(model, {"lr": "0.1", "depth": "3"}, by=bob)
    put_model_tags(model, {"stage": "b", "more": ""}, by=bob)
    assert remove_model_tag(model, "more", by=bob)
    assert not remove_model_tag(model, "more", by=bob)
    finish_model(model, ModelStatus.READY, by=bob)

    (found,) = models_of_run(run, most=5)
    labels = {(one.kind, one.key): one.value for one in found.labels.all()}
    assert labels == {("param", "lr"): "0.1", ("param", "depth"): "3", ("tag", "stage"): "b"}
    assert (found.status, found.source_run_uid) == ("ready", run.uid)

    with pytest.raises(Invalid, match="can't be changed"):
        add_model_params(model, {"lr": "0.2"}, by=bob)
    with pytest.raises(NotAllowed):
        delete_model(model, by=make.actor(people.carol))
    delete_model(model, by=bob)
    with pytest.raises(NoSuchModel):
        put_model_tags(model, {"a": "b"}, by=bob)
    assert not LoggedModel.objects.of(run.workspace).exists()
    assert LoggedModel.objects.of(run.workspace, deleted=True).exists()
    kinds = set(RunEvent.objects.filter(run=run).values_list("kind", flat=True))
    assert kinds >= {"model", "model_tags"}


def test_a_model_without_a_run_gets_one_that_carries_it(experiment: Any, bob: Any) -> None:
    model = create_model(experiment, NewModel("alone"), source=None, by=bob)

    assert (model.run.display_name, model.run.status) == ("alone", "Completed")
    assert model.source_run_uid == ""


def test_points_of_a_model_are_kept_once_and_the_newest_of_them(
    run: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = create_model(run.experiment, NewModel("net"), source=run, by=bob)
    points = [ModelPoint(model.uid, "acc", float(i), i, i) for i in range(5)]
    points.append(ModelPoint(model.uid, "acc", math.nan, -1, 9, "iris", "ab12"))
    note_model_points(run, points, by=bob)
    note_model_points(run, points, by=bob)

    assert ModelMetric.objects.count() == 6
    monkeypatch.setattr(actions, "MOST_POINTS", 3)
    note_model_points(run, points[:1], by=bob)
    left = ModelMetric.objects.order_by("at_ms").values_list("at_ms", "value", "dataset_name")
    assert list(left) == [(3, 3.0, ""), (4, 4.0, ""), (9, None, "iris")]


def test_what_does_not_fit_or_does_not_exist_is_refused_with_nothing_stored(
    run: Any, bob: Any, people: Any
) -> None:
    model = create_model(run.experiment, NewModel("net"), source=run, by=bob)
    long = "x" * 1_100_000
    refused = [
        lambda: note_inputs(run, [TRAIN, replace(TRAIN, profile=long)], by=bob),
        lambda: note_inputs(run, [replace(TRAIN, name="")], by=bob),
        lambda: note_inputs(run, [replace(TRAIN, name="𝄞" * 500, digest="𝄞" * 255)], by=bob),
        lambda: note_inputs(run, [replace(TRAIN, labels={str(i): "" for i in range(101)})], by=bob),
        lambda: note_inputs(run, [replace(TRAIN, source="\0")], by=bob),
        lambda: note_inputs(run, [TRAIN], models=["m-nope"], by=bob),
        lambda: note_outputs(run, {model.uid: 0, "m-nope": 1}, by=bob),
        lambda: note_model_points(run, [ModelPoint("m-nope", "a", 1.0, 0, 0)], by=bob),
        lambda: create_model(run.experiment, NewModel("a/b"), source=run, by=bob),
        lambda: create_model(
            make.experiment(run.workspace, "other"), NewModel("a"), source=run, by=bob
        ),
    ]
    for attempt in refused:
        with pytest.raises(Invalid):
            attempt()
    for attempt in (
        lambda: note_inputs(run, [TRAIN], by=make.actor(people.carol)),
        lambda: note_outputs(run, {}, by=make.actor(people.dave)),
    ):
        with pytest.raises(NotAllowed):
            attempt()

    found = of_runs([run])[run.pk]
    assert (found.inputs, found.models_in, found.models_out) == ([], [], [])
    assert not Dataset.objects.exists()
    assert not ModelMetric.objects.exists()
    assert LoggedModel.objects.count() == 1


def test_the_trash_hides_the_models_of_a_run_and_takes_nothing(run: Any, bob: Any) -> None:
    from studio.runs.actions import complete_run

    model = create_model(run.experiment, NewModel("net"), source=run, by=bob)
    delete_run(complete_run(run, by=bob), by=bob)
    run.refresh_from_db()

    for attempt in (
        lambda: note_inputs(run, [TRAIN], by=bob),
        lambda: note_outputs(run, {}, by=bob),
        lambda: create_model(run.experiment, NewModel("more"), source=run, by=bob),
    ):
        with pytest.raises(Invalid, match="deleted"):
            attempt()
    assert not LoggedModel.objects.of(run.workspace).exists()
    assert LoggedModel.objects.of(run.workspace, deleted=True).get() == model


def test_the_models_of_a_run_follow_it_to_another_experiment(run: Any, bob: Any) -> None:
    child = make.run(run.experiment, parent=run)
    for each in (run, child):
        create_model(run.experiment, NewModel("net"), source=each, by=bob)
    given = {"experiment": "elsewhere"}
    choice_called("move").apply(run.workspace, [run], given, bob)

    assert set(LoggedModel.objects.values_list("experiment__name", flat=True)) == {"elsewhere"}
