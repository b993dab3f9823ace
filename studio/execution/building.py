"""The Python of one run: a given one looked at, or an environment found or built, in a process
tree of its own below a guard, whose words go to a log of the run."""

import json
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from studio.artifacts.actions import find_artifact
from studio.artifacts.models import ENVIRONMENT_LOG
from studio.compute.environment_builder import NO_SPACE, OWN, REPORT_FILE, Ready
from studio.compute.environments import Store, copy_module
from studio.compute.launcher import GuardHandle, LaunchSpec, launch
from studio.compute.requirements import Line, Requirements, read_requirements
from studio.execution.claims import Claim, still_held
from studio.execution.closing import tail_of
from studio.execution.environment import Interpreter, for_installer
from studio.execution.shipping import LogShipper
from studio.execution.verdict import Ending, signal_name
from studio.runs.actions import PropertyConflict, add_properties, warn_run
from studio.runs.lifecycle import explain
from studio.runs.limits import Invalid

logger = logging.getLogger(__name__)

# Without it `import studio.sdk` fails; a Python that lacks it is lent the worker's.
SDK_NEEDS = "urllib3"
SDK_PYTHON = (3, 11)
# An installer has nothing to put away: what it was at is thrown away as a whole.
GRACE_S = 0.0


class EnvironmentFailed(Exception):
    """There is no Python for the run; `log_tail` are the last words of the installer."""

    def __init__(self, words: str, log_tail: str = "") -> None:
        super().__init__(words)
        self.log_tail = log_tail


def is_own(environment: Mapping[str, Any]) -> bool:
    """Whether a run is content with the worker's own Python as it is."""
    python = str(environment.get("python") or "")
    return python in OWN and not environment.get("requirements") and not environment.get("packages")


class EnvironmentBuild:
    """Started once, followed until its guard ends, then asked for the result."""

    def __init__(self, claim: Claim, *, folder: Path, work: Path) -> None:
        self.claim, self.work = claim, work
        self.folder = folder / "environment"
        self.log_file = folder / "environment.log"
        path = log_path(claim.job.n_attempts)
        self.shipper = LogShipper(claim.run, self.log_file, by=claim.actor, path=path)
        self.store_folder = Path(settings.STUDIO_ENVIRONMENTS_DIR)
        self.is_started = False
        self.ready: Ready | None = None
        self.held: IO[bytes] | None = None
        self._told = ""

    def name_log(self) -> None:
        """Choose a log that no earlier build of the run wrote: the planned end of a worker is not
        counted as an attempt."""
        n = self.claim.job.n_attempts
        while find_artifact(self.claim.run, log_path(n)) is not None:
            n += 1
        self.shipper.path = log_path(n)

    def start(self) -> GuardHandle:
        """Raises RequirementsError or OSError."""
        self.is_started = True
        self.folder.mkdir(mode=0o700)
        request_file = self.folder / "request.json"
        request_file.write_text(json.dumps(self._request()), encoding="utf-8")
        own = {"PYTHONPATH": str(settings.BASE_DIR), "STUDIO_RUN_ID": self.claim.run.uid}
        spec = LaunchSpec(
            run_key=self.claim.run.uid,
            argv=[sys.executable, "-S", "-m", "studio.compute.environment_builder",
                  str(request_file)],
            cwd=self.folder,
            env=for_installer(os.environ) | own,
            # A report of its own: that of the run's folder tells whether the script began.
            folder=self.folder,
            log_file=self.log_file,
            cookie=self.claim.cookie,
            grace_s=GRACE_S,
        )  # fmt: skip
        return launch(spec)

    def _request(self) -> dict[str, Any]:
        asked = self.claim.job.environment
        file, packages = str(asked.get("requirements") or ""), asked.get("packages") or ()
        requirements = None
        if file or packages:
            requirements = as_request(read_requirements(self.work, file, packages))
        beside = Path(sys.executable).with_name("uv")
        return {
            "store": str(self.store_folder),
            "most_bytes": settings.ENVIRONMENTS_MAX_BYTES,
            "own_python": sys.executable,
            "python": str(asked.get("python") or ""),
            "wanted": [SDK_NEEDS],
            "installer": str(beside) if beside.exists() else shutil.which("uv") or "",
            "requirements": requirements,
        }

    # ------------------------------------------------------------ beside the installer
    def follow(self) -> None:
        """Ship what it said, and say on the page what it is at. Trouble with the database waits."""
        try:
            if self.shipper.is_due() and still_held(self.claim):
                self.shipper.ship(partial(still_held, self.claim))
            self._explain()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("not shown run=%s because=%s", self.claim.run.uid, error)

    def _explain(self) -> None:
        words = words_of(self._report())
        if words and words != self._told:
            self._told = words
            n = self.claim.job.n_attempts
            words = f"Attempt {n}: {words[:1].lower()}{words[1:]}" if n > 1 else words
            explain(self.claim.run, words, lease=self.claim.lease)

    def _report(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / REPORT_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    # ------------------------------------------------------------ after it
    def close_log(self) -> None:
        """Raises DatabaseError: then try again."""
        if still_held(self.claim):
            self.shipper.finish()

    def result(self, guard: GuardHandle) -> Interpreter:
        """The Python it found or made, kept from being removed until `let_go`. Raises
        EnvironmentFailed."""
        report, tail = self._report(), tail_of(self.log_file)
        if report.pop("state", "") != "ready":
            raise EnvironmentFailed(self._why(report, guard, tail), tail)
        self.ready = Ready(**{**report, "missing": tuple(report["missing"])})
        if self.ready.key:
            self.held = Store(self.store_folder).hold(self.ready.key)
            if self.held is None:
                raise EnvironmentFailed(
                    "It was removed by somebody before the run began. Submit the run again.", tail
                )
        lent = copy_module(SDK_NEEDS, self.store_folder) if self.ready.missing else ""
        return Interpreter(self.ready.python, self.ready.prefix, str(lent))

    def _why(self, report: Mapping[str, Any], guard: GuardHandle, tail: str) -> str:
        status, error = guard.status(), str(report.get("error") or "")
        if not error and status is not None and status.exit_signal:
            error = f"The installer was ended by {signal_name(status.exit_signal)}"
        error = error or "The installer ended without a word"
        if NO_SPACE in error or NO_SPACE in tail:
            return (
                "A disk of the worker is full. Free some space (environments are in "
                f"{self.store_folder}), then submit the run again."
            )
        if not tail or error.endswith("."):
            return error
        lines = [line for line in tail.splitlines() if line.lower().startswith("error")]
        said = f": {lines[-1].rstrip('.')}" if lines else ""
        todo = (
            f"All it said is in {self.shipper.path}: correct the requirements, then submit again."
        )
        return f"{error}{said}. {todo}"

    @property
    def keeps(self) -> tuple[int, ...]:
        """The descriptor whose lock keeps the environment, for the guard of the script: the run may
        outlive this process."""
        return () if self.held is None else (self.held.fileno(),)

    def let_go(self) -> None:
        """This process is done with the run: once its guard is too, its environment may be removed,
        and what a killed build left goes."""
        if self.held is not None:
            self.held.close()
        elif self.is_started:
            Store(self.store_folder).sweep()

    def write_facts(self) -> None:
        """What the run is told of its Python: as properties, and a warning when the SDK can't work
        in it."""
        if self.ready is None:
            return
        try:
            add_properties(self.claim.run, facts_of(self.ready), by=self.claim.actor)
        except (PropertyConflict, Invalid) as refused:
            warn_run(self.claim.run, f"What is known of its Python was not stored: {refused}")
        version = tuple(int(part) for part in self.ready.version.split(".")[:2])
        if version < SDK_PYTHON:
            wanted = ".".join(map(str, SDK_PYTHON))
            warn_run(
                self.claim.run,
                f"Python {self.ready.version} can't import studio.sdk, which needs {wanted} or "
                "newer. Give a newer Python, or let the script report in another way.",
            )


def log_path(n: int) -> str:
    """The log of the n-th build of a run, from 1."""
    return ENVIRONMENT_LOG if n < 2 else ENVIRONMENT_LOG.replace(".txt", f".{n}.txt")


def as_request(requirements: Requirements) -> dict[str, Any]:
    """The requirements as the builder reads them."""

    def lines(group: tuple[Line, ...]) -> list[list[str]]:
        return [[line.before, line.source, line.after] for line in group]

    return {
        "identity": requirements.identity,
        "options": lines(requirements.options),
        "packages": lines(requirements.packages),
        "constraints": lines(requirements.constraints),
    }


def words_of(report: Mapping[str, Any]) -> str:
    """What a builder is at, for the page; "" when there is nothing to wait for."""
    n = report.get("n_packages", 0)
    packages = f"({n:,} package{'' if n == 1 else 's'})"
    if report.get("state") == "building":
        return f"Building environment {packages}"
    if report.get("state") == "waiting":
        return f"Waiting for another run that builds the same environment {packages}"
    return ""


def facts_of(ready: Ready) -> dict[str, str]:
    """The properties of a run about its Python."""
    facts = {"environment.python": ready.version, "environment.source": ready.source}
    if not ready.key:
        return facts | {"environment.interpreter": ready.python}
    return facts | {
        "environment.key": ready.key,
        "environment.packages": str(ready.n_packages),
        "environment.seconds": f"{ready.seconds:.1f}",
    }


def ending_of(error: EnvironmentFailed) -> Ending:
    return Ending(no_environment=str(error), log_tail=error.log_tail)
