"""P30: a backup made while others write holds everything acknowledged before it began, and a studio
restored from it starts, with equal counts and without runs that nobody holds."""

import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from studio.artifacts import logs
from studio.artifacts.actions import open_artifact, put_artifact
from studio.artifacts.holding import FOLDER, are_held, held_bytes
from studio.artifacts.models import Artifact
from studio.artifacts.purging import purge_runs
from studio.artifacts.store import store
from studio.compute.models import Job, Worker
from studio.operations import backup as backing_up
from studio.operations.archive import BrokenBackup, verified
from studio.operations.backup import write_backup
from studio.operations.dumping import tables
from studio.operations.restoring import NotRestored, restore_backup
from studio.runs.actions import cancel_run, complete_run, describe_run
from studio.runs.actions.keeping import delete_run
from studio.runs.models import Run, RunEvent
from studio.runs.status import ACTIVE
from tests import make
from tests.rows import all_rows
from tests.web.whole_world import make_world

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]


def silent(text: str) -> None:
    """Nobody is told how far it is."""


class Writer(threading.Thread):
    """Writes until it is stopped: runs with a file, a log that grows and a file that is replaced;
    every third run goes through the trash. `acknowledged`: uid -> what was stored of it."""

    def __init__(self, experiment: Any) -> None:
        super().__init__(name="writer")
        self.experiment = experiment
        self.by = make.actor(make.contributor_of(experiment.workspace))
        self.acknowledged: dict[str, bytes] = {}
        self.over, self.some = threading.Event(), threading.Event()
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self._write(len(self.acknowledged))
        except BaseException as error:
            self.failed = error
        finally:
            self.some.set()
            connection.close()

    def _write(self, number: int) -> None:
        run, data = make.run(self.experiment), f"line {number}\n".encode()
        put_artifact(run, "outputs/model", io.BytesIO(b"first"), by=self.by)
        logs.append_log(run, "logs/output.txt", 0, data, by=self.by)
        put_artifact(run, "outputs/model", io.BytesIO(data), by=self.by)
        if number % 3 == 0:
            gone = make.run(self.experiment)
            put_artifact(gone, "outputs/model", io.BytesIO(b"gone"), by=self.by)
            complete_run(gone, by=self.by)
            delete_run(gone, by=self.by)
        self.acknowledged[run.uid] = data
        if len(self.acknowledged) == 3:
            self.some.set()


@contextmanager
def writing(experiment: Any) -> Iterator[Writer]:
    writer = Writer(experiment)
    writer.start()
    writer.some.wait(60)
    try:
        yield writer
    finally:
        writer.over.set()
        writer.join()
    assert writer.failed is None, writer.failed


@pytest.fixture
def elsewhere(settings: Any, tmp_path: Path) -> Callable[[], None]:
    """From now on the storage is another one, empty."""

    def move() -> None:
        settings.STUDIO_STORAGE_URL = f"file://{tmp_path / 'elsewhere'}"

    return move


def test_what_was_acknowledged_before_the_backup_began_is_there_after_the_restore(
    experiment: Any, tmp_path: Path, elsewhere: Any
) -> None:
    with writing(experiment) as writer:
        before = dict(writer.acknowledged)
        made = write_backup(tmp_path / "b.tar", silent)
    assert len(writer.acknowledged) >= len(before)
    elsewhere()
    done = restore_backup(tmp_path / "b.tar", silent, force=True)

    assert made.n_missing == 0
    assert (done.n_rows, done.n_blobs) == (made.n_rows, made.n_blobs)
    runs = {run.uid: run for run in Run.objects.all()}
    assert before.keys() <= runs.keys()
    for uid, data in before.items():
        for path in ("outputs/model", "logs/output.txt"):
            with open_artifact(Artifact.objects.get(run=runs[uid], path=path)) as file:
                assert file.read() == data
    for artifact in Artifact.objects.all():
        assert store().exists(artifact.blob_key), f"{artifact.path} is named and not there"


def test_runs_that_were_active_are_closed_as_lost(
    experiment: Any, workspace: Any, tmp_path: Path, elsewhere: Any
) -> None:
    by = make.actor(make.contributor_of(workspace))
    going, asked, over = (make.run(experiment) for _ in range(3))
    cancel_run(asked, by=by, reason="enough")
    complete_run(over, by=by)
    write_backup(tmp_path / "b.tar", silent)
    elsewhere()
    done = restore_backup(tmp_path / "b.tar", silent, force=True)

    assert done.n_closed == 2
    for run in (going, asked, over):
        run.refresh_from_db()
    assert [run.status for run in (going, asked, over)] == ["Failed", "Canceled", "Completed"]
    assert going.status_reason.startswith("Lost: it was active when the backup of ")
    assert going.error["code"] == "Lost"
    told = RunEvent.objects.filter(run=going, kind="status").latest("pk")
    assert (told.actor, told.before, told.after) == ("studio (restore)", "Running", "Failed")
    assert not Run.objects.filter(status__in=ACTIVE).exists()
    assert not Job.objects.filter(closed_at=None).exists()


def test_every_row_of_every_table_comes_back(people: Any, tmp_path: Path, elsewhere: Any) -> None:
    world = make_world(people)
    make.client(people.alice)
    Run.objects.filter(status__in=ACTIVE).update(status="Completed", ended_at=timezone.now())
    Job.objects.update(closed_at=timezone.now())
    before = all_rows()
    assert len([rows for rows in before.values() if rows]) > 30
    write_backup(tmp_path / "b.tar", silent)
    Run.objects.filter(pk=world.run.pk).delete()
    Worker.objects.update(stopped_at=timezone.now())
    elsewhere()
    restore_backup(tmp_path / "b.tar", silent, force=True)

    after = all_rows()
    closed = {"compute.worker", "accounts.apitoken"}
    assert {name for name in before if before[name] != after[name]} <= closed
    assert not Session.objects.exists()
    # What triggers and indexes hold is searched, and new rows get ids of their own.
    assert Run.objects.filter(text__body__contains="vision").exists()
    assert make.run(world.run.experiment).pk not in {row[0] for row in before["runs.run"]}


def test_a_studio_in_use_is_not_overwritten_and_a_broken_backup_changes_nothing(
    run: Any, experiment: Any, tmp_path: Path
) -> None:
    by = make.actor(make.contributor_of(experiment.workspace))
    put_artifact(run, "outputs/model", io.BytesIO(b"x" * 100_000), by=by)
    path = tmp_path / "b.tar"
    write_backup(path, silent)
    whole = path.read_bytes()
    describe_run(run, "since then", by=by)
    before = all_rows()
    with pytest.raises(NotRestored, match="people already"):
        restore_backup(path, silent)
    at = whole.index(b"x" * 1000)
    for broken, why in (
        (whole[:at] + b"y" + whole[at + 1 :], "checksum differs"),
        (whole[: at + 5_000], "not all of one|end of the file is missing"),
        (b"no tar at all", "no backup"),
        (b"", "no backup|end of the file"),
        (tar_of(("evil", b"x")), "no checksums"),
    ):
        path.write_bytes(broken)
        with pytest.raises(BrokenBackup, match=why):
            restore_backup(path, silent, force=True)
    make.served_target(experiment.workspace)
    path.write_bytes(whole)
    with pytest.raises(CommandError, match="Stop the studio"):
        call_command("restore", str(path), force=True)

    assert all_rows()["runs.description"] == before["runs.description"]
    assert not [left for left in tmp_path.iterdir() if left.name.startswith((".", "b.tar."))]


def tar_of(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in members:
            facts = tarfile.TarInfo(name)
            facts.size = len(data)
            tar.addfile(facts, io.BytesIO(data))
    return made.getvalue()


def test_bytes_the_storage_has_lost_are_listed_and_the_command_fails(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by = make.actor(make.contributor_of(run.workspace))
    kept, lost = (
        put_artifact(run, f"outputs/{name}", io.BytesIO(b"x"), by=by).blob_key for name in "ab"
    )
    store().delete(lost)
    path = tmp_path / "b.tar"
    with pytest.raises(CommandError, match="lost 1 files"):
        call_command("backup", str(path))

    assert verified(path)["rows"]["artifacts_artifact"] == 2
    with tarfile.open(path) as tar:
        assert f"blobs/{kept}" in tar.getnames()
        missing = tar.extractfile("missing")
        assert missing is not None
        assert missing.read().decode() == f"{lost}\n"
    assert path.stat().st_mode & 0o077 == 0


def test_nothing_is_deleted_while_a_backup_is_made(run: Any, workspace: Any) -> None:
    by = make.actor(workspace.memberships.get(role="owner").user)
    old = put_artifact(run, "outputs/model", io.BytesIO(b"old"), by=by).blob_key
    with held_bytes():
        put_artifact(run, "outputs/model", io.BytesIO(b"new"), by=by)
        complete_run(run, by=by)
        delete_run(run, by=by)
        call_command_purge(workspace, run, by)
        assert store().exists(old)
        assert are_held()
    assert not list(store().list(FOLDER))
    call_command_purge(workspace, run, by)

    assert not list(store().list("runs/"))


def call_command_purge(workspace: Any, run: Any, by: Any) -> None:
    from studio.artifacts.purging import finish_removals

    run.refresh_from_db() if Run.objects.filter(pk=run.pk).exists() else None
    purge_runs(workspace, list(Run.objects.filter(pk=run.pk)), by=by)
    finish_removals(workspace)


def test_a_backup_that_fails_leaves_no_file(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(backing_up, "named_keys", fail)
    (tmp_path / "b.tar").write_bytes(b"yesterday's")
    with pytest.raises(CommandError, match="No backup was made: No space left"):
        call_command("backup", str(tmp_path / "b.tar"))

    assert [path.name for path in tmp_path.glob("*b*.tar*")] == ["b.tar"]
    assert (tmp_path / "b.tar").read_bytes() == b"yesterday's"
    assert not list(store().list(FOLDER))


def test_every_table_with_bytes_is_known_to_the_backup() -> None:
    """A column of keys with another name would be left out in silence."""
    from django.apps import apps

    keys = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if "key" in field.name and "blob" in field.name
    }

    assert {name.rsplit(".", 1)[1] for name in keys} == {"blob_key"}
    assert "artifacts_sourceblob" in tables()
