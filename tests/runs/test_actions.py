"""What people do to runs, at the level every interface shares."""

from typing import Any

import pytest

from studio.accounts.permissions import Actor, NotAllowed
from studio.compute.actions import UnknownTarget
from studio.compute.models import Job
from studio.runs import actions
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run, RunEvent, RunText
from studio.runs.status import Status
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def bob(people: Any, workspace: Any) -> Actor:
    return Actor.of_user(people.bob)


@pytest.fixture
def carol(people: Any, workspace: Any) -> Actor:
    return Actor.of_user(people.carol)


@pytest.fixture
def dave(people: Any, workspace: Any) -> Actor:
    return Actor.of_user(people.dave)


def submission(**facts: Any) -> actions.NewRun:
    facts = {"target": "local", "snapshot": "", "script": "train.py", **facts}
    return actions.NewRun(submit=actions.Submission(**facts))


CHANGES = {
    "create": lambda run, by: actions.create_run(run.experiment, actions.NewRun(), by=by),
    "children": lambda run, by: actions.create_children(run, [actions.NewRun()], by=by),
    "experiment": lambda run, by: actions.ensure_experiment(run.workspace, "new", by=by),
    "complete": lambda run, by: actions.complete_run(run, by=by),
    "fail": lambda run, by: actions.fail_run(run, by=by),
    "cancel": lambda run, by: actions.cancel_run(run, by=by),
    "kill": lambda run, by: actions.kill_run(run, by=by),
    "rename": lambda run, by: actions.rename_run(run, "x", by=by),
    "describe": lambda run, by: actions.describe_run(run, "x", by=by),
    "tag": lambda run, by: actions.change_tags(run, by=by, put={"a": "b"}),
    "property": lambda run, by: actions.add_properties(run, {"a": "b"}, by=by),
    "parameter": lambda run, by: actions.set_parameters(run, {"a": "b"}, by=by),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_reader_and_an_outsider_change_nothing(
    run: Run, carol: Actor, dave: Actor, name: str
) -> None:
    before = list(RunEvent.objects.values_list("id", flat=True))
    for who in (carol, dave):
        with pytest.raises(NotAllowed):
            CHANGES[name](run, who)
    assert list(RunEvent.objects.values_list("id", flat=True)) == before
    assert Run.objects.count() == 1
    assert Experiment.objects.count() == 1


@pytest.mark.parametrize("name", CHANGES)
def test_a_contributor_may(run: Run, bob: Actor, name: str) -> None:
    CHANGES[name](run, bob)


def test_a_run_token_reaches_its_own_tree_only(people: Any, run: Run, bob: Actor) -> None:
    own = Actor(name="bob", user=people.bob, workspace_id=run.workspace_id, run_uid=run.uid)
    child = actions.create_run(run.experiment, actions.NewRun(start=True), by=own, parent=run)
    grandchild = actions.create_run(
        run.experiment, actions.NewRun(start=True), by=own, parent=child
    )
    assert grandchild.root == run
    actions.change_tags(grandchild, by=own, put={"a": None})
    other = make.run(run.experiment)
    with pytest.raises(NotAllowed):
        actions.change_tags(other, by=own, put={"a": None})
    with pytest.raises(Invalid):
        actions.create_run(run.experiment, actions.NewRun(), by=own)


def test_numbers_grow_within_an_experiment(run: Run, bob: Actor) -> None:
    children = actions.create_children(run, [actions.NewRun() for _ in range(5)], by=bob)
    assert [child.number for child in children] == [2, 3, 4, 5, 6]
    assert {child.root_id for child in children} == {run.pk}


def test_creating_many_children_takes_few_queries(
    run: Run, bob: Actor, django_assert_max_num_queries: Any
) -> None:
    new = [actions.NewRun(tags={"i": i}, parameters={"lr": 0.1}, start=True) for i in range(300)]
    with django_assert_max_num_queries(30):
        actions.create_children(run, new, by=bob)
    assert run.children.count() == 300


def test_a_taken_uid_is_refused_and_nothing_is_made(run: Run, bob: Actor) -> None:
    with pytest.raises(actions.UidTaken):
        actions.create_run(run.experiment, actions.NewRun(uid=run.uid), by=bob)
    run.experiment.refresh_from_db()
    assert run.experiment.last_number == 1


@pytest.mark.parametrize("name", ["", "has space", "-dash", "a/b", "x" * 256, "ü" * 3 + "\n"])
def test_a_bad_experiment_name_is_refused(workspace: Any, bob: Actor, name: str) -> None:
    with pytest.raises(Invalid) as wrong:
        actions.ensure_experiment(workspace, name, by=bob)
    assert wrong.value.field == "experiment"


def test_submitting_queues_a_job_and_an_unknown_target_names_the_known(
    experiment: Experiment, bob: Actor
) -> None:
    run = actions.create_run(experiment, submission(arguments=["--lr", 0.1]), by=bob)
    assert run.status == Status.QUEUED
    assert Job.objects.waiting().get().argv == ["train.py", "--lr", "0.1"]
    with pytest.raises(UnknownTarget, match="local"):
        actions.create_run(experiment, submission(target="gpu-farm"), by=bob)


def test_cancelling_a_queued_run_never_starts_it(experiment: Experiment, bob: Actor) -> None:
    run = actions.create_run(experiment, submission(), by=bob)
    run = actions.cancel_run(run, by=bob, reason="wrong data")
    assert run.status == Status.CANCELED
    assert run.cancel_requested_by == "bob"
    assert not Job.objects.waiting().exists()
    again = actions.cancel_run(run, by=bob)
    assert again.status == Status.CANCELED
    kinds = list(RunEvent.objects.filter(run=run).order_by("id").values_list("after", flat=True))
    assert kinds == ["Queued", "CancelRequested", "Canceled"]


def test_cancelling_asks_unfinished_children_too_unless_told_otherwise(
    run: Run, bob: Actor
) -> None:
    done, going = actions.create_children(run, [actions.NewRun(start=True)] * 2, by=bob)
    actions.complete_run(done, by=bob)
    actions.cancel_run(run, by=bob)
    statuses = [Run.objects.get(pk=child.pk).status for child in (done, going)]
    assert statuses == [Status.COMPLETED, Status.CANCEL_REQUESTED]
    other = make.run(run.experiment)
    (child,) = actions.create_children(other, [actions.NewRun(start=True)], by=bob)
    actions.cancel_run(other, by=bob, children=False)
    child.refresh_from_db()
    assert child.status == Status.RUNNING


def test_cancelling_a_finished_run_changes_nothing(run: Run, bob: Actor) -> None:
    actions.complete_run(run, by=bob)
    n = RunEvent.objects.count()
    assert actions.cancel_run(run, by=bob).status == Status.COMPLETED
    assert RunEvent.objects.count() == n
    (child,) = actions.create_children(run, [actions.NewRun(start=True)], by=bob)
    actions.cancel_run(run, by=bob)
    child.refresh_from_db()
    assert child.status == Status.RUNNING


def test_killing_a_run_keeps_to_which_runs_its_cancel_meant(run: Run, bob: Actor) -> None:
    (child,) = actions.create_children(run, [actions.NewRun(start=True)], by=bob)
    as_read = Run.objects.get(pk=run.pk)
    actions.cancel_run(run, by=bob, children=False)
    actions.kill_run(as_read, by=bob)
    child.refresh_from_db()
    assert child.status == Status.RUNNING

    other = make.run(run.experiment)
    (below,) = actions.create_children(other, [actions.NewRun(start=True)], by=bob)
    actions.kill_run(other, by=bob)
    below.refresh_from_db()
    assert below.status == Status.CANCEL_REQUESTED


def test_a_completed_run_can_be_marked_as_failed_with_actor_and_reason(
    run: Run, bob: Actor
) -> None:
    actions.complete_run(run, by=bob)
    run = actions.fail_run(run, by=bob, reason="wrong script")
    assert run.status == Status.FAILED
    event = RunEvent.objects.filter(run=run).latest("id")
    assert (event.actor, event.before, event.message) == ("bob", "Completed", "wrong script")


def test_a_property_is_write_once_and_a_conflict_changes_nothing(run: Run, bob: Actor) -> None:
    actions.add_properties(run, {"author": "azureml-user"}, by=bob)
    actions.add_properties(run, {"author": "azureml-user", "new": 1}, by=bob)
    with pytest.raises(actions.PropertyConflict, match="different"):
        actions.add_properties(run, {"other": "x", "author": "different"}, by=bob)
    stored = dict(run.properties.values_list("key", "value"))
    assert stored == {"author": "azureml-user", "new": "1"}


def test_tags_merge_and_keep_valueless_ones(run: Run, bob: Actor) -> None:
    actions.change_tags(run, by=bob, put={"quality": "great run", "worth another look": None})
    tags = actions.change_tags(run, by=bob, put={"quality": "fantastic run", "n": 1})
    assert tags == {"n": "1", "quality": "fantastic run", "worth another look": None}
    assert actions.change_tags(run, by=bob, remove=["quality"]) == {
        "n": "1",
        "worth another look": None,
    }
    event = RunEvent.objects.filter(run=run, kind="tags").latest("id")
    assert event.before["quality"] == "fantastic run"
    assert "quality" not in event.after


@pytest.mark.parametrize("bad", ["", " \u200b", "a\0b", "\ud800", "k" * 256])
def test_a_tag_key_that_cannot_be_shown_is_refused(run: Run, bob: Actor, bad: str) -> None:
    with pytest.raises(Invalid):
        actions.change_tags(run, by=bob, put={bad: "x"})
    assert not run.tags.exists()


def test_a_description_is_rendered_cleaned_versioned_and_searchable(run: Run, bob: Actor) -> None:
    row = actions.describe_run(run, "**Bold** <script>alert(1)</script>", by=bob)
    assert "<strong>Bold</strong>" in row.html
    assert "<script" not in row.html
    assert row.version == 1
    assert "alert" in RunText.objects.get(run=run).body


def test_the_second_of_two_editors_is_told_and_nothing_is_lost(run: Run, bob: Actor) -> None:
    actions.describe_run(run, "first", by=bob, expected_version=0)
    actions.describe_run(run, "bob's", by=bob, expected_version=1)
    with pytest.raises(actions.EditConflict) as conflict:
        actions.describe_run(run, "late", by=bob, expected_version=1)
    assert conflict.value.current.text == "bob's"
    run.refresh_from_db()
    assert run.description_row.text == "bob's"


def test_a_description_over_the_limit_names_the_limit(run: Run, bob: Actor) -> None:
    with pytest.raises(Invalid, match="100,000"):
        actions.describe_run(run, "x" * 10_000_000, by=bob)


def test_stars_belong_to_a_person(people: Any, run: Run, carol: Actor, bob: Actor) -> None:
    actions.star_run(run, by=carol, starred=True)
    actions.star_run(run, by=carol, starred=True)
    assert list(run.stars.values_list("user__username", flat=True)) == ["carol"]
    actions.star_run(run, by=carol, starred=False)
    assert not run.stars.exists()


def test_the_longest_values_are_stored_and_found_on_every_database(run: Run, bob: Actor) -> None:
    """PostgreSQL refuses index rows over 2.7 kB, so the limit counts bytes."""
    scrambled = "".join(chr(33 + (i * i * 7919 + i * 31) % 90) for i in range(2_000))
    actions.change_tags(run, by=bob, put={"k" * 255: scrambled})
    actions.set_parameters(run, {"p": scrambled}, by=bob)
    actions.add_properties(run, {"q": scrambled}, by=bob)
    assert run.tags.get(value=scrambled).key == "k" * 255
    with pytest.raises(Invalid, match="bytes"):
        actions.change_tags(run, by=bob, put={"wide": "𝄞" * 700})
    with pytest.raises(Invalid, match="2,000"):
        actions.change_tags(run, by=bob, put={"long": "x" * 2_001})
