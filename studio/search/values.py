"""From a value's text to a number, a moment or a duration. Pure; the clock is an argument.

All raise ValueError whose message is a sentence for a person, naming what was read and a form
that works.
"""

import re
from datetime import UTC, datetime, timedelta

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NAMED_NUMBER = re.compile(r"[+-]?(?:inf|infinity)|nan", re.ASCII | re.IGNORECASE)
_UNITS_S = {
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
_DURATION = re.compile(
    "".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in _UNITS_S),
    re.ASCII | re.IGNORECASE,
)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?P<s>:\d{2}(?P<us>\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)


def parse_number(text: str) -> float:
    """Return a decimal number: `0.3`, `-2`, `1e-4`, `inf`, `-inf`, `nan`."""
    bare = text.strip()
    if not (_NUMBER.fullmatch(bare) or _NAMED_NUMBER.fullmatch(bare)):
        raise ValueError(f'"{text}" is not a number. Write it like 0.3, 1e-4 or inf.')
    return float(bare)


def parse_duration_s(text: str) -> float:
    """Return seconds: `90s`, `5m`, `2h30m`, `1d`, `1.5h`, `250ms`; a bare number is seconds."""
    bare = text.strip()
    found = _DURATION.fullmatch(bare)
    if found and bare:
        given = {unit: part for unit, part in found.groupdict().items() if part}
        return sum(float(part) * _UNITS_S[unit] for unit, part in given.items())
    if re.fullmatch(r"\d+(\.\d+)?", bare, re.ASCII):
        return float(bare)
    raise ValueError(f'"{text}" is not a duration. Write it like 90s, 5m, 2h30m or 1d.')


def parse_moment(text: str, now: datetime) -> datetime:
    """Return an aware UTC moment; for a day, month or minute, its beginning. See parse_period."""
    return parse_period(text, now)[0]


def parse_period(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the aware UTC moments (start, end) that a time names: start included, end not.

    `2026-11-01`, `today` and `yesterday` name a whole day, `2026-11` a month, `2026-11-01T10:30`
    a minute, `…:15` a second; `now`, `-7d` and `-2h30m` name a moment, so start == end.
    now: aware; its zone decides where days begin and what a time without a zone means.
    """
    if now.tzinfo is None:
        raise TypeError("now must be aware")
    try:
        return _period(text.strip(), now)
    except (ValueError, OverflowError):
        message = (
            f'"{text}" is not a time. '
            "Write it like 2026-11-01, 2026-11-01T14:30, -7d, -2h, today or now."
        )
        raise ValueError(message) from None


def _period(text: str, now: datetime) -> tuple[datetime, datetime]:
    word = text.lower()
    if word == "now" or word.startswith("-"):
        back_s = 0.0 if word == "now" else parse_duration_s(word[1:])
        moment = now.astimezone(UTC) - timedelta(seconds=back_s)
        return moment, moment
    if word in ("today", "yesterday"):
        date = now.date() - timedelta(days=int(word == "yesterday"))
        return _local_day(date.isoformat(), now)
    if _DAY.fullmatch(text):
        return _local_day(text, now)
    if _MONTH.fullmatch(text):
        first = datetime.fromisoformat(f"{text}-01").replace(tzinfo=now.tzinfo)
        following = (first + timedelta(days=32)).replace(day=1)
        return first.astimezone(UTC), following.astimezone(UTC)
    return _clock_time(text, now)


def _local_day(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the bounds of a day in the zone of now: 23 or 25 hours when the clocks change."""
    start = datetime.fromisoformat(text).replace(tzinfo=now.tzinfo)
    # Adding to a zoned time moves the wall clock, so this is the next local midnight.
    return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)


def _clock_time(text: str, now: datetime) -> tuple[datetime, datetime]:
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    start = moment.astimezone(UTC)
    if found["us"]:
        return start, start + timedelta(microseconds=1)
    return start, start + timedelta(seconds=1 if found["s"] else 60)
