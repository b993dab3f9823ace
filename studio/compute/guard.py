"""The process above one run: starts the script, keeps its output, ends all of it when told.

Run as `python -I -S guard.py meta.json`, standard library only, one per run, so that neither a
crash nor a restart of the worker leaves processes behind.

meta.json     {argv, cwd, env, cookie, log_file, status_file, lifeline_file, grace_s, kill_after_s}
stdin         orders of the worker, see guard_lifeline.py; end of file = the worker is gone
stdout        one line {"pid": n}, or {"pid": null, "error": text}
status_file   replaced as a whole at each step; times are epoch seconds

Cancel: SIGINT to every process of the run, SIGTERM after grace_s, SIGKILL kill_after_s later until
none is left. A lost worker starts at SIGTERM, and so do processes a finished script left behind.
The processes of a run are its session, everything below it (this process adopts orphans) and
whatever carries its cookie in the environment.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any

if not __package__:
    # Started by its path, isolated: the interpreter does not know where this file is from.
    sys.path.append(os.path.abspath(__file__).rpartition("/studio/")[0])

from studio.compute.guard_files import Log, StatusFile
from studio.compute.guard_lifeline import LOST, Lifeline
from studio.compute.kernel_memory import Watch, find_account

COOKIE = "STUDIO_RUN_COOKIE"
TICK_S = 0.05  # while ending; otherwise signals and stdin wake the loop
IDLE_S = 1.0
GIVE_UP_S = 60.0  # a process in an uninterruptible wait survives SIGKILL
PR_SET_CHILD_SUBREAPER = 36
HAS_PROC = os.path.exists("/proc/self/stat")

RUNNING, INTERRUPTING, TERMINATING, KILLING = range(4)  # the ladder: only ever upwards
STATES = ("running", "interrupting", "terminating", "killing")
SIGNALS = (0, signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def read_process(pid: int) -> tuple[int, int] | None:
    """(parent, session) of a live process; None for a dead one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else (int(fields[1]), int(fields[3]))


def carries(pid: int, mark: bytes) -> bool:
    """Whether the process was started with this entry in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def find_members(cookie: str, *, session: int = -1, adopter: int = -1) -> set[int]:
    """Live processes with this cookie, in this session or below `adopter`; not this one."""
    me, parents, found = os.getpid(), {}, set()
    mark = f"{COOKIE}={cookie}".encode()
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else me
        process = None if pid == me else read_process(pid)
        if process is None:
            continue
        parents[pid] = process[0]
        if process[0] == adopter or process[1] == session or carries(pid, mark):
            found.add(pid)
    return add_descendants(found, parents)


def add_descendants(found: set[int], parents: dict[int, int]) -> set[int]:
    """`found` and all processes below them; `parents` maps each live pid to its parent."""
    while True:
        below = {pid for pid, parent in parents.items() if parent in found}
        if below <= found:
            return found
        found |= below


class Guard:
    """One run from start to the last process."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.meta = meta
        self.grace_s = float(meta.get("grace_s", 30))
        self.kill_after_s = float(meta.get("kill_after_s", 2))
        self.log = Log(meta["log_file"])
        self.file = StatusFile(meta["status_file"])
        self.level = RUNNING
        self.deadline: float | None = None  # monotonic; when the next level begins
        self.lifeline = Lifeline(meta["lifeline_file"])
        self.told_to_stop = False
        self.wait_status: int | None = None
        self.pid: int | None = None
        self.told_log_error: str | None = None
        self.first_step_at: float | None = None  # monotonic
        self.memory = Watch(find_account())
        self.wake_read, self.wake_write = os.pipe()
        self.status: dict[str, Any] = {
            "state": "running", "pid": None, "guard_pid": os.getpid(),
            "started_at": time.time(), "step_at": time.time(), "reason": None,
            "started_monotonic_s": time.monotonic(),
            "exit_code": None, "exit_signal": None, "killed": False, "error": None,
            "ended_at": None, "n_log_bytes": 0, "n_dropped_bytes": 0, "log_error": None,
            "steps": [], "ladder_s": None, "peak_bytes": 0, "n_memory_kills": None,
            "memory_kill_at_end": None, "memory_scope": self.memory.account.scope,
            "memory_limit_bytes": self.memory.account.limit_bytes(),
        }  # fmt: skip

    # -- start and end ---------------------------------------------------------------------

    def run(self) -> None:
        """The whole life of the guard."""
        self._catch_signals()
        adopt_orphans()
        if self._is_called_off():
            return
        try:
            process, output = self._start()
        except (OSError, ValueError) as error:
            self._could_not_start(error)
            return
        pump = threading.Thread(target=self.log.pump, args=(output,), daemon=True)
        pump.start()
        while not self._is_over():
            self._wait_for_something()
            self._reap()
            self.memory.look()
            self._step()
        process.returncode = 0  # reaped above; keeps Popen quiet
        pump.join(timeout=2.0)  # not for ever: a stranger may have been handed the pipe
        self._save_end()

    def _is_called_off(self) -> bool:
        """Whether the worker died (no report: nothing ever began) or cancelled before the start."""
        if not select.select([0], [], [], 0)[0]:
            return False
        orders = self.lifeline.orders(is_ready=True)
        if orders and LOST not in orders:
            self._obey(orders)
            self._save_end()
        return bool(orders)

    def _start(self) -> tuple["subprocess.Popen[bytes]", int]:
        output, script_end = os.pipe()
        with contextlib.suppress(OSError):  # a smaller pipe only means more switching
            fcntl.fcntl(output, getattr(fcntl, "F_SETPIPE_SZ", 1031), 1024 * 1024)
        try:
            process = subprocess.Popen(
                self.meta["argv"],
                cwd=self.meta["cwd"],
                env={**self.meta["env"], COOKIE: self.meta["cookie"]},
                stdin=subprocess.DEVNULL,
                stdout=script_end,
                stderr=script_end,
                start_new_session=True,
            )
        finally:
            os.close(script_end)
        self.pid = process.pid
        self._save(pid=process.pid)
        tell({"pid": process.pid})
        return process, output

    def _could_not_start(self, error: Exception) -> None:
        text = f"could not start {self.meta['argv'][:1]}: {error}"[:1000]
        self.log.write(f"[studio] {text}\n".encode(errors="replace"))
        tell({"pid": None, "error": text})
        self._save_end(exit_code=127, error=text)

    def _save_end(self, **known: Any) -> None:
        if self.wait_status is not None:
            code = os.waitstatus_to_exitcode(self.wait_status)
            known["exit_signal" if code < 0 else "exit_code"] = abs(code)
        known |= {"ladder_s": self._ladder_s(), "n_memory_kills": self.memory.n_since_start()}
        self._save(state="exited", ended_at=time.time(), **known)
        for _ in range(50):
            if self.file.is_saved:
                break
            time.sleep(0.1)
            self.file.save(self.status)
        with contextlib.suppress(OSError):
            os.unlink(self.file.spare)

    # -- the loop --------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        # Handlers, not SIG_IGN: the script would inherit an ignored SIGINT and never be
        # interrupted. The mask of the thread that started this guard is inherited as well.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._note_sigterm)

    def _note_sigterm(self, *_: object) -> None:
        self.told_to_stop = True

    def _wait_for_something(self) -> None:
        is_calm = self.level == RUNNING and self.wait_status is None
        timeout_s = IDLE_S if is_calm and not self.lifeline.is_orphaned else TICK_S
        ready = select.select([self.wake_read, *self.lifeline.watched], [], [], timeout_s)[0]
        if self.wake_read in ready:
            os.read(self.wake_read, 4096)
        self._obey(self.lifeline.orders(is_ready=0 in ready))
        if self.told_to_stop:
            self._raise_to(INTERRUPTING, "sigterm")

    def _obey(self, orders: list[bytes]) -> None:
        if b"K" in orders:
            self._raise_to(KILLING, "cancel")
        elif b"C" in orders:
            self._raise_to(INTERRUPTING, "cancel")
        if LOST in orders:
            self._raise_to(TERMINATING, "worker_lost")

    def _reap(self) -> None:
        """Collect every dead child, adopted ones too, so that none stays a zombie."""
        while True:
            try:
                pid, wait_status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            peak_bytes = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            self.status["peak_bytes"] = max(self.status["peak_bytes"], peak_bytes)
            if pid == self.pid:
                self.wait_status = wait_status
                self.status["memory_kill_at_end"] = self.memory.rose_since_look()

    def _step(self) -> None:
        now = time.monotonic()
        if self.level == KILLING:
            self._signal_all(signal.SIGKILL)
        elif self.deadline is not None and now >= self.deadline:
            self._raise_to(self.level + 1, None)
        elif self.level == RUNNING and self.wait_status is not None and self._any_left():
            self._raise_to(TERMINATING, None)
        if self.log.error != self.told_log_error or not self.file.is_saved:
            self.told_log_error = self.log.error
            self._save()

    def _is_over(self) -> bool:
        if self.level == KILLING and self.deadline and time.monotonic() >= self.deadline:
            self.status["error"] = f"could not be killed within {GIVE_UP_S:.0f} s"
            return True
        return self.wait_status is not None and not self._any_left()

    def _raise_to(self, level: int, reason: str | None) -> None:
        """Go up the ladder, never down; the first reason stays."""
        if level <= self.level:
            return
        self.level = level
        self.status["reason"] = self.status["reason"] or reason
        # Only a script that had to be killed counts as killed, not what it left behind.
        if level == KILLING and self.wait_status is None:
            self.status["killed"] = True
        delay_s = (0.0, self.grace_s, self.kill_after_s, GIVE_UP_S)[level]
        self.deadline = time.monotonic() + delay_s
        self._signal_all(SIGNALS[level])
        self.first_step_at = self.first_step_at or time.monotonic()
        self.status["steps"].append([STATES[level], time.time(), self._ladder_s()])
        self._save(state=STATES[level])

    def _ladder_s(self) -> float | None:
        """Seconds since the first step of the ladder."""
        return None if self.first_step_at is None else time.monotonic() - self.first_step_at

    def _save(self, **known: Any) -> None:
        self.status.update(known, step_at=time.time(), log_error=self.log.error)
        self.status.update(n_log_bytes=self.log.n_bytes, n_dropped_bytes=self.log.n_dropped)
        self.file.save(self.status)

    # -- the processes ---------------------------------------------------------------------

    def _any_left(self) -> bool:
        return self._signal_all(0) > 0

    def _signal_all(self, number: int) -> int:
        """Signal every process of the run (0 only looks); how many there were."""
        if self.pid is None:
            return 0
        # Without /proc only the script's own process group is known.
        members = {-self.pid}
        if HAS_PROC:
            cookie = self.meta["cookie"]
            members = find_members(cookie, session=self.pid, adopter=os.getpid())
        for pid in list(members):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                members.discard(pid)
            except PermissionError:
                if not HAS_PROC:  # macOS: only zombies are left; else: not ours to end
                    members.discard(pid)
        return len(members)


def adopt_orphans() -> None:
    """Become the parent of what the script's children leave behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tell(message: dict[str, Any]) -> None:
    """One line to the worker, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as meta_file:
        Guard(json.load(meta_file)).run()
