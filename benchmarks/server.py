"""A real studio in a folder of its own: `manage.py web` and, if asked for, `manage.py worker`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import psutil

from benchmarks.client import Api, Browser, get
from studio.web.management.commands.web import arguments_of, usual_processes

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a password for measuring"
READY_WITHIN_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(port: int, path: str, *, every_s: float = 0.02) -> None:
    """Return as soon as the address answers 200; TimeoutError after a minute."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if get(port, path).status == 200:
                return
        except OSError:
            pass
        time.sleep(every_s)
    raise TimeoutError(f"port {port} did not answer within {READY_WITHIN_S:g} s")


class Server(ABC):
    """Processes in a folder of their own, started inside `with`, stopped at its end."""

    health: ClassVar[str]
    look_every_s: ClassVar[float] = 0.02

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @abstractmethod
    def start(self) -> None:
        """Start the processes; what answers at `health` is waited for."""

    def run(self, name: str, command: list[str], env: dict[str, str]) -> psutil.Process:
        """A process that goes on running, its output in `server.log`."""
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=log)
        self.processes[name] = process
        return psutil.Process(process.pid)

    def __enter__(self) -> Self:
        self.start()
        try:
            wait_for_answer(self.port, self.health, every_s=self.look_every_s)
        except TimeoutError:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            sys.stderr.write((self.folder / "server.log").read_text()[-3000:])
        self.stop()

    def stop(self) -> None:
        """As Ctrl-C would; what does not end by itself is killed."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


class Studio(Server):
    """Made by `prepare`, served inside `with`; processes are stopped at its end."""

    health = "/healthz"

    def __init__(
        self, folder: Path, *, worker: bool = False, n_slots: int = 2, **settings: str
    ) -> None:
        super().__init__(folder)
        self.has_worker, self.n_slots = worker, n_slots
        # Settings of whoever measures must not change what is measured.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"):
            inherited.pop(name, None)
        self.env = {
            **inherited,
            "STUDIO_HOME": str(folder / "home"),
            "STUDIO_ADMIN_PASSWORD": PASSWORD,
            "STUDIO_LOG_LEVEL": "WARNING",
            "PORT": str(self.port),
            **settings,
        }

    @property
    def database(self) -> Path:
        return self.folder / "home" / "studio.sqlite3"

    def prepare(self) -> Self:
        """An empty database with the admin and the workspace `default`, static files collected."""
        self.manage("migrate", "-v0")
        self.manage("collectstatic", "-v0", "--no-input")
        self.shell("from studio.web import first_start; first_start.prepare()")
        return self

    def manage(self, *arguments: str) -> str:
        """The output of a management command."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.env, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stderr[-2000:]}")
        return done.stdout.strip()

    def shell(self, code: str) -> str:
        return self.manage("shell", "-v0", "-c", code)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    def spawn(self, *arguments: str) -> psutil.Process:
        """A management command that goes on running."""
        return self.run(arguments[0], self.command(*arguments), self.env)

    def start(self) -> None:
        self.spawn(*arguments_of(usual_processes()))
        if self.has_worker:
            self.spawn("worker", "--concurrency", str(self.n_slots))

    @property
    def web(self) -> psutil.Process:
        return psutil.Process(self.processes["web"].pid)

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / ".studio" / "config.json").read_text())
        return found

    def browser(self) -> Browser:
        """Somebody who has just signed in."""
        browser = Browser(self.port)
        browser.sign_in("admin", PASSWORD)
        return browser

    def api(self) -> Api:
        """A program with a token for the workspace `default`."""
        return Api(self.port, self.config["workspace"], self.config["token"])


class BareDjango:
    """gunicorn with `benchmarks.bare`, as the studio's web process starts it."""

    def __init__(self) -> None:
        self.port = free_port()
        options = [f"--bind=127.0.0.1:{self.port}", "--threads=16"]
        options += ["--worker-class=studio.web.gunicorn_worker.DoorWorker", "--keep-alive=30"]
        options += ["--log-level=error", "--no-control-socket"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "benchmarks.bare", *options], cwd=ROOT
        )
        wait_for_answer(self.port, "/hello", every_s=0.01)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
