"""A real studio for tests: `manage.py up` in a folder of its own, on a port of its own."""

import json
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.prepared import clean_environment, copy_database, prepared
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"
TERMINAL = {"Completed", "Failed", "Canceled"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Studio:
    """Started by `start`, used through the SDK (`workspace`), stopped by `stop`. `is_first`: in a
    folder where nothing is prepared; `concurrency`: how many runs at a time."""

    def __init__(
        self, folder: Path, *, is_first: bool = False, concurrency: int = 2, **environment: str
    ) -> None:
        self.folder = folder
        self.is_first = is_first
        self.concurrency = concurrency
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.marker = secrets.token_hex(8)
        self.env = {
            **clean_environment(),
            "STUDIO_HOME": str(folder / "home"),
            "STUDIO_ADMIN_PASSWORD": PASSWORD,
            "STUDIO_GRACE_S": "3",
            "STUDIO_WORKER_BEAT_S": "1",
            "PORT": str(self.port),
            "TEST_MARKER": self.marker,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "up.log"

    def start(self) -> "Studio":
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.is_first:
            self._take_prepared()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "manage.py"),
                    "up",
                    "--concurrency",
                    f"{self.concurrency}",
                ],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self.is_greeting, 240, "the studio to greet")
        except AssertionError:
            self.stop()
            raise
        return self

    def _take_prepared(self) -> None:
        """Begin with the prepared database, at the first start, and use the prepared files."""
        home = self.folder / "home"
        if not home.exists():
            home.mkdir(mode=0o700)
            copy_database(prepared() / "studio.sqlite3", home / "studio.sqlite3")
        self.env["STUDIO_STATIC_ROOT"] = str(prepared() / "static")

    def is_greeting(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return "Ctrl-C stops it" in self.log.read_text()

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def manage(self, *arguments: str) -> str:
        """The output of a management command against this studio."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    @property
    def config(self) -> dict[str, Any]:
        return json.loads((self.folder / ".studio" / "config.json").read_text())

    @property
    def workspace(self) -> Any:
        from studio.sdk import Workspace

        return Workspace.from_config(str(self.folder))

    def child(self, name: str) -> psutil.Process:
        """The process of `manage.py web` or `manage.py worker`."""
        assert self.process is not None

        def find() -> psutil.Process | None:
            for process in psutil.Process(self.process.pid).children():
                words = words_of(process)
                if name in words or (name == "web" and any("gunicorn" in w for w in words)):
                    return process
            return None

        return wait_until(find, 30, f"a process {name}")

    def marked(self) -> list[psutil.Process]:
        """Every living process of this studio: the marker is in its environment, or (a guard,
        which starts with an empty one) its folder in its command line."""
        return [process for process in psutil.process_iter() if self._is_marked(process)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if process.environ().get("TEST_MARKER") == self.marker:
                return True
            return any(str(self.folder / "home") in word for word in words_of(process))
        except psutil.Error:
            return False

    def processes_of(self, run_id: str) -> list[psutil.Process]:
        """The living processes of one submitted run."""
        found = []
        for process in self.marked():
            try:
                if process.environ().get("STUDIO_RUN_ID") == run_id:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def words_of(process: psutil.Process) -> list[str]:
    """The command line, empty for a process that has just died."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def write_script(folder: Path, text: str, name: str = "train.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def status_of(run: Any, *wanted: str, timeout_s: float = 30) -> str:
    """Wait until the run has one of the statuses (any terminal one by default)."""
    goal = set(wanted) or TERMINAL

    def check() -> str | None:
        status = run.get_status()
        assert status in goal or status not in TERMINAL, f"ended as {status}, not {goal}"
        return status if status in goal else None

    return wait_until(check, timeout_s, f"status {goal}", every_s=0.1)
