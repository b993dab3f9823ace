"""P29: a run is deleted, and its bytes with it, while a worker, a program and an MLflow client
write to it: each is told and stops, and nothing of it is left."""

import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.amount import IS_LONG
from tests.blobs.bucket import serving
from tests.faults.conftest import Promise
from tests.faults.programs import Program
from tests.faults.trainings import Training
from tests.live.conftest import show_log
from tests.live.faults import rows
from tests.live.studio import Studio
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

# Logs points, and files of which each is told when it was taken, until the studio refuses them.
WRITER = """
import os, sys, time
from studio.sdk import Experiment, StudioError, Workspace
from studio.sdk.errors import RunCanceled
run = Experiment(Workspace.from_config(), "deleted").start_logging(snapshot_directory=None)
os.write(1, f"{run.id}\\n".encode())
i = 0
try:
    while True:
        run.log("i", float(i), step=i)
        open("file", "w").write(f"file {i}")
        run.upload_file(f"file{i}", "file")
        os.write(1, b"taken\\n")
        i += 1
except (StudioError, KeyboardInterrupt, RunCanceled) as refused:
    os.write(1, f"refused {type(refused).__name__}\\n".encode())
"""
SWEEP = (
    "from studio.artifacts.purging import finish_removals, sweep_orphans;"
    "finish_removals(); sweep_orphans(older_than_s=0)"
)


@pytest.fixture(params=["files", "bucket"] if IS_LONG else ["files"])
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    if request.param == "files":
        yield request.getfixturevalue("shared_studio")
        return
    with serving() as bucket:
        made = Studio(tmp_path_factory.mktemp("bucket"), STUDIO_STORAGE_URL=bucket.url).start()
        yield made
        made.stop()
        show_log(made)


def call(studio: Studio, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {studio.config['token']}"}
    url = studio.url + path.replace("{api}", "/api/v1/workspaces/default")
    return urllib3.request(method, url, json=body, headers=headers, retries=False, timeout=60)


class MlflowWriter(threading.Thread):
    """Logs a metric again and again until it is refused."""

    def __init__(self, studio: Studio, uid: str) -> None:
        super().__init__(daemon=True)
        self.studio, self.uid, self.n, self.refused = studio, uid, 0, 0

    def run(self) -> None:
        while not self.refused:
            point = {"key": "m", "value": 1.0, "timestamp": self.n, "step": self.n}
            body = {"run_id": self.uid, "metrics": [point]}
            answer = call(self.studio, "POST", "/api/2.0/mlflow/runs/log-batch", body)
            if answer.status == 200:
                self.n += 1
            elif answer.status != 503:
                self.refused = answer.status


def test_writers_of_a_deleted_run_are_told_and_nothing_of_it_is_left(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    training = Training(studio, tmp_path / "training").begun()
    program = Program(studio, tmp_path / "program", WRITER)
    # Not by the SDK: in this process it would obey the cancel that comes with the deletion.
    plain = uuid.uuid4().hex
    new = {"uid": plain, "experiment": "deleted", "start": True}
    assert call(studio, "POST", "{api}/runs", new).status == 201
    mlflow = MlflowWriter(studio, plain)
    mlflow.start()
    wait_until(lambda: program.words().count("taken") > 2 and mlflow.n > 5, 90, "all to write")
    uids = [training.run.id, program.words()[0], plain]
    for uid in uids:
        assert call(studio, "POST", f"{{api}}/runs/{uid}/delete", {"cancel": True}).status == 200
    mlflow.join(60)
    assert mlflow.refused == 400, "it lies in the trash"
    program.ended(0)
    assert program.words()[-2] == "refused"
    wait_until(lambda: not studio.processes_of(training.run.id), 60, "the end of the script")

    chosen = {"selection": {"uids": uids}, "action": "purge"}
    left = "SELECT id FROM runs_run WHERE uid IN (?, ?, ?)"
    keys = [key for (key,) in rows(studio, left, *uids)]
    assert len(keys) == 3

    def is_purged() -> bool:
        call(studio, "POST", "{api}/bulk", chosen)
        return not rows(studio, left, *uids)

    wait_until(is_purged, 120, "the runs to be purged", every_s=2)
    studio.manage("shell", "-c", SWEEP)
    path = studio.folder / "home" / "studio.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    listed = "from studio.artifacts.store import store; print(*store().list('runs/'), sep='\\n')"
    files = studio.manage("shell", "-c", listed).splitlines()
    left_files = {file.split("/")[2] for file in files if file.startswith("runs/")}
    assert left_files.isdisjoint(map(str, keys))
    assert program.sync().returncode in {0, 3}
    promise("P29", "runs deleted while three kinds of writers write", n=len(uids))
