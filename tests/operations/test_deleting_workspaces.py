"""Deleting a workspace leaves nothing of it, and touches no other; interrupted, it goes on."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection
from django.utils import timezone

from studio.accounts.kept_answers import Asked
from studio.accounts.models import SignInEvent, Workspace
from studio.accounts.permissions import Actor, NotAllowed
from studio.artifacts.holding import held_bytes
from studio.artifacts.models import Removal
from studio.artifacts.purging import sweep_orphans
from studio.artifacts.store import source_folder, store
from studio.blobs import digest_key
from studio.bulk.log_searching import start_log_search
from studio.bulk.selection import Selection
from studio.compute.models import Job, Target, Worker
from studio.compute.targets import make_target
from studio.custom_views.models import CustomView
from studio.custom_views.sharing import set_default
from studio.importers.models import ImportedRun
from studio.lineage.actions import note_inputs
from studio.lineage.checks import NewInput
from studio.lineage.model_actions import NewModel, create_model
from studio.operations.closing import WrongWorkspace, close_workspace, reopen_workspace
from studio.operations.emptying import delete_workspace
from studio.runs import actions
from studio.runs.models import Experiment, Run
from studio.work.actions import start_work
from studio.work.models import Work
from studio.work.running import claim
from tests import make
from tests.artifacts.test_purging import filled
from tests.database import address_for_others
from tests.live.studio import ROOT
from tests.rows import all_rows, changed_tables
from tests.web.whole_world import make_world

pytestmark = [pytest.mark.data, pytest.mark.django_db]
BY = Actor(name="command line")
# Dies, as by `kill -9`, when the rows of the runs are gone and before anything else is.
DIE = """
import os, signal
import django
django.setup()
from studio.accounts.permissions import Actor
from studio.operations.closing import find_workspace
from studio.operations.emptying import delete_workspace
from studio.runs.models import Experiment, Run
def die(told):
    print(Experiment.objects.count(), Run.objects.count(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
delete_workspace(find_workspace("lab"), die, by=Actor(name="command line"))
"""


def delete(*words: str) -> None:
    call_command("workspace", "delete", "lab", *words)


def refused(*words: str) -> str:
    with pytest.raises(CommandError) as caught:
        delete(*words)
    assert caught.value.returncode == 1
    return str(caught.value)


def ignored(told: str) -> None:
    pass


def keys() -> set[str]:
    return set(store().list())


def tables_with_a_workspace() -> set[str]:
    return {
        model._meta.label_lower
        for model in apps.get_models(include_auto_created=True)
        if any(field.related_model is Workspace for field in model._meta.concrete_fields)
    }


def everything_in_a_workspace(people: Any) -> Any:
    """One with a row in each table that has a column for the workspace."""
    run = make_world(people).run
    by, room = make.actor(people.bob), run.workspace
    note_inputs(run, [NewInput("iris", "ab12", "local", "iris.csv", "{}", "{}", {})], by=by)
    create_model(run.experiment, NewModel(name="m"), source=run, by=by)
    make_target(room, "big", {}, is_shared=False, by=make.actor(people.alice))
    start_log_search(room, Selection(query="log~epoch"), by=by)
    actions.add_properties(run, {"commit": "abc"}, by=by)
    actions.set_parameters(run, {"lr": 1}, by=by)
    set_default(CustomView.objects.get(uid="a" * 10), by=by)
    ImportedRun.objects.create(workspace=room, run=run, source="wandb", origin="x")
    answered = Asked(people.bob, room, key="one", address="a", body="b")
    answered.keep(201, "{}")
    Removal.objects.create(workspace=room, prefix=f"runs/{room.pk}/0/")
    return room


def test_no_row_and_no_file_of_it_is_left_and_no_other_workspace_is_touched(people: Any) -> None:
    other = make.workspace("other", owner=people.alice, contributor=people.bob)
    filled(make.Api(people.bob, other), make.experiment(other))
    before, files = all_rows(), keys()
    room = everything_in_a_workspace(people)
    Worker.objects.update(stopped_at=timezone.now())
    assert keys() > files
    assert {key.split("/")[0] for key in keys()} == {"runs", "attachments", "source", "uploads"}
    assert not tables_with_a_workspace() - set(changed_tables(before)), "put a row into these too"

    close_workspace(room, by=BY)
    done = delete_workspace(room, ignored, by=BY)

    assert set(changed_tables(before)) == {"accounts.user", "accounts.signinevent"}
    assert keys() == files
    assert done.n_runs > 3
    assert done.n_files > 3
    sweep_orphans(older_than_s=0)
    assert keys() == files
    found = SignInEvent.objects.filter(how__startswith="room-").order_by("pk")
    assert [(one.how, one.name, one.actor) for one in found] == [
        (how, "lab", "command line") for how in ("room-closed", "room-deleting", "room-deleted")
    ]
    assert found[2].detail == f"{done.n_runs:,} runs, {done.n_files:,} files"


def test_the_command_asks_for_the_name(
    people: Any, workspace: Any, api: Any, experiment: Any, monkeypatch: Any, capsys: Any
) -> None:
    filled(api, experiment)
    close_workspace(workspace, by=BY)
    for typed in ("", "labs\n"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert refused() == "This is not its name. Nothing was deleted."
    assert Run.objects.count() == 1
    assert "1 runs, 1 experiments, 3 files, 3 members" in capsys.readouterr().out

    monkeypatch.setattr(sys, "stdin", io.StringIO("lab\n"))
    delete()

    assert "“lab” is deleted: 1 run, 3 files, " in capsys.readouterr().out
    assert not Workspace.objects.exists()
    assert refused("--yes") == "There is no workspace “lab”."
    make.workspace("lab", owner=people.alice)  # its name is free


def test_an_open_one_is_refused(workspace: Any) -> None:
    assert refused("--yes").startswith("“lab” is open. Close it first")
    assert Workspace.objects.get() == workspace


def test_as_long_as_a_process_may_write_it_is_refused(
    people: Any, workspace: Any, experiment: Any
) -> None:
    submit = actions.Submission(target="local", snapshot="", script="train.py")
    by = make.actor(people.bob)
    held = actions.create_run(experiment, actions.NewRun(submit=submit), by=by)
    jobs, now = Job.objects.filter(pk=held.job_id), timezone.now()
    jobs.update(lease="a" * 32, node="box", claimed_at=now)
    work = start_work(workspace, "import", {}, by=by)
    claim(work.pk)
    own = Target.objects.create(name="gpu", workspace=workspace)
    worker = Worker.objects.create(node="box", host="box", pid=1, target=own, n_slots=1)
    close_workspace(workspace, by=BY)
    before = all_rows()

    assert refused("--yes").startswith("A run is still ending on workers (box).")
    actions.confirm_canceled(held, by=BY)
    assert refused("--yes").startswith("A run is still ending"), "its worker still holds the job"
    jobs.update(closed_at=now)
    assert refused("--yes").startswith("Background work is still ending")
    Work.objects.filter(pk=work.pk).update(state="Canceled", lease="")
    assert "compute targets of this workspace: box." in refused("--yes")
    assert not {"runs.experiment", "accounts.workspace"} & set(changed_tables(before))

    Worker.objects.filter(pk=worker.pk).update(stopped_at=now)
    delete("--yes")
    assert not Workspace.objects.exists()
    assert not Target.objects.filter(name="gpu").exists()


def test_a_run_that_began_while_it_was_closed_is_ended(workspace: Any, experiment: Any) -> None:
    close_workspace(workspace, by=BY)
    Workspace.objects.update(closed_at=None)  # as the request that began before it saw it
    experiment.workspace.refresh_from_db()
    make.run(experiment)
    Workspace.objects.update(closed_at=timezone.now())

    delete("--yes")

    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_requests_under_way_leave_nothing_either(
    people: Any, workspace: Any, api: Any, experiment: Any
) -> None:
    """Two writers that know the workspace as open make runs while its last rows are deleted."""
    filled(api, experiment)
    go, ended = threading.Semaphore(0), []

    def write() -> None:
        try:
            while go.acquire(timeout=60):
                actions.create_run(experiment, actions.NewRun(start=True), by=by)
        except (NotAllowed, IntegrityError, ObjectDoesNotExist) as refused:
            ended.append(refused)
        finally:
            connection.close()

    def tell(told: str) -> None:
        go.release(4)

    by = make.actor(people.bob)
    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    close_workspace(workspace, by=BY)
    delete_workspace(workspace, tell, by=BY)
    go.release(2)  # too late by now
    for writer in writers:
        writer.join(60)

    assert len(ended) == 2
    assert not Workspace.objects.exists()
    assert not Run.objects.exists()
    connection.check_constraints()


def test_while_bytes_are_copied_they_stay_and_there_is_no_way_back(
    workspace: Any, api: Any, experiment: Any
) -> None:
    filled(api, experiment)
    close_workspace(workspace, by=BY)
    with held_bytes():
        assert refused("--yes").startswith("The rows are deleted. The files wait")
        assert len([key for key in keys() if key.startswith("runs/")]) >= 3
    assert not Run.objects.exists()
    with pytest.raises(WrongWorkspace, match="has begun: a part of it is gone"):
        reopen_workspace(workspace, by=BY)

    delete("--yes")

    assert not keys()
    assert not Workspace.objects.exists()


def test_interrupted_by_ctrl_c_it_goes_on(workspace: Any, api: Any, experiment: Any) -> None:
    filled(api, experiment)
    close_workspace(workspace, by=BY)

    def interrupt(told: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_workspace(workspace, interrupt, by=BY)
    assert not Run.objects.exists()
    assert Experiment.objects.exists()

    delete("--yes")

    assert not Workspace.objects.exists()
    assert not keys()


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_killed_half_way_and_started_again_it_leaves_nothing(
    people: Any, workspace: Any, api: Any, experiment: Any, tmp_path: Path
) -> None:
    for _ in range(25):
        filled(api, experiment)
    close_workspace(workspace, by=BY)
    env = os.environ | {
        "DATABASE_URL": address_for_others(tmp_path),
        "STUDIO_STORAGE_URL": settings.STUDIO_STORAGE_URL,
    }

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, *words]
        return subprocess.run(asked, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120)

    again = (str(ROOT / "manage.py"), "workspace", "delete", "lab", "--yes")
    killed = python("-c", DIE)
    assert (killed.returncode, killed.stdout.split()) == (-signal.SIGKILL, ["1", "0"])
    assert len([key for key in keys() if key.startswith("runs/")]) >= 75
    done = python(*again)
    assert done.returncode == 0, done.stderr
    assert "“lab” is deleted: 0 runs, 75 files" in done.stdout
    assert not keys()
    last = python(*again)
    assert last.returncode == 1
    assert "There is no workspace “lab”." in last.stderr


def test_bytes_of_a_writer_that_came_too_late_are_swept(workspace: Any, api: Any) -> None:
    other = make.workspace("other", owner=make.user("olga"))
    late = {f"uploads/{workspace.pk}/{'a' * 32}", f"runs/{workspace.pk}/7/ab/{'a' * 40}"}
    late.add(digest_key("c" * 64, under=source_folder(workspace.pk)))
    late.add(f"attachments/{workspace.pk}/ab/{'a' * 40}")
    kept = {digest_key("c" * 64, under=source_folder(other.pk)), f"uploads/{other.pk}/{'a' * 32}"}
    close_workspace(workspace, by=BY)
    delete_workspace(workspace, ignored, by=BY)
    for key in late | kept:
        store().put(key, io.BytesIO(b"four"))

    assert sweep_orphans() == 4 * len(late)
    assert keys() == kept
