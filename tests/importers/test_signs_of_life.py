"""An import that takes long keeps its lease: readers give signs of life, whatever they read."""

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from tensorboardX import SummaryWriter

from studio.importers.records import RunRecord
from studio.importers.sources import SourceOptions, kind_of
from studio.runs.models import Run
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.exports.archives import written
from tests.importers import made_mlruns, made_wandb

pytestmark = pytest.mark.django_db(transaction=True)
N = 300


@pytest.fixture(autouse=True)
def _own_home(settings: Any, tmp_path: Path) -> None:
    settings.STUDIO_HOME = tmp_path


class Counting:
    """A sign of life that counts."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> None:
        self.n += 1


def csv_long(folder: Path) -> str:
    rows = "".join(f"a,loss,{step},1\n" for step in range(N))
    (folder / "points.csv").write_text(f"run,metric,step,value\n{rows}")
    return str(folder / "points.csv")


def csv_broken(folder: Path) -> str:
    (folder / "runs.csv").write_text("name,lr\n" + "\n" * N + "a,1\n")
    return str(folder / "runs.csv")


def tensorboard(folder: Path) -> str:
    with SummaryWriter(str(folder)) as writer:
        for step in range(N):
            writer.add_scalar("loss", 1.0, step)
    return str(folder)


def wandb(folder: Path) -> str:
    rows = [made_wandb.record(history={"loss": step}) for step in range(N)]
    made_wandb.write(folder, made_wandb.record(run={"project": "vision"}), *rows)
    return str(folder)


def wandb_export(folder: Path) -> str:
    rows = (json.dumps({"_step": step, "loss": 1}) + "\n" for step in range(N))
    (folder / "history.jsonl").write_text("".join(rows))
    return str(folder)


def mlflow_folder(folder: Path) -> str:
    root = made_mlruns.folder(folder / "mlruns")
    for i in range(N):
        home = root / "1" / f"{i:032x}"
        made_mlruns.write(home / "meta.yaml", f"run_id: {i:032x}\nstatus: 3\nstart_time: 1\n")
    return str(root)


def mlflow_database(folder: Path) -> str:
    """Whose first question is a long one."""
    path = made_mlruns.database(folder / "many.db", 2)
    with sqlite3.connect(path) as db:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) "
        db.execute(
            "INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage) "
            f"{numbers} SELECT 'x' || i, 1, 'deleted' FROM n"
        )
    return str(path)


SOURCES: list[tuple[str, Callable[[Path], str], int]] = [
    ("csv", csv_long, N),
    ("csv", csv_broken, N),
    ("tensorboard", tensorboard, N),
    ("wandb", wandb, N),
    ("wandb", wandb_export, N),
    ("mlflow-folder", mlflow_folder, N),
    ("mlflow-db", mlflow_database, 20),
]


@pytest.mark.parametrize(("kind", "made", "least"), SOURCES)
def test_a_reader_gives_signs_of_life_before_the_first_run(
    kind: str, made: Callable[[Path], str], least: int, tmp_path: Path
) -> None:
    tick, source = Counting(), made(tmp_path)
    with kind_of(kind).open(source, SourceOptions(tick=tick)) as reader:
        first = next(one for one in reader.read() if isinstance(one, RunRecord))
        before = tick.n
        points = list(first.points())

    assert before >= least
    if kind in ("tensorboard", "wandb"):
        assert len(points) == 1
        assert tick.n - before >= N


def test_an_archive_gives_signs_of_life_with_each_piece(
    workspace: Any, experiment: Any, tmp_path: Path
) -> None:
    make.run(experiment, parameters={f"p{i}": "x" * 1_500 for i in range(1_000)})
    file = tmp_path / "runs.zip"
    file.write_bytes(written(workspace))
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(one.file_size for one in archive.infolist() if "runs/" in one.filename)
    tick = Counting()
    with kind_of("studio-zip").open(str(file), SourceOptions(tick=tick)) as reader:
        next(iter(reader.read()))

    assert tick.n >= n_bytes / 2**18


def looked_through(client: Client, content: bytes, name: str, kind: str) -> Work:
    file = SimpleUploadedFile(name, content)
    client.post("/w/lab/import/check", {"kind": kind, "file": file})
    return worked()


def worked(slice_s: float = 1.0) -> Work:
    work = Work.objects.latest("pk")
    for _ in range(60):
        run_work(work.pk, slice_s=slice_s)
        work.refresh_from_db()
        if not work.is_open:
            break
    return work


def test_a_sign_of_life_keeps_the_lease_of_the_slice_it_is_given_in(
    bob_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.work.beats.BEAT_S", 0.0)
    monkeypatch.setattr("studio.importers.background.AT_ONCE_S", 0.0)
    content = made_mlruns.database(tmp_path / "many.db", 250).read_bytes()
    looked = looked_through(bob_client, content, "many.db", "mlflow-db")
    bob_client.post(f"/w/lab/import/{looked.uid}/start")
    done = worked(slice_s=1e-6)

    assert (looked.state, looked.result["n_new"]) == (State.DONE, 250)
    assert (done.state, done.n_done, Run.objects.count()) == (State.DONE, 250, 250)


def test_a_step_that_broke_off_is_not_the_end_of_the_import(
    bob_client: Client, tmp_path: Path
) -> None:
    content = made_mlruns.database(tmp_path / "many.db", 250).read_bytes()
    looked = looked_through(bob_client, content, "many.db", "mlflow-db")
    bob_client.post(f"/w/lab/import/{looked.uid}/start")
    seen = []

    def once(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('INSERT INTO "importers_importedrun"'):
            seen.append(sql)
            if len(seen) == 2:
                raise OperationalError("database is locked")
        return execute(sql, *rest)

    with connection.execute_wrapper(once):
        done = worked()

    assert len(seen) > 2
    assert (done.state, done.n_done, done.n_skipped) == (State.DONE, 250, 0)
    assert Run.objects.count() == 250


def test_an_import_that_reads_for_long_is_not_taken_for_a_lost_one(
    bob_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is as good as over with each statement that reads on."""
    monkeypatch.setattr("studio.work.beats.BEAT_S", 0.0)
    content = Path(csv_long(tmp_path)).read_bytes()
    beats = []

    def noted(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith('UPDATE "work_work" SET "beat_at"') and "state" not in sql:
            beats.append(sql)
        return execute(sql, *rest)

    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(noted))
        looked = looked_through(bob_client, content, "points.csv", "csv")

    assert (looked.state, looked.result["n_points"]) == (State.DONE, N)
    assert len(beats) >= N
