"""The real clients: scripts that run in their own Python environment and answer in JSON."""

import json
import subprocess
from pathlib import Path
from typing import Any

import psutil

from tests.live.studio import ROOT, Studio, clean_environment
from tests.waiting import wait_until

SCRIPTS = Path(__file__).parent / "scripts"
TODAY, BEFORE = ".venv-mlflow", ".venv-mlflow2"

# Nothing is told to the vendor; a server's fault shows at once instead of after minutes of retries.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


class ScriptError(AssertionError):
    """A script ended with another code than 0; carries all that it wrote."""


class MlflowClient:
    """One generation of the client. Its scripts run in an empty folder, with an empty home."""

    def __init__(self, environment: str, folder: Path) -> None:
        self.python = ROOT / environment / "bin" / "python"
        assert self.python.exists(), f"no client: run `make {environment}/.done`"
        self.folder = folder
        (folder / "work").mkdir(parents=True)
        self.process = subprocess.Popen(
            [self.python, str(SCRIPTS / "session.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=self._environment(),
            text=True,
        )
        self.count = 0
        self.going_on: dict[int, psutil.Process] = {}
        self._version: str | None = None

    def _environment(self) -> dict[str, str]:
        inherited = clean_environment()
        kept = {k: v for k, v in inherited.items() if not k.startswith(("MLFLOW", "PYTEST"))}
        return {**kept, **SETTINGS, "HOME": str(self.folder)}

    @property
    def version(self) -> str:
        if self._version is None:
            self._version = str(self._answer()["version"])
        return self._version

    def run(self, script: str, studio: Studio | dict[str, str], **arguments: Any) -> Any:
        """What `scripts/<script>.py` returns, logging to the studio as its administrator, or with
        the environment that is given instead."""
        done = self._ask(script, settings_of(studio), arguments, detach=False)
        if done["code"] != 0:
            raise ScriptError(f"{script} ended with {done['code']}:\n{self.output(self.count)}")
        return json.loads(self._file("answer", self.count).read_text())

    def load(self, *modules: str) -> None:
        """Import what several scripts need and what takes long, once for all that come after."""
        assert self.version
        self._send({"load": modules})

    def start(self, script: str, studio: Studio | None = None, **arguments: Any) -> int:
        """Start a script that goes on beside others, until this client stops; its number."""
        settings = settings_of(studio) if studio else {}
        process = self._ask(script, settings, arguments, detach=True)["process"]
        self.going_on[self.count] = psutil.Process(process)
        return self.count

    def wait(self, number: int, timeout_s: float) -> Any:
        """What the started script of this number returns."""
        answer, process = self._file("answer", number), self.going_on[number]

        def has_ended() -> bool:
            return answer.exists() or process.status() == psutil.STATUS_ZOMBIE

        wait_until(has_ended, timeout_s, f"script {number}", every_s=0.1)
        if not answer.exists():
            raise ScriptError(self.output(number))
        return json.loads(answer.read_text())

    def output(self, number: int) -> str:
        """What the script of this number wrote to standard output and error."""
        return self._file("output", number).read_text()

    def _file(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number}"

    def _ask(self, script: str, settings: dict[str, str], arguments: Any, *, detach: bool) -> Any:
        assert self.version
        self.count += 1
        task = {
            "script": str(SCRIPTS / f"{script}.py"),
            "arguments": arguments,
            "environment": settings,
            "folder": str(self.folder / "work"),
            "answer": str(self._file("answer", self.count)),
            "output": str(self._file("output", self.count)),
            "detach": detach,
        }
        return self._send(task)

    def _send(self, task: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the client's session ended: {self.process.poll()}"
        return json.loads(line)

    def stop(self) -> None:
        for process in self.going_on.values():
            process.kill()
        self.process.communicate(timeout=30)


def settings_of(studio: Studio | dict[str, str]) -> dict[str, str]:
    """What a person sets to log into the studio: its address and a token."""
    if isinstance(studio, dict):
        return studio
    return {"MLFLOW_TRACKING_URI": studio.url, "MLFLOW_TRACKING_TOKEN": studio.config["token"]}
