"""Waiting for something to become true, with a deadline instead of a sleep."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    check: Callable[[], T], timeout_s: float = 10.0, message: str = "", *, every_s: float = 0.02
) -> T:
    """The first true answer of `check`; AssertionError with `message` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            what = message or getattr(check, "__name__", "the condition")
            raise AssertionError(f"not within {timeout_s} s: {what} (last answer: {answer!r})")
        time.sleep(every_s)


def answers(url: str) -> bool:
    """Whether a server answers there with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
