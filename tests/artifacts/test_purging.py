"""Purging frees rows and disk, whatever is killed in between; nothing points to missing bytes."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from studio.artifacts.line_index import owner_key
from studio.artifacts.logs import append_log
from studio.artifacts.models import Artifact, Removal
from studio.artifacts.purging import (
    CHILD_IS_USED,
    finish_removals,
    purge_runs,
    sweep_orphans,
)
from studio.artifacts.store import new_key, store
from studio.bulk.acting import start_bulk, with_reason
from studio.bulk.choices import CHOICES
from studio.bulk.expiry import start_expiry
from studio.bulk.selection import Selection
from studio.runs import actions
from studio.runs.actions import keeping
from studio.runs.actions.importing import PastRun, import_runs
from studio.runs.history import Refused
from studio.runs.lifecycle import Past
from studio.runs.models import Run
from studio.runs.status import Status
from studio.work import beats
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.api.calls import batch
from tests.database import address_for_others

RAW = "application/octet-stream"
pytestmark = [pytest.mark.data, pytest.mark.django_db]


def filled(api: Any, experiment: Any, *, parent: Any = None) -> Any:
    """A finished run with metrics, tags, two files (14 bytes) and a log (5 bytes)."""
    run = make.run(experiment, parent=parent, tags={"a": "b"}, parameters={"lr": 1})
    at = f"/runs/{run.uid}"
    sent = [
        api.post(f"{at}/batches", batch(1.0, 2.0)),
        api.send("PUT", f"{at}/artifacts/outputs/a.bin", b"x" * 10, RAW),
        api.send("PUT", f"{at}/artifacts/outputs/b.bin", b"y" * 4, RAW),
        api.send("POST", f"{at}/logs/logs/output.txt?offset=0", b"hello", RAW),
        api.patch(at, {"description": "text"}),
        api.post(f"{at}/complete"),
    ]
    assert all(answer.status_code in (200, 201) for answer in sent)
    return run


def files_on_disk() -> set[str]:
    """The keys of files; what was noted beside one counts as the file itself."""
    return {owner_key(key) for key in store().list("runs/")}


def rows_of_runs() -> dict[str, int]:
    """Rows of every table that hangs on runs, by name, empty tables left out."""
    kept = ("runs", "metrics", "artifacts")
    found = {
        m.__name__: m._base_manager.count() for m in apps.get_models() if m._meta.app_label in kept
    }
    return {name: n for name, n in found.items() if n and name != "Experiment"}


@pytest.fixture
def alice(people: Any) -> Any:
    return make.actor(people.alice)


def test_everything_of_a_run_and_of_those_below_it_goes(api, experiment, workspace, alice):
    kept = filled(api, experiment)
    rows, files = rows_of_runs(), files_on_disk()
    top = filled(api, experiment)
    filled(api, experiment, parent=filled(api, experiment, parent=top))
    keeping.delete_run(top, by=alice)

    outcome = purge_runs(workspace, [top], by=alice)
    assert outcome.facts == {"n_bytes": 3 * 19, "n_runs": 3}
    assert finish_removals() == 9

    assert rows_of_runs() == rows
    assert files_on_disk() == files
    assert Run.objects.get() == kept


def test_a_run_below_a_parent_that_was_deleted_meanwhile_is_refused(
    experiment, workspace, people, alice
):
    bob = make.actor(people.bob)
    parent = make.run(experiment)
    actions.complete_run(parent, by=bob)
    as_read = Run.objects.get(pk=parent.pk)
    keeping.delete_run(parent, by=bob)

    with pytest.raises(Refused, match="Its parent run is in the trash"):
        make.run(experiment, parent=as_read)
    now = timezone.now()
    past = PastRun(experiment, "late", now, Past(Status.COMPLETED, now, now), "", parent=as_read)
    [alone] = import_runs(workspace, [past], by=bob)
    assert (alone.parent, alone.root) == (None, None)


def test_a_run_that_is_in_use_is_not_purged_with_its_parent(api, experiment, workspace, alice):
    top = filled(api, experiment)
    child = filled(api, experiment, parent=filled(api, experiment, parent=top))
    keeping.delete_run(top, by=alice)
    # As one that was made while its parent went to the trash.
    Run.objects.filter(pk=child.pk).update(deleted_at=None, deleted_with=None)

    assert purge_runs(workspace, [top], by=alice).refused == [(top, CHILD_IS_USED)]
    [case] = with_reason(Run.objects.filter(pk=top.pk), CHOICES["purge"], {}, user=None)
    assert case.why_not == CHILD_IS_USED
    assert Run.objects.filter(pk=child.pk).exists()
    keeping.delete_run(child, by=alice)
    assert purge_runs(workspace, [top], by=alice).facts["n_runs"] == 3


@pytest.mark.django_db(transaction=True)
def test_a_purge_says_that_it_is_alive_however_slow_its_bucket_is(
    api, experiment, workspace, alice, monkeypatch
):
    top = filled(api, experiment)
    keeping.delete_run(top, by=alice)
    work = start_bulk(workspace, "purge", Selection(trash=True), {}, by=alice)
    monkeypatch.setattr(beats, "BEAT_S", 0)
    delete, silent = type(store()).delete, []

    def twenty_seconds(self, key):
        Work.objects.filter(lease__gt="").update(beat_at=F("beat_at") - timedelta(seconds=20))
        silent.append(Work.objects.free().exists())
        return delete(self, key)

    monkeypatch.setattr(type(store()), "delete", twenty_seconds)
    run_work(work.pk)

    work.refresh_from_db()
    assert (work.state, work.n_done) == (State.DONE, 1)
    assert len(silent) >= 3
    assert not any(silent)


def test_only_what_lies_in_the_trash_and_is_over_goes(api, experiment, workspace, alice, run):
    done = filled(api, experiment)
    keeping.delete_run(run, by=alice, cancel=True)
    outcome = purge_runs(workspace, [done, run], by=alice)
    assert not outcome.done
    assert {reason.split(".")[0] for _, reason in outcome.refused} == {
        "It is not in the trash",
        "It, or a child run of it, is still ending",
    }
    assert Run.objects.count() == 2


def test_killed_between_rows_and_bytes_the_next_call_finishes(api, experiment, workspace, alice):
    done = filled(api, experiment)
    keeping.delete_run(done, by=alice)
    purge_runs(workspace, [done], by=alice)  # and here the worker dies
    assert len(files_on_disk()) == 3
    assert not Artifact.objects.exists()
    store().delete(sorted(files_on_disk())[0])  # or a little later

    assert finish_removals(workspace) == 2
    assert not files_on_disk()
    assert not Removal.objects.exists()


def test_a_file_of_a_writer_that_came_too_late_is_swept(api, experiment, workspace, alice):
    done = filled(api, experiment)
    other = filled(api, experiment)
    keeping.delete_run(done, by=alice)
    key = Artifact.objects.get(run=done, path="logs/output.txt").blob_key
    purge_runs(workspace, [done], by=alice)
    finish_removals()
    store().append(key, 0, b"late words")
    started = new_key(other, "upload")  # on its way: its row is not written yet
    store().append(started, 0, b"half")

    assert sweep_orphans() == len(b"late words")
    assert key not in files_on_disk()
    assert started in files_on_disk()
    os.utime(Path(settings.STUDIO_STORAGE_URL.removeprefix("file://"), started), (0, 0))
    assert sweep_orphans() == len(b"half")
    assert len(files_on_disk()) == 3


def test_a_log_of_a_purged_run_can_not_be_begun(api, run, workspace, alice):
    from django.db import IntegrityError, connection, transaction

    keeping.delete_run(actions.fail_run(run, by=alice), by=alice)
    late = Run.objects.get(pk=run.pk)
    purge_runs(workspace, [run], by=alice)

    def begin_late() -> None:
        with transaction.atomic():
            append_log(late, "logs/output.txt", 0, b"late", by=alice)
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        begin_late()


def test_after_its_days_in_the_trash_a_run_is_purged_by_itself(api, experiment, workspace, alice):
    old, young = filled(api, experiment), filled(api, experiment)
    for run in (old, young):
        keeping.delete_run(run, by=alice)
    long_ago = timezone.now() - timedelta(days=settings.TRASH_DAYS + 1)
    Run.objects.filter(pk=old.pk).update(deleted_at=long_ago)

    (work,) = start_expiry()
    assert start_expiry() == []  # another worker's clock
    run_work(work.pk)

    work.refresh_from_db()
    assert (work.state, work.n_done, work.result["n_bytes"]) == ("Done", 1, 19)
    assert work.actor == "studio (trash)"
    assert Run.objects.get() == young
    assert len(files_on_disk()) == 3
    assert start_expiry() == []


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_purges_leaves_nothing_behind(
    people: Any, workspace: Any, api: Any, experiment: Any, tmp_path: Path
) -> None:
    """120 runs in 6 pieces, killed at some moment; the second worker ends with an empty disk."""
    filled(api, experiment)
    runs = [make.run(experiment) for _ in range(119)]
    for run in runs:
        for name in "abc":
            append_log(run, f"logs/{name}.txt", 0, b"hello", by=make.actor(people.bob))
        actions.complete_run(run, by=make.actor(people.bob))
    owner = make.Api(people.alice, workspace)
    everything = {"selection": {"query": ""}}
    deleted = owner.post("/bulk", everything | {"action": "delete"}).json()["id"]
    run_work(Work.objects.get(uid=deleted).pk)
    purge = owner.post("/bulk", everything | {"action": "purge"}).json()["id"]
    assert len(files_on_disk()) == 119 * 3 + 3

    env = os.environ | {
        "DATABASE_URL": address_for_others(tmp_path),
        "STUDIO_STORAGE_URL": settings.STUDIO_STORAGE_URL,
    }

    def worker(*words: str) -> int:
        asked = [sys.executable, "-m", "tests.bulk.worker", purge, *words]
        return subprocess.run(asked, env=env, timeout=120, capture_output=True).returncode

    assert worker("die") == -signal.SIGKILL
    assert files_on_disk()
    assert worker("age") == worker() == 0

    assert not files_on_disk()
    told = subprocess.run(
        [sys.executable, "-m", "tests.bulk.worker", purge, "report"],
        env=env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert '"n_done": 120' in told
    assert f'"n_bytes": {119 * 15 + 19}' in told
