"""Where a request comes from, and with what program."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

MAX_ADDRESS, MAX_AGENT = 45, 300


@dataclass(frozen=True, slots=True)
class Source:
    """The network address and the program, as it names itself; both "" for the studio's own
    command line."""

    address: str = ""
    agent: str = ""


def source_of(request: HttpRequest) -> Source:
    agent = "".join(c if c.isprintable() else "?" for c in request.headers.get("User-Agent", ""))
    return Source(address_of(request), agent[:MAX_AGENT])


def address_of(request: HttpRequest) -> str:
    """The connection's own address; behind a proxy that is trusted, the one which that proxy added:
    the last. What stands before it can be made up by whoever asks."""
    own = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUST_PROXY:
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        return (told or own)[:MAX_ADDRESS]
    return own[:MAX_ADDRESS]
