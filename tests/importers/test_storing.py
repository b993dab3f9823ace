"""Histories become ordinary runs, once, whole, and without anybody being told."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from studio.accounts.permissions import NotAllowed
from studio.artifacts.actions import open_artifact
from studio.artifacts.models import Artifact
from studio.importers.filling import MAX_POINTS
from studio.importers.models import ImportedRun
from studio.importers.records import (
    DatasetRecord,
    FileRecord,
    ModelRecord,
    Points,
    Unreadable,
)
from studio.lineage.checks import CONTEXT
from studio.metrics.models import Metric, MetricChunk
from studio.runs.actions.keeping import delete_run
from studio.runs.actions.tags import change_tags
from studio.runs.models import Experiment, Run, RunEvent, StatusNews
from tests import make
from tests.importers.made_up import BEGIN, bring, files, points, record
from tests.rows import all_rows, changed_tables

pytestmark = [pytest.mark.data, pytest.mark.django_db]

IRIS = DatasetRecord("iris", "ab12", labels={CONTEXT: "train"})
NET = ModelRecord(f"m-{'1' * 32}", "net", "ready", BEGIN)
BAD = ModelRecord("no id", "bad", "ready", BEGIN)


def test_a_run_comes_with_all_it_had(workspace: Any) -> None:
    report = bring(
        workspace,
        record(
            uid="a" * 32,
            status="Failed",
            tags={"team": "blue", "draft": None},
            properties={"git": "abc"},
            parameters={"lr": "0.1"},
            description="It **diverged**.",
            submitter="zoe",
            points=points(2_500),
            files=files(model__weights=b"\x00\x01", notes=b""),
        ),
    )

    run = Run.objects.get(uid="a" * 32)
    assert (run.status, run.display_name, run.number) == ("Failed", "run one", 1)
    assert (run.created_at, run.started_at) == (BEGIN, BEGIN)
    assert (run.ended_at, run.duration_s) == (BEGIN + timedelta(hours=1), 3600.0)
    assert dict(run.tags.values_list("key", "value")) == {"team": "blue", "draft": None}
    assert dict(run.properties.values_list("key", "value")) == {
        "git": "abc",
        "imported_submitter": "zoe",
    }
    assert run.parameters.get().number == 0.1
    assert run.description_row.text == "It **diverged**."
    assert "diverged" in run.text.body
    metric = Metric.objects.get(run=run)
    assert (metric.n_points, metric.last_step, metric.max) == (2_500, 2_499, 1.0)
    weights = Artifact.objects.get(run=run, path="model/weights")
    assert open_artifact(weights).read() == b"\x00\x01"
    event = RunEvent.objects.get(run=run)
    assert (event.kind, event.after) == ("imported", "Failed")
    assert event.message == "Imported from a made-up source by bob"
    assert not StatusNews.objects.exists()
    assert (report.n_new, report.n_points, report.n_files, report.n_bytes) == (1, 2_500, 2, 2)
    assert report.is_complete
    assert report.new_experiments == ["vision"]


def test_a_second_import_changes_nothing(workspace: Any) -> None:
    def again(**wish: Any) -> Any:
        return bring(
            workspace,
            record("parent", tags={"a": "1"}, points=points(10), files=files(notes=b"x")),
            record("child", parent="parent", points=points(5), version="7"),
            record("open", status="Running", ended_at=None, points=points(3)),
            **wish,
        )

    again()
    before = all_rows()

    assert (again().n_known, again(is_dry=True).n_known) == (3, 3)
    assert not changed_tables(before)


def test_a_dry_run_tells_the_same_and_writes_nothing(workspace: Any) -> None:
    before = all_rows()
    told = [
        bring(
            workspace,
            record(
                "a",
                points=points(10),
                files=files(notes=b"xyz"),
                datasets=[IRIS],
                models=[NET, BAD],
            ),
            record("b", experiment="other", status="Sleeping"),
            Unreadable("runs/c", "No meta.yaml."),
            is_dry=dry,
        ).as_json()
        for dry in (True, False)
        if dry or not changed_tables(before)
    ]

    assert [report.pop("is_dry") for report in told] == [True, False]
    assert told[0] == told[1]
    assert (told[0]["n_new"], told[0]["n_skipped"], told[0]["n_bytes"]) == (1, 2, 3)
    assert (told[0]["n_datasets"], told[0]["n_models"]) == (1, 1)
    places = [problem["place"] for problem in told[0]["problems"]]
    assert places == ["run b", "runs/c", "run a: model bad"]


def test_of_a_run_that_grew_a_dry_run_counts_the_lineage_that_is_new(workspace: Any) -> None:
    bring(workspace, record(datasets=[IRIS], models=[NET]))
    more = replace(IRIS, labels={CONTEXT: "eval"})

    told = [
        bring(workspace, record(datasets=[IRIS, more], models=[NET]), is_dry=dry)
        for dry in (True, False, True)
    ]

    assert [(report.n_datasets, report.n_models) for report in told] == [(1, 0), (1, 0), (0, 0)]


def test_a_run_that_grew_gets_what_is_new(workspace: Any) -> None:
    going_on: dict[str, Any] = {"status": "Running", "ended_at": None}
    bring(workspace, record(**going_on, points=points(10), files=files(notes=b"x")))
    run = Run.objects.get()
    assert (run.status, run.status_reason[:14]) == ("Failed", "It was Running")
    assert run.ended_at == BEGIN + timedelta(seconds=9)
    change_tags(run, put={"team": "red"}, by=make.actor(make.contributor_of(workspace)))

    report = bring(
        workspace,
        record(
            tags={"team": "blue", "new": "1"},
            parameters={"lr": "1"},
            points=points(12),
            files=files(notes=b"longer", more=b"y"),
        ),
    )

    run.refresh_from_db()
    assert (report.n_changed, report.n_points, report.n_files) == (1, 2, 2)
    assert (run.status, run.status_reason) == ("Completed", "")
    assert run.ended_at == BEGIN + timedelta(hours=1)
    assert dict(run.tags.values_list("key", "value")) == {"team": "red", "new": "1"}
    assert Metric.objects.get().n_points == 12
    last = RunEvent.objects.filter(kind="imported").latest("pk")
    assert (last.before, last.after) == ("Failed", "Completed")
    assert not StatusNews.objects.exists()


def test_points_that_are_others_now_are_left_and_told(workspace: Any) -> None:
    bring(workspace, record(points=points(10)))
    moved = [Points("loss", list(range(12)), [BEGIN.timestamp()] * 12, [0.5] * 12)]

    report = bring(workspace, record(points=lambda: moved))

    assert Metric.objects.get().n_points == 10
    assert [p.place for p in report.problems] == ["run one: loss"]
    assert report.n_known == 1


def test_an_import_that_broke_off_goes_on_where_it_was(workspace: Any) -> None:
    whole = list(points(3 * MAX_POINTS, size=20_000)())

    def broken() -> Any:
        yield from whole[:5]
        raise OSError("The disk went away")

    first = bring(workspace, record(points=broken, version="1"))
    assert "The disk went away" in first.problems[0].why
    assert not ImportedRun.objects.get().is_whole

    second = bring(workspace, record(points=lambda: whole, version="1"))

    metric = Metric.objects.get()
    assert first.n_points + second.n_points == metric.n_points == 3 * MAX_POINTS
    assert sum(MetricChunk.objects.values_list("n_points", flat=True)) == 3 * MAX_POINTS
    assert metric.n_open_chunks == 1


def test_what_people_deleted_stays_deleted_unless_asked(workspace: Any, people: Any) -> None:
    owner = make.actor(people.alice)
    bring(workspace, record("trashed"), record("purged"))
    delete_run(Run.objects.get(display_name="run trashed"), by=owner)
    Run.objects.filter(display_name="run purged").delete()

    assert bring(workspace, record("trashed"), record("purged")).n_gone == 2
    assert Run.objects.filter(deleted_at=None).count() == 0

    report = bring(workspace, record("trashed"), record("purged"), again=True)
    assert (report.n_new, report.n_changed) == (1, 1)
    assert Run.objects.filter(deleted_at=None).count() == 2


def test_runs_are_numbered_as_they_were_created_below_their_parents(workspace: Any) -> None:
    def at(minutes: int) -> Any:
        moment = BEGIN + timedelta(minutes=minutes)
        return {"created_at": moment, "started_at": moment}

    report = bring(
        workspace,
        record("late", **at(9)),
        record("child", **at(2), parent="top", experiment="elsewhere"),
        record("top", **at(1)),
        record("grandchild", **at(3), parent="child"),
        record("orphan", **at(4), parent="nobody"),
        record("ring a", **at(5), parent="ring b"),
        record("ring b", **at(6), parent="ring a"),
    )

    found = Run.objects.order_by("number").select_related("parent", "root", "experiment")
    assert [
        (run.number, run.display_name[4:], run.parent and run.parent.display_name[4:])
        for run in found
    ] == [
        (1, "top", None),
        (2, "child", "top"),
        (3, "grandchild", "child"),
        (4, "orphan", None),
        (5, "ring a", None),
        (6, "ring b", None),
        (7, "late", None),
    ]
    assert {run.experiment.name for run in found} == {"vision"}
    assert [run.root and run.root.display_name for run in found][1:3] == ["run top", "run top"]
    assert [run.n_children for run in found][:3] == [1, 1, None]
    assert Experiment.objects.get(name="vision").latest_run_at == BEGIN + timedelta(minutes=9)
    assert report.n_problems == 4


def test_what_does_not_fit_is_cut_or_left_out_and_told(workspace: Any) -> None:
    report = bring(
        workspace,
        record(
            name="n" * 300,
            experiment="Überblick über alles",
            tags={"long": "x" * 9_000, "": "no key", "k" * 300: "v", "nul": "a\0b"},
            points=lambda: [
                Points("ok", [2**63 - 1, -(2**63)], [0.0, 1.0], [float("nan"), float("inf")]),
                Points("too far", [2**63], [0.0], [1.0]),
                Points("uneven", [1, 2], [0.0], [1.0]),
                Points("words", [1], [0.0], ["high"]),
                Points("kind", [1], [0.0], [1.0], kind="hologram"),
            ],
            files=lambda: [
                FileRecord("../up", 1, lambda: io.BytesIO(b"x")),
                FileRecord("gone", 1, _gone),
                FileRecord("fine", None, lambda: io.BytesIO(b"x")),
            ],
        ),
        record("odd", uid="no/uid", created_at=BEGIN.replace(year=9000)),
    )

    run = Run.objects.get(experiment__name__startswith="berblick-ber-alles-")
    assert len(run.display_name) == 255
    assert sorted(run.tags.values_list("key", flat=True)) == ["long", "nul"]
    assert str(run.tags.get(key="long").whole_value).endswith("x…")
    assert len(str(run.tags.get(key="long").whole_value)) == 8_000
    assert list(Metric.objects.values_list("name", "last_text")) == [("ok", "NaN")]
    assert list(Artifact.objects.values_list("path", flat=True)) == ["fine"]
    places = sorted(problem.place.rpartition(": ")[2] for problem in report.problems)
    assert {"too far", "uneven", "words", "kind", "../up", "gone"} <= set(places)
    assert Run.objects.get(display_name="run odd").started_at == BEGIN


def _gone() -> Any:
    raise FileNotFoundError("gone")


def test_only_who_may_log_imports_and_never_into_another_workspace(
    workspace: Any, people: Any
) -> None:
    other = make.workspace("other", owner=people.dave)
    before = all_rows()
    for nobody in (people.carol, people.dave):
        with pytest.raises(NotAllowed):
            bring(workspace, record(uid="b" * 32), by=make.actor(nobody))
    assert not changed_tables(before)

    bring(workspace, record(uid="b" * 32))
    report = bring(other, record(uid="b" * 32), by=make.actor(people.dave))

    assert report.n_new == 1
    assert Run.objects.filter(uid="b" * 32).count() == 2


def test_a_name_in_a_file_makes_nobody_the_submitter(workspace: Any, people: Any) -> None:
    bring(workspace, record("web", submitter="alice"))
    bring(workspace, record("shell", submitter="alice"), trusts_names=True)

    found = dict(Run.objects.values_list("display_name", "submitter__username"))
    assert found == {"run web": "bob", "run shell": "alice"}
