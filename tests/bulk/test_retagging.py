"""One tag renamed, merged and removed on all runs, and put back: what changes, what stays."""

from typing import Any

import pytest

from studio.bulk.retagging import Rewrite, checked, preview, start_rewrite
from studio.bulk.undoing import start_undo
from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.limits import Invalid
from studio.runs.models import RunEvent, RunText, Tag
from studio.work.actions import AlreadyUnderWay, cancel_work
from studio.work.models import Work
from studio.work.running import run_work
from tests import make

pytestmark = [pytest.mark.data, pytest.mark.django_db]
HOSTILE = ['100%_"', "😀", "k" * 255, "<img src=x onerror=alert(1)>", "a: b", "{n} {0}", "é" * 200]


@pytest.fixture
def by(people: Any) -> Any:
    return make.actor(people.bob)


def tags_of(run: Any) -> dict[str, str | None]:
    return dict(run.tags.order_by("key").values_list("key", "value"))


def done(work: Work) -> Work:
    run_work(work.pk)
    work.refresh_from_db()
    return work


def rewritten(workspace: Any, by: Any, *what: Any, **more: Any) -> Work:
    return done(start_rewrite(workspace, Rewrite(*what, **more), by=by))


@pytest.mark.parametrize(
    ("rewrite", "after"),
    [
        (Rewrite("rename", "a", "c"), [{"c": "1"}, {"b": "2", "c": "1"}, {"b": "1", "c": None}]),
        (Rewrite("rename", "a", "b", keep="target"), [{"b": "1"}, {"b": "2"}, {"b": "1"}]),
        (Rewrite("rename", "a", "b", keep="source"), [{"b": "1"}, {"b": "1"}, {"b": None}]),
        (Rewrite("replace", "a", "x", "1"), [{"a": "x"}, {"a": "x", "b": "2"}, None]),
        (Rewrite("replace", "a", "1", ""), [None, None, {"a": "1", "b": "1"}]),
        (Rewrite("replace", "a", "", "1"), [{"a": None}, {"a": None, "b": "2"}, None]),
        (Rewrite("delete", "a"), [{}, {"b": "2"}, {"b": "1"}]),
        (Rewrite("delete", "a", value="1"), [{}, {"b": "2"}, None]),
        (Rewrite("delete", "a", value=""), [None, None, {"b": "1"}]),
    ],
)
def test_a_rewrite_does_what_it_says_and_its_undo_restores_exactly(
    experiment: Any, workspace: Any, by: Any, rewrite: Rewrite, after: list[Any]
) -> None:
    before = [{"a": "1"}, {"a": "1", "b": "2"}, {"a": None, "b": "1"}]
    runs = [make.run(experiment, tags=tags) for tags in before]
    other = make.run(experiment, tags={"z": "1"})
    work = done(start_rewrite(workspace, rewrite, by=by))

    expected = [old if new is None else new for old, new in zip(before, after, strict=True)]
    assert [tags_of(run) for run in runs] == expected
    changed = [run for run, new in zip(runs, after, strict=True) if new is not None]
    lines = RunEvent.objects.filter(work=work.uid).values_list("run_id", "actor", "before", "after")
    assert {line[0]: line[1:] for line in lines} == {
        run.pk: ("bob", before[runs.index(run)], tags_of(run)) for run in changed
    }
    assert (work.state, work.n_done, work.n_total) == ("Done", len(changed), len(changed))

    done(start_undo(work, by=by))
    assert [tags_of(run) for run in runs] == before
    assert tags_of(other) == {"z": "1"}


def test_the_preview_counts_what_the_work_then_does(
    experiment: Any, workspace: Any, by: Any, people: Any
) -> None:
    for tags in ({"a": "1"}, {"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": None, "b": ""}):
        make.run(experiment, tags=tags)
    archived, trashed = (make.run(experiment, tags={"a": "1", "b": "9"}) for _ in range(2))
    for run in (archived, trashed):
        actions.complete_run(run, by=by)
    keeping.archive_runs(workspace, [archived], by=by)
    keeping.delete_run(trashed, by=by)
    elsewhere = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    theirs = make.run(make.experiment(elsewhere), tags={"a": "1"})

    told = preview(workspace, checked(Rewrite("rename", "a", "b")), by=by)
    assert (told.n_runs, told.n_both, told.n_in_trash) == (5, 2, 1)
    assert (told.is_merge, told.is_exact) == (True, True)
    with pytest.raises(Invalid, match="Choose whose value stays"):
        start_rewrite(workspace, Rewrite("rename", "a", "b"), by=by)
    work = rewritten(workspace, by, "rename", "a", "b", keep="source")
    assert (work.n_done, work.n_skipped) == (5, 1)
    assert work.problems == [{"uid": trashed.uid, "message": "It is in the trash"}]
    assert tags_of(archived) == {"b": "1"}
    assert tags_of(trashed) == {"a": "1", "b": "9"}
    assert tags_of(theirs) == {"a": "1"}
    assert RunText.objects.get(run=archived).body.endswith("b: 1\n")


def test_an_undo_leaves_what_others_changed_since_and_says_how_many(
    experiment: Any, workspace: Any, by: Any, people: Any
) -> None:
    runs = [make.run(experiment, tags={"a": str(n)}) for n in range(4)]
    work = rewritten(workspace, by, "rename", "a", "b")
    alice = make.actor(people.alice)
    actions.change_tags(runs[0], by=alice, put={"b": "hers"})
    actions.change_tags(runs[1], by=alice, put={"a": "hers"})
    actions.change_tags(runs[2], by=alice, put={"other": "hers"})

    undo = done(start_undo(work, by=by))
    assert (undo.n_done, undo.n_skipped) == (2, 2)
    assert undo.result["skipped"] == {"“b” was changed since": 1, "“a” was changed since": 1}
    assert [tags_of(run) for run in runs] == [
        {"b": "hers"},
        {"a": "hers", "b": "1"},
        {"a": "2", "other": "hers"},
        {"a": "3"},
    ]


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_and_values_are_text(
    experiment: Any, workspace: Any, by: Any, key: str
) -> None:
    value = key[:99]
    runs = [make.run(experiment, tags={key: value}), make.run(experiment, tags={"a": value})]
    rewritten(workspace, by, "replace", key, "x", value)
    rewritten(workspace, by, "rename", "a", key)
    assert [tags_of(run) for run in runs] == [{key: "x"}, {key: value}]
    rewritten(workspace, by, "delete", key, value=value)
    assert [tags_of(run) for run in runs] == [{key: "x"}, {}]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("what", "field"),
    [
        (("rename", "a", "  "), "to"),
        (("rename", "a", "a"), "to"),
        (("rename", "a", "k" * 256), "tag key"),
        (("rename", "a", "\0"), "tag key"),
        (("replace", "a", "1", "1"), "to"),
        (("replace", "a", "1"), "value"),
        (("replace", "a", "v" * 2_001, "1"), "tag “a”"),
        (("delete", "nobody has it"), "key"),
        (("delete", "a", "", "nor this"), "key"),
        (("paint", "a"), "action"),
        (("rename", "a", "c", None, "mine"), "keep"),
    ],
)
def test_what_makes_no_sense_is_refused(
    experiment: Any, workspace: Any, by: Any, what: Any, field: str
) -> None:
    make.run(experiment, tags={"a": "1"})
    with pytest.raises(Invalid) as refused:
        start_rewrite(workspace, Rewrite(*what), by=by)
    assert refused.value.field == field
    assert not Work.objects.exists()


def test_a_value_that_does_not_fit_beside_its_new_key_is_kept_whole(
    experiment: Any, workspace: Any, by: Any
) -> None:
    long = make.run(experiment, tags={"a": "v" * 2_000})
    short = make.run(experiment, tags={"a": "v"})
    work = rewritten(workspace, by, "rename", "a", "é" * 250)
    (renamed,) = Tag.objects.filter(run=long)
    assert (renamed.key, renamed.whole_value) == ("é" * 250, "v" * 2_000)
    assert tags_of(short) == {"é" * 250: "v"}
    assert not work.result.get("skipped")


def test_many_runs_go_piece_by_piece(
    experiment: Any, workspace: Any, by: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("studio.bulk.retagging.TAGS_PER_PIECE", 2)
    values = [None, None, None, "", "x", "x", "y", "y", "y"]
    runs = [make.run(experiment, tags={"a": value, "n": str(n)}) for n, value in enumerate(values)]
    work = start_rewrite(workspace, Rewrite("rename", "a", "b"), by=by)
    with pytest.raises(AlreadyUnderWay):
        start_rewrite(workspace, Rewrite("delete", "a"), by=by)
    assert cancel_work(work, by=by).state == "Canceled"

    assert rewritten(workspace, by, "rename", "a", "b").n_done == 9
    assert [tags_of(run) for run in runs] == [
        {"b": value, "n": str(n)} for n, value in enumerate(values)
    ]


def test_a_run_that_got_both_keys_after_the_preview_keeps_both(
    experiment: Any, workspace: Any, by: Any
) -> None:
    """Nobody said whose value stays."""
    rewrite = Rewrite("rename", "a", "b")
    assert rewrite.rewrite({"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert rewrite.rewrite({"a": "1", "b": "1"}) == {"b": "1"}
    assert Rewrite("rename", "a", "b", keep="source").rewrite({"a": "1", "b": "2"}) == {"b": "1"}
