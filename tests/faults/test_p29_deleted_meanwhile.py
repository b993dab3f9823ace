"""P29: runs are deleted, or their whole workspace is, and the bytes with them, while a worker, a
program and an MLflow client write to them: each is told and stops, and nothing of them is left."""

import contextlib
import json
import sqlite3
import subprocess
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
LIST = "from studio.artifacts.store import store; print(*store().list(), sep='\\n')"
MAKE = (
    "from studio.accounts.actions import add_workspace; from studio.accounts.models import User;"
    "print(add_workspace('{name}', owner=User.objects.get(username='admin')).pk)"
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


class Room:
    """One workspace of the studio, with a token of its own."""

    def __init__(self, studio: Studio, name: str) -> None:
        self.studio, self.name = studio, name
        self.url, self.folder, self.processes_of = studio.url, studio.folder, studio.processes_of
        self.id = studio.manage("shell", "-c", MAKE.format(name=name)).splitlines()[-1]
        words = ("createtoken", "admin", "--workspace", name, "--scope", "admin")
        self.config = {"url": self.url, "workspace": name, "token": studio.manage(*words)}

    @property
    def workspace(self) -> Any:
        from studio.sdk import Workspace

        return Workspace(self.name, url=self.url, token=self.config["token"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.config['token']}"}
        url = self.url + path.replace("{api}", f"/api/v1/workspaces/{self.name}")
        return urllib3.request(method, url, json=body, headers=headers, retries=False, timeout=60)


class MlflowWriter(threading.Thread):
    """Logs a metric again and again until it is refused."""

    def __init__(self, room: Room, uid: str) -> None:
        super().__init__(daemon=True)
        self.room, self.uid, self.n, self.refused = room, uid, 0, 0

    def run(self) -> None:
        while not self.refused:
            point = {"key": "m", "value": 1.0, "timestamp": self.n, "step": self.n}
            body = {"run_id": self.uid, "metrics": [point]}
            answer = self.room.call("POST", "/api/2.0/mlflow/runs/log-batch", body)
            if answer.status == 200:
                self.n += 1
            elif answer.status != 503:
                self.refused = answer.status


class Writers:
    """A worker's script, a program and an MLflow client, each at work on a run of its own."""

    def __init__(self, room: Any, folder: Path) -> None:
        self.room = room
        self.training = Training(room, folder / "training").begun()
        config = folder / "program" / ".studio" / "config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps(room.config))
        self.program = Program(room, folder / "program", WRITER)
        # Not by the SDK: in this process it would obey the cancel that comes with the deletion.
        plain = uuid.uuid4().hex
        new = {"uid": plain, "experiment": "deleted", "start": True}
        assert room.call("POST", "{api}/runs", new).status == 201
        self.mlflow = MlflowWriter(room, plain)
        self.mlflow.start()
        wait_until(self._all_write, 90, "all to write")
        self.uids = [self.training.run.id, self.program.words()[0], plain]

    def _all_write(self) -> bool:
        return self.program.words().count("taken") > 2 and self.mlflow.n > 5

    def stop(self, *, mlflow_gets: int) -> None:
        """Require that each is told and stops."""
        self.mlflow.join(60)
        assert self.mlflow.refused == mlflow_gets
        self.program.ended(0)
        assert self.program.words()[-2] == "refused"
        mine = self.training.run.id
        wait_until(lambda: not self.room.processes_of(mine), 60, "the end of the script")


def owners_of_bytes(studio: Studio, part: int, kind: str = "") -> set[str]:
    """After a sweep, what the keys of all bytes, or those of one kind, say in that part: 1 the
    workspace, and 2 the run in those of "runs/"."""
    listed = studio.manage("shell", "-c", f"{SWEEP}; {LIST}").splitlines()
    path = studio.folder / "home" / "studio.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    kept = [key for key in listed if key.startswith(kind) and key.count("/") > 1]
    return {key.split("/")[part] for key in kept}


def test_writers_of_a_deleted_run_are_told_and_nothing_of_it_is_left(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    room = Room(studio, "default")
    writers = Writers(room, tmp_path)
    for uid in writers.uids:
        assert room.call("POST", f"{{api}}/runs/{uid}/delete", {"cancel": True}).status == 200
    writers.stop(mlflow_gets=400)  # it lies in the trash

    chosen = {"selection": {"uids": writers.uids}, "action": "purge"}
    left = "SELECT id FROM runs_run WHERE uid IN (?, ?, ?)"
    keys = [key for (key,) in rows(studio, left, *writers.uids)]
    assert len(keys) == 3

    def is_purged() -> bool:
        room.call("POST", "{api}/bulk", chosen)
        return not rows(studio, left, *writers.uids)

    wait_until(is_purged, 120, "the runs to be purged", every_s=2)
    assert owners_of_bytes(studio, 2, "runs/").isdisjoint(map(str, keys))
    assert writers.program.sync().returncode in {0, 3}
    promise("P29", "runs deleted while three kinds of writers write", n=len(writers.uids))


def test_writers_of_a_deleted_workspace_are_told_and_nothing_of_it_is_left(
    studio: Studio, tmp_path: Path, promise: Promise
) -> None:
    room = Room(studio, f"room-{uuid.uuid4().hex[:8]}")
    writers = Writers(room, tmp_path)
    assert f"/{room.id}/" in studio.manage("shell", "-c", LIST)
    assert "is closed" in studio.manage("workspace", "close", room.name)
    assert room.call("GET", "{api}/runs").status == 404
    writers.stop(mlflow_gets=404)

    def is_deleted() -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):  # a worker still ends something
            return "is deleted" in studio.manage("workspace", "delete", room.name, "--yes")
        return False

    wait_until(is_deleted, 120, "the workspace to be deleted", every_s=1)
    assert not rows(studio, "SELECT id FROM accounts_workspace WHERE name = ?", room.name)
    assert not rows(studio, "SELECT id FROM runs_run WHERE workspace_id = ?", room.id)
    assert room.id not in owners_of_bytes(studio, 1)
    assert room.call("GET", "{api}/runs").status == 401, "its token went with it"
    assert writers.program.sync().returncode in {0, 3}
    promise("P29", "a workspace deleted while three kinds of writers write", n=len(writers.uids))
