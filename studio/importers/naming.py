"""What other trackers call things, as names that are allowed here. Pure."""

import hashlib

from studio.wire.checks import MAX_TIME_S

MAX_ORIGIN = 300


def is_time(seconds: float) -> bool:
    """Whether these are seconds since 1970 that a calendar has."""
    # NaN is neither; a whole number may be larger than any float.
    return 0 <= seconds <= MAX_TIME_S


def origin_of(kind: str, text: str) -> str:
    """What names a run of a source for ever, short enough to be kept."""
    found = f"{kind}:{text}"
    if len(found) > MAX_ORIGIN:
        return f"{kind}:sha256-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
    return found
