"""Who changes targets, what is refused, and what the history tells of it."""

from typing import Any

import pytest

from studio.accounts.permissions import Actor, NotAllowed
from studio.compute import targets
from studio.compute.actions import UnknownTarget, find_target
from studio.compute.models import Target, TargetEvent, Worker
from studio.compute.targets import TargetInUse, TargetTaken, WrongTarget
from studio.runs.actions import Submission
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.data]


@pytest.fixture
def alice(people: Any, workspace: Any) -> Actor:
    return Actor.of_user(people.alice)


@pytest.fixture
def admin(workspace: Any) -> Actor:
    return Actor.of_user(make.user("root", admin=True))


@pytest.fixture
def gpu(workspace: Any, alice: Actor) -> Target:
    return targets.make_target(workspace, "gpu", {"max_runs": 2}, is_shared=False, by=alice)


def told() -> list[tuple[str, str, str, Any, Any]]:
    found = TargetEvent.objects.order_by("pk")
    return list(found.values_list("actor", "kind", "subject", "before", "after"))


def test_each_change_is_told_with_who_before_and_after(
    gpu: Target, alice: Actor, workspace: Any
) -> None:
    Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1)
    targets.edit_target(
        gpu, {"max_runs": None, "grace_s": 5.0, "description": ""}, workspace=workspace, by=alice
    )
    targets.edit_target(gpu, {"grace_s": 5.0}, workspace=workspace, by=alice)
    for enabled in (False, False, True):
        targets.enable_target(gpu, enabled=enabled, workspace=workspace, by=alice)
    for draining in (True, True, False):
        targets.drain_worker(gpu, "box", draining=draining, workspace=workspace, by=alice)

    before, after = {"max_runs": 2, "grace_s": None}, {"max_runs": None, "grace_s": 5.0}
    assert told() == [
        ("alice", "made", "gpu", None, {"max_runs": 2}),
        ("alice", "set", "gpu", before, after),
        ("alice", "disabled", "gpu", None, None),
        ("alice", "enabled", "gpu", None, None),
        ("alice", "drained", "gpu", None, {"node": "box"}),
        ("alice", "undrained", "gpu", None, {"node": "box"}),
    ]


def test_an_owner_changes_the_targets_of_the_workspace_alone(
    gpu: Target, people: Any, alice: Actor, admin: Actor, workspace: Any
) -> None:
    local, n = Target.objects.get(name="local"), len(told())
    for by, target in ((alice, local), (Actor.of_user(people.bob), gpu)):
        for change in (
            lambda: targets.edit_target(target, {"grace_s": 1}, workspace=workspace, by=by),  # noqa: B023
            lambda: targets.enable_target(target, enabled=False, workspace=workspace, by=by),  # noqa: B023
            lambda: targets.delete_target(target, workspace=workspace, by=by),  # noqa: B023
            lambda: targets.drain_worker(target, "x", draining=True, workspace=workspace, by=by),  # noqa: B023
        ):
            with pytest.raises(NotAllowed):
                change()
    with pytest.raises(NotAllowed, match="admin of the studio"):
        targets.make_target(workspace, "all", {}, is_shared=True, by=alice)
    assert len(told()) == n

    targets.edit_target(local, {"grace_s": 1.0}, workspace=workspace, by=admin)
    assert targets.make_target(workspace, "all", {}, is_shared=True, by=admin).is_shared


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grace_s", -1.0),
        ("grace_s", float("nan")),
        ("grace_s", 1e9),
        ("lost_after_s", 60.0),
        ("lost_after_s", float("inf")),
        ("max_runs", 0),
        ("max_runs", 10_001),
        ("max_attempts", 0),
        ("description", "x" * 1_001),
    ],
)
def test_settings_that_can_not_be_are_refused(
    field: str, value: Any, gpu: Target, alice: Actor, workspace: Any
) -> None:
    with pytest.raises(WrongTarget) as refused:
        targets.edit_target(gpu, {field: value}, workspace=workspace, by=alice)
    assert refused.value.field == field
    assert len(told()) == 1


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a.b", "é", "x" * 64, "<b>"])
def test_names_that_can_not_be_are_refused(name: str, alice: Actor, workspace: Any) -> None:
    with pytest.raises(WrongTarget):
        targets.make_target(workspace, name, {}, is_shared=False, by=alice)


def test_a_name_is_taken_in_the_workspace_and_by_shared_ones_but_not_elsewhere(
    gpu: Target, alice: Actor, admin: Actor, people: Any, workspace: Any
) -> None:
    for name, is_shared, by in (
        ("gpu", False, alice),
        ("local", False, alice),
        ("gpu", True, admin),
    ):
        with pytest.raises(TargetTaken):
            targets.make_target(workspace, name, {}, is_shared=is_shared, by=by)

    other = make.workspace("other", owner=people.dave)
    dave = Actor.of_user(people.dave)
    theirs = targets.make_target(other, "gpu", {}, is_shared=False, by=dave)
    assert theirs.queue != gpu.queue
    assert find_target("gpu", workspace=workspace) == gpu
    assert find_target("gpu", workspace=other) == theirs


def test_a_target_that_something_names_is_not_deleted(
    gpu: Target, alice: Actor, admin: Actor, experiment: Any, workspace: Any
) -> None:
    worker = Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1)
    with pytest.raises(TargetInUse, match="A worker serves"):
        targets.delete_target(gpu, workspace=workspace, by=alice)
    Worker.objects.filter(pk=worker.pk).update(stopped_at=worker.started_at)
    targets.delete_target(gpu, workspace=workspace, by=alice)
    assert not Target.objects.filter(name="gpu").exists()

    used = targets.make_target(workspace, "cpu", {}, is_shared=False, by=alice)
    make.run(experiment, start=False, submit=Submission(target="cpu", snapshot="", script="a.py"))
    for target, by in ((used, alice), (Target.objects.get(name="local"), admin)):
        with pytest.raises(TargetInUse, match="Disable it instead"):
            targets.delete_target(target, workspace=workspace, by=by)


def test_a_run_is_not_submitted_to_an_unknown_a_disabled_or_a_foreign_target(
    gpu: Target, alice: Actor, people: Any, experiment: Any, workspace: Any
) -> None:
    other = make.workspace("other", owner=people.dave)
    targets.make_target(other, "secret", {}, is_shared=False, by=Actor.of_user(people.dave))
    targets.enable_target(gpu, enabled=False, workspace=workspace, by=alice)
    nothing = "There is no compute target “{}”. Targets you can use: local."
    disabled = (
        "The compute target “{}” is disabled: it takes no new runs. Targets you can use: local."
    )
    for name, words in (("none", nothing), ("secret", nothing), ("gpu", disabled)):
        with pytest.raises(UnknownTarget) as refused:
            make.run(
                experiment, start=False, submit=Submission(target=name, snapshot="", script="a.py")
            )
        assert str(refused.value) == words.format(name)
    assert not experiment.runs.exists()


def test_a_worker_names_its_target_and_makes_it(workspace: Any, gpu: Target) -> None:
    by = Actor.system("worker on box")
    assert targets.target_to_serve("lab/gpu", by=by) == gpu
    made = targets.target_to_serve("big", by=by)
    assert (made.workspace, targets.target_to_serve("big", by=by)) == (None, made)
    assert told()[-1] == ("studio (worker on box)", "made", "big", None, {})
    for wrong in ("nowhere/gpu", "a/b/c", "lab/", "", "x y"):
        with pytest.raises(WrongTarget):
            targets.target_to_serve(wrong, by=by)
