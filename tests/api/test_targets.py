"""Compute targets by the API: what programs read, change and are refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from studio.compute.models import Target, TargetEvent, Worker
from tests import make

LOCAL = {
    "name": "local",
    "shared": True,
    "description": "The studio's own worker",
    "enabled": True,
    "n_workers": 2,
    "n_draining": 1,
    "grace_s": 30.0,
    "lost_after_s": 600.0,
    "max_runs": None,
    "max_attempts": 3,
}


@pytest.fixture
def owner(people: Any, workspace: Any) -> make.Api:
    return make.Api(people.alice, workspace)


def test_targets_tell_how_many_workers_live(api: make.Api, people: Any) -> None:
    local, now = Target.objects.get(name="local"), timezone.now()
    row = {"host": "h", "target": local, "n_slots": 1, "version": settings.STUDIO_VERSION}
    Worker.objects.create(node="a", pid=1, **row)
    Worker.objects.create(node="b", pid=2, **row, drain_asked_at=now, drain_asked_by="root")
    Worker.objects.create(node="c", pid=3, **row, last_seen_at=now - timedelta(days=1))
    Target.objects.create(name="theirs", workspace=make.workspace("other", owner=people.dave))

    assert api.get("/targets").json()["items"] == [LOCAL]
    found = api.get("/targets/local").json()
    assert [one["node"] for one in found["workers"]] == ["a", "b"]
    assert [one["drained_by"] for one in found["workers"]] == [None, "root"]
    assert all(one["same_version"] for one in found["workers"])
    assert api.get("/targets/theirs").status_code == 404


def test_an_owner_makes_sets_drains_disables_and_deletes_a_target(owner: make.Api) -> None:
    made = owner.post("/targets", {"name": "gpu", "max_runs": 2, "grace_s": 5})
    assert made.status_code == 201, made.content
    assert (made.json()["shared"], made.json()["max_runs"]) == (False, 2)
    changed = owner.patch("/targets/gpu", {"reset": ["max_runs"], "lost_after_s": 300})
    assert (changed.json()["max_runs"], changed.json()["lost_after_s"]) == (None, 300.0)
    assert changed.json()["grace_s"] == 5.0
    assert not owner.patch("/targets/gpu", {"enabled": False}).json()["enabled"]

    gpu = Target.objects.get(name="gpu")
    worker = Worker.objects.create(node="box", host="box", pid=1, target=gpu, n_slots=1)
    drained = owner.post("/targets/gpu/drain", {"node": "box"}).json()
    assert [one["draining"] for one in drained["workers"]] == [True]
    again = owner.post("/targets/gpu/drain", {"node": "box", "draining": False}).json()
    assert [one["draining"] for one in again["workers"]] == [False]
    assert owner.post("/targets/gpu/drain", {"node": "none"}).status_code == 422

    used = owner.send("DELETE", "/targets/gpu", b"", "application/json")
    assert (used.status_code, used.json()["error"]["code"]) == (409, "conflict")
    Worker.objects.filter(pk=worker.pk).update(stopped_at=timezone.now())
    assert owner.send("DELETE", "/targets/gpu", b"", "application/json").status_code == 200
    kinds = list(TargetEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["made", "set", "disabled", "drained", "undrained", "deleted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x", "max_runs": 0}, "max_runs"),
        ({"name": "x", "max_runs": 1.5}, "max_runs"),
        ({"name": "x", "max_runs": True}, "max_runs"),
        ({"name": "x", "lost_after_s": 1}, "lost_after_s"),
        ({"name": "x", "grace_s": "5"}, "grace_s"),
        ({"name": "x", "color": "red"}, "color"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_made(
    body: dict[str, Any], field: str, owner: make.Api
) -> None:
    answer = owner.post("/targets", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert Target.objects.count() == 1


def test_what_all_share_is_changed_by_admins_with_no_token_of_one_workspace(
    owner: make.Api, workspace: Any
) -> None:
    root = make.user("root", admin=True)
    bound = make.Api(root, workspace)
    free = make.Api(root, workspace, secret=make.token(root))
    for api, status in ((owner, 403), (bound, 403), (free, 200)):
        assert api.patch("/targets/local", {"grace_s": 7}).status_code == status
    assert owner.post("/targets", {"name": "all", "shared": True}).status_code == 403
    assert owner.post("/targets", {"name": "local"}).status_code == 409
    assert free.post("/targets", {"name": "all", "shared": True}).status_code == 201


def test_a_run_for_a_target_it_can_not_have_is_refused_in_words(
    api: make.Api, people: Any, workspace: Any
) -> None:
    from tests.artifacts.test_differences import snapshot

    source = snapshot(workspace, {"train.py": b"lr = 1\n"})
    Target.objects.create(name="off", workspace=workspace, is_enabled=False)
    Target.objects.create(name="theirs", workspace=make.workspace("other", owner=people.dave))
    for name, words in (
        ("none", "There is no compute target “none”. Targets you can use: local."),
        ("theirs", "There is no compute target “theirs”. Targets you can use: local."),
        ("off", "is disabled: it takes no new runs. Targets you can use: local."),
    ):
        submit = {"snapshot": source.digest, "script": "train.py", "target": name}
        answer = api.post("/runs", {"uid": "a", "experiment": "vision", "submit": submit})
        told = answer.json()["error"]
        assert (answer.status_code, told["field"]) == (422, "submit.target")
        assert words in told["message"]
    assert api.get("/runs").json()["items"] == []
