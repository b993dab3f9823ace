"""How many finds go on at once: a few per person, a few in all, so that pages stay quick.

A slot is a locked file. The lock goes with the process that held it, however that ends, and counts
for all processes of a machine, whose disk and processors it is for.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

AT_ONCE = 6
AT_ONCE_PER_PERSON = 3
# What a person has just stopped is noticed within this time, and makes room.
WAIT_S = 1.0
_AGAIN_S = 0.05


class TooManyFinds(Exception):
    """No slot came free; the text says whose are taken."""


@contextmanager
def slot(user_id: int) -> Iterator[None]:
    """One place among the finds that go on. Raises TooManyFinds after WAIT_S without one."""
    own = f"You are searching {AT_ONCE_PER_PERSON} logs already. Stop one, or wait for it."
    others = f"{AT_ONCE} searches of logs are going on. Try again in a moment."
    until = time.monotonic() + WAIT_S
    with ExitStack() as held:
        held.callback(os.close, _taken(f"person-{user_id}", AT_ONCE_PER_PERSON, until, own))
        held.callback(os.close, _taken("any", AT_ONCE, until, others))
        yield


def _taken(name: str, n: int, until: float, refusal: str) -> int:
    """The locked descriptor of one of the `n` files of that name."""
    folder = settings.STUDIO_HOME / "finds"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for i in range(n):
            fd = os.open(folder / f"{name}-{i}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
            else:
                return fd
        if time.monotonic() >= until:
            raise TooManyFinds(refusal)
        time.sleep(_AGAIN_S)
