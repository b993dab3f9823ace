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
    """One place among the finds that go on. Raises TooManyFinds, at once or after WAIT_S: of a
    person's requests one at most waits, since each that does holds up a thread of the server."""
    with ExitStack() as held:
        own = _own(user_id)
        if own is None:
            raise TooManyFinds(
                f"You are searching {AT_ONCE_PER_PERSON} logs already. Stop one, or wait for it."
            )
        held.callback(os.close, own)
        place = _free("any", AT_ONCE)
        if place is None:
            raise TooManyFinds(f"{AT_ONCE} searches of logs are going on. Try again in a moment.")
        held.callback(os.close, place)
        yield


def _own(user_id: int) -> int | None:
    name = f"person-{user_id}"
    until = time.monotonic() + WAIT_S
    if (fd := _free(name, AT_ONCE_PER_PERSON)) is not None:
        return fd
    waiting = _free(f"{name}-waits", 1)
    if waiting is None:
        return None
    try:
        while fd is None and time.monotonic() < until:
            time.sleep(_AGAIN_S)
            fd = _free(name, AT_ONCE_PER_PERSON)
    finally:
        os.close(waiting)
    return fd


def _free(name: str, n: int) -> int | None:
    """The locked descriptor of one of the `n` files of that name, None when all are taken."""
    folder = settings.STUDIO_HOME / "finds"
    folder.mkdir(mode=0o700, exist_ok=True)
    for i in range(n):
        fd = os.open(folder / f"{name}-{i}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
        else:
            return fd
    return None
