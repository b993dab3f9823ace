"""How much one token, and one person, may ask for in a minute.

Buckets that fill again by themselves, in the memory of this process: counting costs a microsecond
and writes nothing. Several processes each allow as much. Workers ask the database, not a server,
and are never counted; the token of a run counts by itself, not against its person.
"""

import math
import threading
import time
from collections import OrderedDict

from django.conf import settings

WRITES, SEARCHES, EXPORTS, UPLOADS = "writes", "searches", "exports", "uploads"
# What a person may with all tokens and browsers together, in limits of one token.
PERSON_FACTOR = 3
MOST_BUCKETS = 20_000
# (kind, whose).
Bucket = tuple[str, str]
_lock = threading.Lock()
# How many are left, and when that was so.
_buckets: OrderedDict[Bucket, tuple[float, float]] = OrderedDict()


class LimitReached(Exception):
    """Too many requests of a kind; the text says which. `retry_after_s`: whole seconds, ≥ 1."""

    def __init__(self, kind: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Too many {kind} at once. Try again in {retry_after_s} s.")


def spend(kind: str, *, user_id: int, token_id: int | None = None, run_uid: str = "") -> None:
    """Count one request of a kind (no query). Raises LimitReached, which counts nothing."""
    now, wanted = time.monotonic(), _counted(kind, user_id, token_id, run_uid)
    with _lock:
        for key, most in wanted:
            n_left = _left(key, most, now)
            if n_left < 1:
                raise LimitReached(kind, max(1, math.ceil((1 - n_left) * 60 / most)))
        _take(wanted, 1, now)


def owe(kind: str, n: int, *, user_id: int, token_id: int | None = None, run_uid: str = "") -> None:
    """Count `n` more for a request that was let in and did the work of several. Nothing is refused
    now; the next requests wait until it is made up for."""
    with _lock:
        _take(_counted(kind, user_id, token_id, run_uid), n, time.monotonic())


def _counted(
    kind: str, user_id: int, token_id: int | None, run_uid: str
) -> list[tuple[Bucket, float]]:
    """The buckets that a request is taken from, and how much each holds when it is full."""
    per_minute = settings.LIMITS[kind]
    if per_minute <= 0:
        return []
    wanted = [] if run_uid else [((kind, f"user {user_id}"), per_minute * PERSON_FACTOR)]
    if token_id is not None:
        wanted.append(((kind, f"token {token_id}"), per_minute))
    return wanted


def _take(wanted: list[tuple[Bucket, float]], n: int, now: float) -> None:
    for key, most in wanted:
        _buckets[key] = (_left(key, most, now) - n, now)
        _buckets.move_to_end(key)
    while len(_buckets) > MOST_BUCKETS:
        _buckets.popitem(last=False)


def _left(key: Bucket, most: float, now: float) -> float:
    n_left, then = _buckets.get(key, (most, now))
    return min(most, n_left + (now - then) * most / 60)


def forget_spent() -> None:
    """Fill every bucket again."""
    with _lock:
        _buckets.clear()
