"""Time zones by name: whose days and clock the dates of a query mean."""

import re
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from django.utils import timezone

_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def zone_called(name: str) -> tzinfo | None:
    """The zone of an IANA name, UTC for ""; None when this machine knows none of that name."""
    if not name:
        return UTC
    if not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    # A folder of zones can't be read, a name that leaves their folder is a wrong value.
    except (KeyError, ValueError, OSError):
        return None


def active_zone_name() -> str:
    """The name of the zone that queries are read in now; "" for UTC."""
    name = timezone.get_current_timezone_name()
    return "" if name == "UTC" else name
