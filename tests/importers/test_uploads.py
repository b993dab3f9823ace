"""Histories that people upload: looked through first, imported in the background, never trusted."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from tensorboardX import SummaryWriter

from studio.artifacts.models import Upload
from studio.artifacts.uploads import sweep_uploads
from studio.importers.archives import MAX_FILES
from studio.lineage.actions import note_inputs
from studio.lineage.checks import NewInput
from studio.lineage.model_actions import NewModel, create_model
from studio.lineage.models import RunInput
from studio.runs.models import Run
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.exports.archives import written
from tests.importers import made_mlruns
from tests.importers.made_mlruns import RUNS
from tests.importers.test_wandb import REAL as WANDB
from tests.rows import all_rows, changed_tables
from tests.web.pages import read

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_home(settings: Any, tmp_path: Path) -> None:
    settings.STUDIO_HOME = tmp_path


def zipped(folder: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    return stream.getvalue()


def send(client: Client, content: bytes, *, name: str = "mlruns.zip", **form: str) -> Any:
    file = SimpleUploadedFile(name, content)
    return client.post("/w/lab/import/check", {"kind": "mlflow-folder", "file": file, **form})


def worked() -> Work:
    """The newest work, done as a worker would."""
    work = Work.objects.latest("pk")
    for _ in range(20):
        run_work(work.pk, slice_s=1.0)
        work.refresh_from_db()
        if not work.is_open:
            break
    return work


def test_an_upload_is_looked_through_then_imported_then_removed(
    bob_client: Client, tmp_path: Path
) -> None:
    content = zipped(made_mlruns.folder(tmp_path / "mlruns"))

    answer = send(bob_client, content)
    looked = worked()
    page = bob_client.get(answer["Location"]).content.decode()

    assert (looked.state, looked.result["n_new"], Run.objects.count()) == (State.DONE, 3, 0)
    assert "What would happen" in page
    assert "Import 3 runs" in page
    answer = bob_client.post(f"/w/lab/import/{looked.uid}/start")
    done = worked()
    page = bob_client.get(answer["Location"]).content.decode()
    assert (done.state, done.n_done, Run.objects.count()) == (State.DONE, 3, 3)
    assert "3 runs imported from mlruns.zip" in page
    assert Run.objects.first().submitter.username == "bob"  # type: ignore[union-attr]
    assert not Upload.objects.exists()
    assert not list((tmp_path / "imports").iterdir())
    again = bob_client.post(f"/w/lab/import/{looked.uid}/start")
    assert (again.status_code, "no longer here" in again.content.decode()) == (409, True)


def test_the_lineage_of_an_archive_is_told_before_and_after(
    bob_client: Client, people: Any, workspace: Any
) -> None:
    elsewhere = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    source, by = make.run(make.experiment(elsewhere)), make.actor(people.bob)
    note_inputs(source, [NewInput("iris", "ab12"), NewInput("iris", "cd34")], by=by)
    create_model(source.experiment, NewModel("net"), source=source, by=by)
    content = written(elsewhere)

    send(bob_client, content, name="runs.zip", kind="studio-zip")
    check = worked()
    assert not RunInput.objects.filter(run__workspace=workspace).exists()
    bob_client.post(f"/w/lab/import/{check.uid}/start")
    brought = worked()

    assert RunInput.objects.filter(run__workspace=workspace).count() == 2
    for work in (check, brought):
        text = read(bob_client.get(f"/w/lab/work/{work.uid}")).text
        assert "Data sets used 2 Logged models 1" in text


def test_zipped_logs_of_tensorboard_and_wandb_come_once(bob_client: Client, tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "logs" / "one")) as writer:
        writer.add_scalar("loss", 1.0, 1)
    for kind, folder in (("tensorboard", tmp_path / "logs"), ("wandb", WANDB)):
        counts = []
        for _ in range(2):
            send(bob_client, zipped(folder), kind=kind, name=f"{kind}.zip")
            looked = worked()
            counts.append(looked.result["n_new"])
            bob_client.post(f"/w/lab/import/{looked.uid}/start")
            worked()
        assert counts == [1, 0], kind
    assert Run.objects.count() == 2
    assert Run.objects.filter(experiment__name="logs", display_name="one").exists()


def test_a_run_without_files_in_an_archive_is_no_problem(
    bob_client: Client, tmp_path: Path
) -> None:
    root = made_mlruns.folder(tmp_path / "mlruns")
    for run, where in ((RUNS[0], "file:///data/mlruns/1"), (RUNS[1], "s3://bucket/mlruns/1")):
        shutil.rmtree(root / "1" / run / "artifacts")
        with (root / "1" / run / "meta.yaml").open("a") as meta:
            meta.write(f"artifact_uri: {where}/{run}/artifacts\n")
    send(bob_client, zipped(root))
    looked = worked()

    assert [problem["message"].split(":")[0] for problem in looked.problems] == ["run 1"]
    assert "they lie elsewhere" in looked.problems[0]["message"]


def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    bob_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.importers.background import ImportKind
    from studio.work import kinds

    source = made_mlruns.database(tmp_path / "many.db", 450).read_bytes()
    send(bob_client, source, name="many.db", kind="mlflow-db")
    looked = worked()
    bob_client.post(f"/w/lab/import/{looked.uid}/start")
    work = Work.objects.latest("pk")
    # Opening alone takes longer than the slice: each worker does one step, and notes it.
    monkeypatch.setattr("studio.importers.background.AT_ONCE_S", 0.0)
    for _ in range(40):
        # A process that knows nothing of what the one before it had opened.
        monkeypatch.setitem(kinds._KINDS, "import", ImportKind())
        run_work(work.pk, slice_s=1e-6)
        work.refresh_from_db()
        if not work.is_open:
            break

    assert (work.state, work.n_done, work.n_skipped) == (State.DONE, 450, 0)
    assert Run.objects.count() == 450


def member(name: str, content: bytes = b"x", mode: int = 0o100644) -> Any:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info, content


def archive(*members: Any, compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for info, content in members:
            made.writestr(info, content, compress_type=compression)
    return stream.getvalue()


HOSTILE = {
    "a path out of it": archive(member("mlruns/../../evil")),
    "an absolute path": archive(member("/etc/passwd")),
    "a drive": archive(member("c:evil")),
    "backslashes": archive(member("..\\evil")),
    "a link": archive(member("mlruns/link", b"/etc/passwd", 0o120777)),
    "a device": archive(member("mlruns/null", b"", 0o020666)),
    "a bomb": archive(member("mlruns/zeros", bytes(60_000_000)), compression=zipfile.ZIP_DEFLATED),
    "a file that is a folder": archive(member("a"), member("a/b")),
    "too deep": archive(member("/".join(["d"] * 100))),
    "a long name": archive(member("n" * 300)),
    "cut off": archive(member("mlruns/1/meta.yaml", b"name: x" * 100))[:-60],
    "no archive": b"PK\x03\x04" + bytes(1_000),
    "nothing": b"",
    "an empty archive": archive(),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives_are_refused_soon_and_leave_nothing(
    bob_client: Client, tmp_path: Path
) -> None:
    twice = archive(member("a"), member("a"))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as made:
        for i in range(MAX_FILES + 1):
            made.writestr(f"f{i}", b"")
    hostile = HOSTILE | {"one name twice": twice, "too many files": many.getvalue()}
    for what, content in hostile.items():
        send(bob_client, content)
        looked = worked()

        assert looked.state == State.FAILED, what
        assert looked.result["error"].startswith(("“", "It ", "“")), what
    assert not Run.objects.exists()
    assert not list((tmp_path / "imports").iterdir())
    assert not list(tmp_path.rglob("evil"))


def test_forms_that_are_wrong_come_back_and_store_nothing(
    bob_client: Client, carol_client: Client, dave_client: Client, settings: Any
) -> None:
    before = all_rows()
    assert bob_client.get("/w/lab/import").status_code == 200
    assert carol_client.get("/w/lab/import").status_code == 200
    assert dave_client.get("/w/lab/import").status_code == 404
    assert send(bob_client, b"x", kind="mlflow-server").status_code == 422
    assert send(bob_client, b"x", name="evil.exe").status_code == 422
    assert send(bob_client, b"x", experiment="no name!").status_code == 422
    assert bob_client.post("/w/lab/import/check", {"kind": "mlflow-folder"}).status_code == 422
    assert send(carol_client, b"x").status_code == 403
    assert send(dave_client, b"x").status_code == 404
    settings.MAX_IMPORT_BYTES = 10
    answer = send(bob_client, b"x" * 11)
    assert (answer.status_code, "larger than 10 bytes" in answer.content.decode()) == (422, True)
    assert not changed_tables(before)


def test_large_uploads_go_over_a_disk_and_others_may_not_send_any(
    bob_client: Client,
    carol_client: Client,
    dave_client: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a file was begun")

    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000
    assert send(bob_client, bytes(5_000)).status_code == 303
    assert Upload.objects.get().n_bytes == 5_000
    assert send(Client(), bytes(5_000)).status_code == 302
    # A reader's and an outsider's never reach the disk, not even for a moment.
    with monkeypatch.context() as patch:
        patch.setattr(TemporaryUploadedFile, "__init__", refuse)
        assert send(carol_client, bytes(5_000)).status_code == 403
        assert send(dave_client, bytes(5_000)).status_code == 404
    assert Upload.objects.count() == 1

    assert sweep_uploads() == 0
    assert sweep_uploads(older_than_s=-1) == 5_000
    assert not Upload.objects.exists()
