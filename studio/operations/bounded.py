"""Questions that may hang, asked so that nobody who waits for the answer hangs."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db import connections

logger = logging.getLogger(__name__)
T = TypeVar("T")

WITHIN_S = 2.0
KEPT_S = 2.0


@dataclass
class Question(Generic[T]):
    """`ask`, in a thread of its own, one at a time; its answer is kept for KEPT_S, so that however
    many want to know, it is asked once in two seconds."""

    name: str
    ask: Callable[[], T]
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: threading.Event = field(default_factory=threading.Event)
    answer: T | None = None
    # When the answer came, and when the one that is not here yet was asked for; monotonic.
    answered_at: float = float("-inf")
    asked_at: float | None = None

    def begin(self) -> None:
        """Ask, unless that was done just now or is still being done."""
        with self.lock:
            now = time.monotonic()
            if self.asked_at is not None or now - self.answered_at < KEPT_S:
                return
            self.asked_at = now
            self.done.clear()
        threading.Thread(target=self._run, name=f"asks-{self.name}", daemon=True).start()

    def wait(self, until: float) -> T | None:
        """The answer; None when there is none by then (monotonic)."""
        self.done.wait(max(0.0, until - time.monotonic()))
        with self.lock:
            return self.answer if self.asked_at is None else None

    def _run(self) -> None:
        answer = None
        try:
            answer = self.ask()
        except Exception:
            logger.exception("cannot tell name=%s", self.name)
        finally:
            connections.close_all()
            with self.lock:
                self.answer, self.answered_at, self.asked_at = answer, time.monotonic(), None
            self.done.set()
