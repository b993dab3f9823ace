"""Keeps worker processes for rendering: started at need, used by one thread at a time, killed late.

`Popen` and not fork: the caller may be a thread of gunicorn or Celery, and a forked copy of a
threaded process can hang on a lock nobody will release.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

# Wall time; the worker itself dies after BUDGET_S seconds of processor time.
ANSWER_LIMIT_S = 4.0
START_LIMIT_S = 30.0
WAIT_LIMIT_S = 20.0
N_WORKERS = 2
_ROOT = Path(__file__).resolve().parents[2]
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
log = logging.getLogger(__name__)


class RenderFailed(Exception):
    """No HTML came back: out of time, out of memory, or a fault in a library."""


class _Gone(RenderFailed):
    """The worker ended instead of answering."""


class Worker:
    """One process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-s", "-m", "studio.runs.markdown_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=_ROOT,
            # No secrets of the server's environment reach a process that reads hostile text.
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            start_new_session=True,  # Ctrl-C in a terminal is not for it
        )
        stdin, stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._in, self._out = stdin.fileno(), stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self._exchange(b"", START_LIMIT_S)  # its "ready"; loading is not charged to a text
        except RenderFailed:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to `request`. Raises RenderFailed; the worker is of no use after that."""
        body = json.dumps(request).encode()
        return self._exchange(struct.pack(">I", len(body)) + body, ANSWER_LIMIT_S)

    def stop(self) -> None:
        """Kill and reap; harmless when it has ended."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _exchange(self, data: bytes, limit_s: float) -> dict[str, Any]:
        """Write `data` and read one frame, both within `limit_s`."""
        deadline_s = time.monotonic() + limit_s
        unsent, received = memoryview(data), bytearray()
        poll = select.poll()  # not select(): a busy server has descriptors above 1024
        poll.register(self._out, select.POLLIN)
        if unsent:
            poll.register(self._in, select.POLLOUT)
        while (left_s := deadline_s - time.monotonic()) > 0:
            for fd, _event in poll.poll(left_s * 1000):
                try:
                    if fd == self._in:
                        unsent = unsent[os.write(fd, unsent[:65_536]) :]
                        if not unsent:
                            poll.unregister(fd)
                        continue
                    piece = os.read(fd, 1 << 20)
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise _Gone(f"the worker ended: {error}") from error
                if not piece:
                    raise _Gone("the worker ended without an answer")
                received += piece
                answer = _whole_frame(received)
                if answer is not None:
                    return answer
        raise RenderFailed(f"no answer within {limit_s:g} s")


def _whole_frame(received: bytearray) -> dict[str, Any] | None:
    if len(received) < 4:
        return None
    (n_bytes,) = struct.unpack_from(">I", received)
    return dict(json.loads(received[4:])) if len(received) >= 4 + n_bytes else None


class Pool:
    """At most `N_WORKERS` workers; a slot holds an idle worker or None for "start one"."""

    def __init__(self) -> None:
        self._slots: queue.LifoQueue[Worker | None] = queue.LifoQueue()
        for _ in range(N_WORKERS):
            self._slots.put(None)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer of some worker. Raises RenderFailed after the time limits."""
        try:
            worker = self._slots.get(timeout=WAIT_LIMIT_S)
        except queue.Empty:
            raise RenderFailed("all workers are busy") from None
        try:
            worker, answer = _answer(worker, request)
        except BaseException:
            self._slots.put(None)
            raise
        self._slots.put(worker)
        return answer

    def close(self) -> None:
        """Stop the idle workers; a busy one ends with its pipes."""
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._slots.get_nowait()
                if worker is not None:
                    worker.stop()


def _answer(worker: Worker | None, request: dict[str, Any]) -> tuple[Worker, dict[str, Any]]:
    """An idle worker that died (killed from outside) is not held against the text: one more try."""
    started_s = time.monotonic()
    while True:
        reused, worker = worker is not None, worker or Worker()
        try:
            return worker, worker.ask(request)
        except _Gone:
            worker.stop()
            if not reused or time.monotonic() - started_s > 0.5:
                raise
            log.info("A Markdown worker was gone; starting another.")
            worker = None
        except BaseException:
            worker.stop()
            raise


_pool = Pool()
# Apart: slow source files must not keep somebody's description waiting.
_pool_for_code = Pool()


def ask(request: dict[str, Any]) -> dict[str, Any]:
    """The answer of this process's pool for a text. Raises RenderFailed."""
    return _pool.ask(request)


def ask_for_colours(code: str, language: str) -> dict[str, Any]:
    """The answer of this process's pool for source text. Raises RenderFailed."""
    return _pool_for_code.ask({"code": code, "language": language})


def close() -> None:
    """Stop this process's idle workers; they start again at need."""
    _pool.close()
    _pool_for_code.close()
    _forget()


def _forget() -> None:
    # A forked child shares the pipes with its parent: two writers would mix their frames.
    global _pool, _pool_for_code
    _pool, _pool_for_code = Pool(), Pool()


os.register_at_fork(after_in_child=_forget)
atexit.register(close)
