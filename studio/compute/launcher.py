"""Starts the guard of a run and speaks with it; finds what a dead guard left behind.

The guard (compute/guard.py) owns the script. This side holds the write end of its lifeline: when
this process dies, the guard reads end of file and ends the run, unless it was handed over first.
Safe to use from threads; not from a process that forks without exec, whose copy would keep the
lifeline open.
"""

import json
import os
import secrets
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import psutil

from studio.compute import guard

COOKIE = guard.COOKIE
META_FILE = "meta.json"
STATUS_FILE = "status.json"
LOG_FILE = "std_log.txt"
LIFELINE_FILE = "lifeline"
# Between terminate and kill: a stubborn tree is gone within its grace period and one second more.
# A busy worker takes a few tenths of it to hear of the cancel, and the guard to find the tree.
KILL_AFTER_S = 0.5


@dataclass(frozen=True)
class LaunchSpec:
    """What to run.

    `env` is the complete environment. `folder` (made when missing, outside the script's reach)
    takes meta.json, status.json and guard.log; the output goes to `log_file`, by default
    `folder`/std_log.txt. `run_key` names the run and starts its cookie. The guard, not the script,
    keeps the files of the descriptors `keeps` open, with their locks, as long as it lives.
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
    keeps: Sequence[int] = ()


@dataclass(frozen=True)
class GuardStatus:
    """What a guard last wrote; times are epoch seconds, and `started_monotonic_s` is on the clock
    of the machine that nobody sets.

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
    started_monotonic_s: float | None = None
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


class GuardLink:
    """A worker's end of one guard, whoever started it. Safe to use from threads."""

    def __init__(self, folder: Path, cookie: str, lifeline: int) -> None:
        self.folder = folder
        self.cookie = cookie
        self.was_handed_over = False
        self._lifeline = lifeline  # -1 once it is closed: numbers are used again
        self._lock = threading.RLock()

    def poll(self) -> int | None:
        """None while the guard lives, else its exit code (0: status.json tells how it ended)."""
        raise NotImplementedError

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the guard ended within the time."""
        raise NotImplementedError

    @property
    def guard_pid(self) -> int:
        raise NotImplementedError

    def kill_guard(self) -> None:
        """SIGKILL to the guard itself; what it leaves behind is for `sweep`."""
        raise NotImplementedError

    def cancel(self) -> bool:
        """Ask for the ladder from SIGINT on; False when the guard is gone. Repeat at will."""
        return self._tell(b"C\n")

    def kill(self) -> bool:
        """SIGKILL to everything at once; False when the guard is gone."""
        return self._tell(b"K\n")

    def hand_over(self, wait_s: float) -> bool:
        """Let go of the lifeline without ending the run: `adopt` takes it up, else the guard ends
        it after `wait_s`. False when the guard is gone or was handed over already."""
        with self._lock:
            told = self._tell(b"H %.3f\n" % wait_s)
            if told:
                self.was_handed_over = True
                self.close()
            return told

    def status(self) -> GuardStatus | None:
        """What the guard last wrote; None before its first word."""
        return read_status(self.folder / STATUS_FILE)

    def sweep(self, timeout_s: float = 5.0) -> int:
        """Kill what a dead guard left behind; how many processes there were."""
        return sweep([self.cookie], timeout_s=timeout_s)

    def close(self) -> None:
        """Let go of the lifeline: a run that is still going is ended as if the worker had died."""
        with self._lock:
            if self._lifeline >= 0:
                os.close(self._lifeline)
            self._lifeline = -1

    def _tell(self, order: bytes) -> bool:
        with self._lock:
            if self._lifeline < 0 or self.poll() is not None:
                return False
            try:
                os.write(self._lifeline, order)
            except (BrokenPipeError, BlockingIOError):
                return False
            return True


class GuardHandle(GuardLink):
    """The worker's end of a guard it started itself."""

    def __init__(
        self,
        spec: LaunchSpec,
        *,
        cookie: str,
        log_file: Path,
        lifeline: int,
        process: "subprocess.Popen[bytes]",
    ) -> None:
        super().__init__(spec.folder, cookie, lifeline)
        self.spec, self.log_file, self.process = spec, log_file, process

    def poll(self) -> int | None:
        return self.process.poll()

    def wait(self, timeout_s: float | None = None) -> bool:
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def guard_pid(self) -> int:
        return self.process.pid

    def kill_guard(self) -> None:
        self.process.kill()


class AdoptedGuard(GuardLink):
    """The worker's end of a guard that an earlier worker handed over: no child of this process. It
    lives as long as somebody reads the lifeline."""

    def poll(self) -> int | None:
        if not self.wait(0):
            return None
        status = self.status()
        return 0 if status is not None and status.is_over else -signal.SIGKILL

    def wait(self, timeout_s: float | None = None) -> bool:
        with self._lock:
            if self._lifeline < 0:
                return True
            reader = select.poll()
            reader.register(self._lifeline, 0)  # an error is told without being asked for
        return bool(reader.poll(None if timeout_s is None else timeout_s * 1000))

    @property
    def guard_pid(self) -> int:
        status = self.status()
        return status.guard_pid or 0 if status is not None else 0

    def kill_guard(self) -> None:
        # Not the number in its report: the script may write there.
        for process in find_guards(self.folder):
            with suppress(psutil.Error):  # gone, or of somebody else
                process.kill()


def find_guards(folder: Path) -> list[psutil.Process]:
    """The live guards of the run in `folder`, by what they were started with; at most one, unless
    somebody pretends."""
    wanted = [guard.__file__, str(folder.absolute() / META_FILE)]
    processes = psutil.process_iter(["cmdline"])
    return [process for process in processes if (process.info["cmdline"] or [])[-2:] == wanted]


def adopt(folder: Path, cookie: str) -> AdoptedGuard | None:
    """Take up the guard in `folder` that waits for its next worker; None when none waits there."""
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        lifeline = os.open(folder / LIFELINE_FILE, flags)
    except OSError:  # no pipe, or nobody reads it
        return None
    if not stat.S_ISFIFO(os.fstat(lifeline).st_mode):
        os.close(lifeline)
        return None
    guard_end = AdoptedGuard(folder, cookie, lifeline)
    if guard_end._tell(b"A\n"):
        return guard_end
    guard_end.close()
    return None


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
    lifeline_file = meta_file.with_name(LIFELINE_FILE)
    lifeline_file.unlink(missing_ok=True)
    os.mkfifo(lifeline_file, 0o600)
    _write_meta(meta_file, spec, cookie=cookie, log_file=log_file)
    guard_end, lifeline = os.pipe()
    try:
        process = _start_guard(meta_file, guard_end, spec.keeps)
    except OSError:
        os.close(lifeline)
        raise
    finally:
        os.close(guard_end)
    return GuardHandle(spec, cookie=cookie, log_file=log_file, lifeline=lifeline, process=process)


def _start_guard(
    meta_file: Path, guard_end: int, keeps: Sequence[int]
) -> "subprocess.Popen[bytes]":
    with meta_file.with_name("guard.log").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(meta_file)],
            stdin=guard_end,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            close_fds=True,  # no guard may hold another run's lifeline
            pass_fds=keeps,
            start_new_session=True,  # Ctrl-C in a terminal is for the worker alone
        )


def _write_meta(path: Path, spec: LaunchSpec, *, cookie: str, log_file: Path) -> None:
    meta = {
        "argv": list(spec.argv),
        "cwd": str(spec.cwd.absolute()),
        "env": dict(spec.env),
        "cookie": cookie,
        "log_file": str(log_file),
        "status_file": str(path.with_name(STATUS_FILE)),
        "lifeline_file": str(path.with_name(LIFELINE_FILE)),
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
