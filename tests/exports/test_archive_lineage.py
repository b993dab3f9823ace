"""The lineage of runs in a ZIP: out of one workspace, into another, the same there."""

import io
import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from studio.artifacts.actions import put_artifact
from studio.exports import archive, archive_lineage
from studio.exports.archive import archive_of
from studio.importers import studio_lineage
from studio.lineage import actions, importing
from studio.lineage.actions import ModelPoint, note_inputs, note_model_points, note_outputs
from studio.lineage.checks import CONTEXT, NewInput
from studio.lineage.finding import models_of_run, of_runs
from studio.lineage.model_actions import NewModel, create_model, delete_model, finish_model
from studio.lineage.models import (
    Dataset,
    LoggedModel,
    ModelInput,
    ModelLabel,
    ModelMetric,
    ModelStatus,
    RunInput,
    RunOutput,
)
from studio.runs.actions import complete_run
from studio.runs.actions.keeping import delete_run
from studio.runs.models import Run, RunEvent
from tests import make
from tests.exports.archives import contents, json_lines, written
from tests.exports.test_archive import brought, other, rewritten
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.django_db, pytest.mark.data]
__all__ = ["other"]

TRAIN = NewInput(
    *("iris", "ab12", "local", "né.csv", '{"a": "\u2028"}', "p" * 500),
    {CONTEXT: "train", "part": "1", "mlflow.more": ""},
)
EVAL = replace(TRAIN, labels={CONTEXT: "eval"})
PLAIN = NewInput("plain", "d1")
TABLES = (Dataset, RunInput, LoggedModel, ModelLabel, ModelMetric, ModelInput, RunOutput, RunEvent)
LINEAGE = "lineage/000001.jsonl"
MODELS = "models/000001.jsonl"


def rich(experiment: Any, by: Any) -> tuple[Run, Run, LoggedModel]:
    """A run that used two data sets and made a model, and one that used it and logged of it."""
    early, maker, user = (make.run(experiment) for _ in range(3))
    new = NewModel("net", "pytorch", {"lr": "0.1", "empty": ""}, {"stage": "b"})
    model = create_model(experiment, new, source=maker, by=by)
    put_artifact(maker, f"{model.folder}model.pkl", io.BytesIO(b"1"), by=by)
    note_inputs(maker, [PLAIN, EVAL, TRAIN], by=by)
    note_outputs(maker, {model.uid: 2**60}, by=by)
    for run in (user, early):
        note_inputs(run, [TRAIN], models=[model.uid], by=by)
    values = (0.1, math.nan, math.inf, -math.inf, 1e-300)
    points = [ModelPoint(model.uid, "acc", one, i - 2, i) for i, one in enumerate(values)]
    note_model_points(maker, points, by=by)
    measured = ModelPoint(model.uid, "acc", 1.0, 2**62, 2**60, "iris", "ab12")
    note_model_points(user, [measured], by=by)
    finish_model(model, ModelStatus.READY, by=by)
    return maker, user, model


@pytest.fixture
def bob(people: Any) -> Any:
    return make.actor(people.bob)


@pytest.fixture
def used(experiment: Any, bob: Any) -> Any:
    """(run that made a model, run that used it, the model) and models without a run, failed and
    deleted, in two experiments."""
    maker, user, model = rich(experiment, bob)
    create_model(experiment, NewModel("alone"), source=None, by=bob)
    gone = create_model(experiment, NewModel("gone"), source=maker, by=bob)
    note_outputs(maker, {gone.uid: -1}, by=bob)
    delete_model(gone, by=bob)
    elsewhere = make.run(make.experiment(experiment.workspace, "other"))
    note_inputs(elsewhere, [replace(TRAIN, profile="another")], models=[model.uid], by=bob)
    for one in Run.objects.of(experiment.workspace):
        if one.status != "Completed":
            complete_run(one, by=bob)
    return maker, user, model


def told(room: Any) -> dict[str, Any]:
    """The lineage of a workspace as its pages and clients see it, without ids of rows."""
    runs = list(Run.objects.of(room).order_by("pk"))
    found = of_runs(runs)
    return {run.uid: _lineage(run, found[run.pk]) for run in runs} | {
        str(one.pk and (one.experiment.name, one.name, one.digest)): (
            (one.source_type, one.source, one.schema_text, one.profile, one.created_at)
        )
        for one in Dataset.objects.filter(workspace=room).select_related("experiment")
    }


def _lineage(run: Run, one: Any) -> Any:
    uses = [(use.dataset.name, use.dataset.digest, use.context, use.labels) for use in one.inputs]
    return uses, one.models_in, one.models_out, [_model(m) for m in models_of_run(run, most=100)]


def _model(model: LoggedModel) -> Any:
    facts = ("uid", "name", "model_type", "status", "is_carried", "created_at", "updated_at")
    labels = sorted((one.kind, one.key, one.value) for one in model.labels.all())
    points = [
        (p.run.uid, p.name, p.value, p.step, p.at_ms, p.dataset_name, p.dataset_digest)
        for p in model.points
    ]
    plain = [getattr(model, name) for name in (*facts, "deleted_at")]
    return plain, model.experiment.name, model.run.uid, labels, points


def n_rows() -> list[int]:
    return [table.objects.count() for table in TABLES]


def test_lineage_is_the_same_where_it_is_brought_to_and_comes_once(
    used: Any, other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, _, model = used
    room = maker.workspace
    # Everything in more than one piece.
    monkeypatch.setattr(archive, "BLOCK_RUNS", 2)
    for name in ("MODELS_PER_QUERY", "ROWS_PER_QUERY", "POINTS_PER_QUERY", "POINTS_PER_LINE"):
        monkeypatch.setattr(archive_lineage, name, 2)
    for name in ("CHARS_PER_QUERY", "CHARS_TOLD"):
        monkeypatch.setattr(archive_lineage, name, 600)
    monkeypatch.setattr(studio_lineage, "MAX_LINES", 3)
    first = written(room)
    assert "problem" not in brought(first, other, tmp_path)

    assert told(other) == told(room)
    assert len(told(room)[maker.uid][0]) == 3
    assert ModelMetric.objects.filter(model__workspace=other).count() == 6
    second = written(other)
    assert contents(second) == contents(first)
    here = Run.objects.get(workspace=other, uid=maker.uid)
    events = RunEvent.objects.filter(run=here, message="Imported").values_list("kind", "actor")
    assert set(events) == {(kind, "bob") for kind in ("model", "models_made", "datasets")}
    for data, into in ((first, other), (second, other), (first, room), (second, room)):
        before = n_rows()
        assert "problem" not in brought(data, into, tmp_path)
        assert n_rows() == before
    assert told(other) == told(room)
    assert LoggedModel.objects.filter(uid=model.uid).count() == 2


def test_an_archive_of_version_1_comes_and_a_later_one_adds_its_lineage(
    used: Any, other: Any, tmp_path: Path
) -> None:
    room = used[0].workspace
    data = written(room)
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        head = json.loads(members.read("studio.json")) | {"version": 1}
    older = {"studio.json": json.dumps(head).encode(), LINEAGE: None, MODELS: None}
    assert "problem" not in brought(rewritten(data, older), other, tmp_path)
    assert not LoggedModel.objects.filter(workspace=other).exists()

    brought(data, other, tmp_path)
    assert told(other) == told(room)


def counted(data: bytes, room: Any, tmp_path: Path, *more: str) -> tuple[list[int], str]:
    """(uses of data sets, models, links to models) of the report, and what the command said."""
    report = tmp_path / "counts.json"
    said = brought(data, room, tmp_path, "--report", str(report), *more)
    found = json.loads(report.read_text())
    return [found[f"n_{name}"] for name in ("datasets", "models", "links")], said


def test_a_dry_run_counts_the_lineage_that_would_come_and_writes_nothing(
    used: Any, other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, user, _ = used
    room = maker.workspace
    monkeypatch.setattr(studio_lineage, "MAX_LINES", 3)
    half, whole = b"".join(archive_of(room, [maker.pk]).stream()), written(room)
    empty = all_rows()
    words = "6 data sets used, 3 logged models, 5 links to models"

    expected, said = counted(whole, other, tmp_path, "--dry-run")
    assert words in said
    assert not changed_tables(empty)

    first = counted(half, other, tmp_path, "--dry-run")[0]
    with pytest.raises(CommandError):
        brought(half, other, tmp_path)
    rest = counted(whole, other, tmp_path, "--dry-run")[0]
    assert [sum(pair) for pair in zip(first, rest, strict=True)] == expected
    assert rest == counted(whole, other, tmp_path)[0]
    links = [kind.objects.filter(run__workspace=other).count() for kind in (ModelInput, RunOutput)]
    uses, models = (
        RunInput.objects.filter(run__workspace=other),
        LoggedModel.objects.filter(workspace=other),
    )
    assert [uses.count(), models.count(), sum(links)] == expected

    for into in (other, room):
        nothing, said = counted(whole, into, tmp_path, "--dry-run")
        assert nothing == [0, 0, 0]
        assert "data sets" not in said
    delete_run(Run.objects.get(workspace=other, uid=user.uid), by=make.actor(user.submitter))
    RunInput.objects.filter(run__workspace=other, run__uid=user.uid).delete()
    assert counted(whole, other, tmp_path, "--dry-run")[0] == [0, 0, 0]
    assert counted(whole, other, tmp_path, "--dry-run", "--again")[0] == [1, 0, 0]
    assert counted(whole, other, tmp_path, "--again")[0] == [1, 0, 0]


def test_what_is_not_in_the_archive_is_told_and_comes_with_a_later_one(
    used: Any, other: Any, people: Any, tmp_path: Path
) -> None:
    maker, user, _ = used
    room = maker.workspace
    half, rest = (b"".join(archive_of(room, [run.pk]).stream()) for run in (user, maker))
    report = tmp_path / "report.json"
    with pytest.raises(CommandError):
        brought(half, other, tmp_path, "--report", str(report))
    problems = {one["place"]: one["why"] for one in json.loads(report.read_text())["problems"]}
    assert set(problems) == {
        f"{user.display_name}: model “net” that it used",
        f"{user.display_name}: points of the model “net”",
    }
    assert all("neither in what was imported nor here" in why for why in problems.values())
    # The other half brings the model; the first one again what hung on it.
    assert "problem" not in brought(rest, other, tmp_path)
    assert "problem" not in brought(half, other, tmp_path)
    assert {uid: one for uid, one in told(room).items() if uid in (maker.uid, user.uid)} == {
        uid: one for uid, one in told(other).items() if uid in (maker.uid, user.uid)
    }

    third = make.workspace("third", owner=people.alice, contributor=people.bob)
    with pytest.raises(CommandError):
        brought(rest, third, tmp_path, "--report", str(report))
    (only,) = json.loads(report.read_text())["problems"]
    assert only["place"] == "points of the model “net”"
    assert user.uid in only["why"]
    assert "logged 1 of them" in only["why"]


def test_damage_and_hostile_lines_cost_no_run_and_only_what_they_touch(
    used: Any, other: Any, tmp_path: Path
) -> None:
    maker, _, model = used
    data = written(maker.workspace)
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        lines, models = (json_lines(members.read(name)) for name in (LINEAGE, MODELS))
    (net,) = (one for one in models if one["uid"] == model.uid)
    run, data_set = net["run"], next(one for one in lines if one["kind"] == "dataset")
    strange: list[Any] = [
        {"kind": "input", "run": run, "dataset": 99, "labels": {}},
        {"kind": "input", "run": run, "dataset": 1, "labels": {"a": 1}},
        {"kind": "input", "run": run, "dataset": 1, "labels": {f"{i}": "" for i in range(101)}},
        {"kind": "input", "run": f"{run}\0", "dataset": 1, "labels": {}},
        {"kind": "input", "run": "made-up@x", "dataset": 1, "labels": {}},
        {**data_set, "number": 2**70},
        {**data_set, "number": 98, "created_at": "0001-01-01T00:00:00+14:00"},
        {**data_set, "number": 97, "name": "\ud800"},
        {"kind": "input", "run": run, "dataset": 97, "labels": {}},
        {**data_set, "number": 96, "profile": "x" * 1_100_000},
        {"kind": "input", "run": run, "dataset": 96, "labels": {}},
        {"kind": "output", "run": run, "model": model.uid, "name": "net", "step": 2**63},
        {"kind": "output", "run": run, "model": "../../etc", "name": "net", "step": 1},
        {"kind": "output", "run": run, "model": f"m-{'0' * 32}", "name": "no", "step": 1},
        _points(run, model, ["acc", 1.0, 1, 2**80, "", ""]),
        _points(run, model, ["acc", True, 1, 1, "", ""]),
        _points(run, model, ["a" * 300, 1, 1, 1, "", ""]),
        _points(run, model, 3),
        {"kind": "nothing", "run": run},
        {},
    ]
    changed = _no_models(net)
    content = rewritten(data, {LINEAGE: _bytes(lines + strange), MODELS: _bytes(models + changed)})
    report = tmp_path / "report.json"
    with pytest.raises(CommandError):
        brought(content, other, tmp_path, "--report", str(report))

    found = json.loads(report.read_text())
    # Of the data sets only what their use needs is looked at.
    assert found["n_problems"] == len(strange) + len(changed) - 2
    assert (found["n_skipped"], found["n_new"]) == (0, 5)
    assert told(other) == told(maker.workspace)


def _no_models(net: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**net, "uid": f"m-{i:032x}", **change}
        for i, change in enumerate(
            (
                *({"uid": "m-../../x"}, {"status": "stolen"}, {"name": "a/b"}, {"run": "x"}),
                *({"params": {"k": "v" * 8_001}}, {"tags": {str(i): "" for i in range(1_001)}}),
                *({"params": None}, {"created_at": None}, {"created_at": "2020-01-01"}),
            )
        )
    ]


def _points(run: str, model: LoggedModel, point: Any) -> dict[str, Any]:
    return {"kind": "points", "run": run, "model": model.uid, "name": "net", "points": [point]}


def _bytes(lines: list[Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize("content", [b"{", b"[]\n", b"[" * 50_000 + b"\n", b"\xff\n", b"damaged"])
def test_a_file_of_lineage_that_is_none_costs_that_file(
    used: Any, other: Any, tmp_path: Path, content: bytes
) -> None:
    room = used[0].workspace
    data = rewritten(written(room), {LINEAGE: content}, sums=content != b"damaged")
    report = tmp_path / "report.json"
    with pytest.raises(CommandError):
        brought(data, other, tmp_path, "--report", str(report))

    (problem,) = json.loads(report.read_text())["problems"]
    assert problem["place"] == LINEAGE
    assert Run.objects.of(other).count() == Run.objects.of(room).count()
    models = LoggedModel.objects.filter(workspace=other)
    assert models.count() == 3
    assert not RunInput.objects.filter(run__workspace=other).exists()


def test_the_limits_of_runs_and_models_hold_for_archives(
    used: Any, other: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, _, model = used
    monkeypatch.setattr(importing, "MOST_INPUTS", 2)
    monkeypatch.setattr(importing, "MOST_MODELS", 1)
    for module in (importing, actions):
        monkeypatch.setattr(module, "MOST_POINTS", 3)
    report = tmp_path / "report.json"
    with pytest.raises(CommandError):
        brought(written(maker.workspace), other, tmp_path, "--report", str(report))

    whys = [one["why"] for one in json.loads(report.read_text())["problems"]]
    assert [why.split(" at most ")[1] for why in whys if " at most " in why] == [
        "1 models.",
        "2 data sets it used.",
    ]
    assert any("neither" in why for why in whys)
    here = LoggedModel.objects.get(workspace=other, uid=model.uid)
    newest = here.metrics.order_by("at_ms").values_list("at_ms", flat=True)
    assert list(newest) == [3, 4, 2**60]
    assert RunInput.objects.filter(run__workspace=other, run__uid=maker.uid).count() == 2


def test_more_runs_take_no_more_queries(
    experiment: Any, other: Any, people: Any, bob: Any, tmp_path: Path
) -> None:
    third = make.workspace("third", owner=people.alice, contributor=people.bob)
    asked = []
    for room, n in ((other, 1), (third, 5)):
        for _ in range(n):
            rich(experiment, bob)
        with CaptureQueriesContext(connection) as going_out:
            data = written(experiment.workspace)
        with CaptureQueriesContext(connection) as coming_in:
            brought(data, room, tmp_path)
        both = (going_out, coming_in)
        asked.append([sum('"lineage_' in one["sql"] for one in queries) for queries in both])

    assert asked[0] == asked[1]
    assert LoggedModel.objects.filter(workspace=third).count() == 6
