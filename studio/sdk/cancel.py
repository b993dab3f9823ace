"""Turning a cancel request of the studio into `RunCanceled` in the main thread.

The sender thread learns of the request. Where the main thread can take signals (Unix, handler
installed from the main thread), it sends a real-time signal to that thread: the handler runs the
`on_cancel` hooks and raises, also out of a blocking call such as time.sleep. Elsewhere the
interpreter raises at the main thread's next bytecode (PyThreadState_SetAsyncExc), hooks run before
that in a thread of their own, and a blocking call is not interrupted.

A notebook between two cells runs nothing that could be interrupted, and an exception in its main
thread would end its kernel: there the hooks run, and the run ends as Canceled by itself.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from studio.sdk.errors import RunCanceled

log = logging.getLogger("studio.sdk")

Hook = Callable[..., Any]

# A real-time signal is free in practice: user signals are taken by job schedulers and torch.
_SIGNAL = signal.SIGRTMIN + 11 if hasattr(signal, "SIGRTMIN") else None
_pending: list[Canceler] = []


class Canceler:
    """Delivers one cancellation of one live run."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.request: dict[str, Any] | None = None
        self.delivered = False
        self.closed = False
        # Ends the run where nothing can be interrupted; called in a thread of its own.
        self.end: Callable[[RunCanceled], None] | None = None
        self._by_signal = _install()

    def notify(self, request: dict[str, Any]) -> None:
        """Called in the sender thread: have RunCanceled raised in the main thread."""
        if self.closed:
            return
        self.request = request
        main = threading.main_thread().ident
        ours = _SIGNAL is not None and signal.getsignal(_SIGNAL) is _on_signal
        if self._by_signal and ours and _SIGNAL is not None and main is not None:
            _pending.append(self)
            signal.pthread_kill(main, _SIGNAL)
            return
        threading.Thread(target=self._raise_async, name="studio-cancel", daemon=True).start()

    def close(self) -> None:
        """The run is ending: nothing is raised any more."""
        self.closed = True

    def exception(self) -> RunCanceled:
        """The exception with who, why and when."""
        request = self.request or {}
        who, why, at = (str(request.get(key) or "") for key in ("by", "reason", "at"))
        return RunCanceled(who, why, at)

    def run_hooks(self) -> None:
        """Call the hooks, newest first; a failing one is logged and does not stop the others."""
        hooks, self.hooks = self.hooks[::-1], []
        for hook in hooks:
            try:
                hook()
            except BaseException:
                # sys.exit() in a hook must not make a cancelled run a completed one.
                log.exception("studio: an on_cancel hook failed")

    def end_quietly(self) -> None:
        """Run the hooks and end the run, without interrupting anything."""
        self.run_hooks()
        if self.end is not None and not self.closed:
            self.end(self.exception())

    def _raise_async(self) -> None:
        self.run_hooks()
        main = threading.main_thread().ident
        if self.closed or self.delivered or main is None:
            return
        self.delivered = True
        known = self.exception()  # the interpreter makes the instance itself, without arguments
        init = {
            "__init__": lambda self: RunCanceled.__init__(self, known.by, known.reason, known.at)
        }
        raised = ctypes.py_object(type("RunCanceled", (RunCanceled,), init))
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), raised)


def _install() -> bool:
    """Install the handler if this is the main thread and nobody else uses the signal."""
    if _SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return _SIGNAL is not None and signal.getsignal(_SIGNAL) is _on_signal
    if signal.getsignal(_SIGNAL) == signal.SIG_DFL:
        signal.signal(_SIGNAL, _on_signal)
    return signal.getsignal(_SIGNAL) is _on_signal


def _on_signal(signum: int, frame: Any) -> None:
    while _pending:
        canceler = _pending.pop(0)
        if canceler.closed or canceler.delivered:
            continue
        canceler.delivered = True
        if is_idle_notebook(frame):
            threading.Thread(target=canceler.end_quietly, name="studio-cancel").start()
            continue
        canceler.run_hooks()
        raise canceler.exception()


def is_idle_notebook(frame: Any) -> bool:
    """Whether this is IPython and no cell of it is running below `frame`."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return False
    while frame is not None:
        if frame.f_globals is shell.user_ns:
            return False
        frame = frame.f_back
    return True


def hook_interrupts(canceler: Canceler) -> None:
    """In a submitted script the worker interrupts with SIGINT: run the hooks, then raise.

    Only when SIGINT has Python's own handler and this is the main thread; otherwise the script
    handles interrupts itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    owner = os.getpid()

    def on_interrupt(signum: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if os.getpid() == owner:
            canceler.run_hooks()
            raise canceler.exception()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, on_interrupt)
