"""Starts the guard of a run and speaks with it; finds what a dead guard left behind.

The guard (compute/guard.py) owns the script. This side holds the write end of its lifeline: when
this process dies, the guard reads end of file and ends the run. Safe to use from threads; not
from a process that forks without exec, whose copy would keep the lifeline open.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from studio.compute import guard

COOKIE = guard.COOKIE
META_FILE = "meta.json"
STATUS_FILE = "status.json"
LOG_FILE = "std_log.txt"
# Between terminate and kill: a stubborn tree is gone within its grace period and one second more.
# A busy worker takes a few tenths of it to hear of the cancel, and the guard to find the tree.
KILL_AFTER_S = 0.5


@dataclass(frozen=True)
class LaunchSpec:
    """What to run.

    `env` is the complete environment. `folder` (made when missing, outside the script's reach)
    takes meta.json, status.json and guard.log; the output goes to `log_file`, by default
    `folder`/std_log.txt. `run_key` names the run and starts its cookie.
    """

    run_key: str
    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    folder: Path
    log_file: Path | None = None
    grace_s: float = 30.0
    kill_after_s: float = KILL_AFTER_S
    cookie: str = ""


@dataclass(frozen=True)
class GuardStatus:
    """What a guard last wrote; times are epoch seconds.

    `exit_code` and `exit_signal` belong to the script; both None: it never ended in sight.
    `killed` is true when the script itself (not a leftover of it) needed SIGKILL. `steps` of the
    ladder: (state, when, seconds after the first); `ladder_s`: from the first step to the end.
    `n_memory_kills`: processes that the kernel ended for want of memory while the run was going,
    counted for `memory_scope`, "group" or "machine"; `memory_kill_at_end`: one of them in the
    second before the script's own end. None: the kernel does not say.
    """

    state: str = "running"
    pid: int | None = None
    guard_pid: int | None = None
    started_at: float | None = None
    step_at: float | None = None
    reason: str | None = None
    exit_code: int | None = None
    exit_signal: int | None = None
    killed: bool = False
    error: str | None = None
    ended_at: float | None = None
    n_log_bytes: int = 0
    n_dropped_bytes: int = 0
    log_error: str | None = None
    steps: list[tuple[str, float, float]] = field(default_factory=list)
    ladder_s: float | None = None
    peak_bytes: int = 0
    n_memory_kills: int | None = None
    memory_kill_at_end: bool | None = None
    memory_scope: str = ""
    memory_limit_bytes: int | None = None

    @property
    def is_over(self) -> bool:
        """The guard saw the end of every process."""
        return self.state == "exited"


@dataclass
class GuardHandle:
    """The worker's end of one guard."""

    spec: LaunchSpec
    cookie: str
    log_file: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def cancel(self) -> bool:
        """Ask for the ladder from SIGINT on; False when the guard is gone. Repeat at will."""
        return self._tell(b"C\n")

    def kill(self) -> bool:
        """SIGKILL to everything at once; False when the guard is gone."""
        return self._tell(b"K\n")

    def poll(self) -> int | None:
        """None while the guard lives, else its exit code (0: status.json tells how it ended)."""
        return self.process.poll()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the guard ended within the time."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def status(self) -> GuardStatus | None:
        """What the guard last wrote; None before its first word."""
        return read_status(self.spec.folder / STATUS_FILE)

    def sweep(self, timeout_s: float = 5.0) -> int:
        """Kill what a dead guard left behind; how many processes there were."""
        return sweep([self.cookie], timeout_s=timeout_s)

    def close(self) -> None:
        """Let go of the lifeline: a run that is still going is ended as if the worker had died."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()

    def _tell(self, order: bytes) -> bool:
        pipe = self.process.stdin
        if pipe is None or pipe.closed or self.process.poll() is not None:
            return False
        try:
            os.write(pipe.fileno(), order)  # a few bytes: atomic between threads
        except (BrokenPipeError, ValueError):
            return False
        return True


def launch(spec: LaunchSpec) -> GuardHandle:
    """Start a guard and return at once; OSError when not even the guard can be started.

    A script that can't be started shows later as a status with exit_code 127 and `error`.
    """
    spec.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (spec.folder / STATUS_FILE).unlink(missing_ok=True)
    cookie = spec.cookie or f"{spec.run_key}-{secrets.token_hex(8)}"
    log_file = (spec.log_file or spec.folder / LOG_FILE).absolute()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    meta_file = spec.folder.absolute() / META_FILE
    _write_meta(meta_file, spec, cookie=cookie, log_file=log_file)
    with open(spec.folder / "guard.log", "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(meta_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            close_fds=True,  # no guard may hold another run's lifeline
            start_new_session=True,  # Ctrl-C in a terminal is for the worker alone
        )
    return GuardHandle(spec=spec, cookie=cookie, log_file=log_file, process=process)


def _write_meta(path: Path, spec: LaunchSpec, *, cookie: str, log_file: Path) -> None:
    meta = {
        "argv": list(spec.argv),
        "cwd": str(spec.cwd.absolute()),
        "env": dict(spec.env),
        "cookie": cookie,
        "log_file": str(log_file),
        "status_file": str(path.with_name(STATUS_FILE)),
        "grace_s": spec.grace_s,
        "kill_after_s": spec.kill_after_s,
    }
    path.unlink(missing_ok=True)
    # The environment carries the run's token.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(meta, file)


def read_status(path: Path) -> GuardStatus | None:
    """The status a guard wrote; None when there is none yet or it can't be read."""
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    names = {item.name for item in fields(GuardStatus)}
    return GuardStatus(**{name: value for name, value in known.items() if name in names})


def find_members(cookie: str) -> set[int]:
    """Live processes whose environment carries this cookie, and everything below them (Linux)."""
    return guard.find_members(cookie) if cookie and guard.HAS_PROC else set()


def sweep(cookies: Iterable[str], *, timeout_s: float = 5.0) -> int:
    """Kill the processes of these cookies until none is left; how many there were.

    For runs whose guard is dead. TimeoutError when some survive SIGKILL for `timeout_s`.
    """
    seen: set[int] = set()
    deadline = time.monotonic() + timeout_s
    wanted = [cookie for cookie in cookies if cookie]
    while True:
        alive = {pid for cookie in wanted for pid in find_members(cookie)}
        if not alive:
            return len(seen)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes survive SIGKILL: {sorted(alive)}")
        seen |= alive
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # ended meanwhile
        time.sleep(0.02)
