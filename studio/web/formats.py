"""Values as people read them: pure functions, used as template filters and by the figures."""

import math
from datetime import UTC, datetime

EMPTY = "–"
# strftime takes far longer, and a list writes hundreds of moments.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
N_SHOWN_DIGITS = 6
MINUTE, HOUR, DAY = 60, 3600, 86400
SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def number(value: float | int | str | None, digits: int = N_SHOWN_DIGITS) -> str:
    """The number in at most `digits` significant digits; metric_value keeps the exact one.

    Integers below 10^15 are written whole; NaN and infinities as words; nothing as "–".
    """
    if value is None:
        return EMPTY
    if isinstance(value, str | bool):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.{digits}g}"


def count(value: int | None) -> str:
    """The whole number with thousands separated by commas."""
    return EMPTY if value is None else f"{value:,}"


def short_count(value: int | None) -> str:
    """A count in four characters or fewer: 999, 1.2k, 48k, 3.1M."""
    if value is None:
        return EMPTY
    for limit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= limit:
            scaled = math.floor(value / limit * 10) / 10
            return f"{scaled:.0f}{letter}" if scaled >= 10 else f"{scaled:g}{letter}"
    return str(value)


def size(n_bytes: int | None) -> str:
    """A number of bytes in decimal units with two or three digits: 812 B, 4.2 MB, 118 GB."""
    if n_bytes is None:
        return EMPTY
    scaled, unit = float(n_bytes), 0
    while scaled >= 999.5 and unit < len(SIZES) - 1:
        scaled, unit = scaled / 1000, unit + 1
    n_decimals = 1 if unit and scaled < 9.95 else 0
    return f"{scaled:.{n_decimals}f} {SIZES[unit]}"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: 0.4 s, 12 s, 3 m 20 s, 2 h 5 m, 4 d 1 h."""
    if seconds is None:
        return EMPTY
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{math.floor(seconds * 10) / 10:g} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    for unit, letter, small, small_letter in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "m"),
        (MINUTE, "m", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // small
            return f"{whole // unit} {letter}" + (f" {rest} {small_letter}" if rest else "")
    return EMPTY


def iso(at: datetime | None) -> str:
    """The moment in ISO 8601, UTC, for datetime attributes; empty without one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""


def absolute(at: datetime | None) -> str:
    """The moment in words for a title; the browser rewrites it in the reader's time zone."""
    if not at:
        return ""
    at = at.astimezone(UTC)
    return f"{_date(at)}, {at.hour:02}:{at.minute:02}:{at.second:02} UTC"


def _date(at: datetime) -> str:
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit ("now", "12 s ago", "5 h ago"); the date after 30 days.

    What is gone is counted in whole units, what is to come is rounded: thirty days that have just
    begun to run out are thirty days.
    """
    if at is None:
        return EMPTY
    past_s = ((now or datetime.now(UTC)) - at).total_seconds()
    if past_s < -5:
        return f"in {one_unit(_rounded(-past_s))}"
    if past_s < 5:
        return "now"
    if past_s < 30 * DAY:
        return f"{one_unit(past_s)} ago"
    return _date(at.astimezone(UTC))


def left(at: datetime | None, now: datetime | None = None) -> str:
    """How long it is until a moment, in whole seconds or two units; 0 s once it has passed."""
    if at is None:
        return EMPTY
    return duration(math.ceil(max(0.0, (at - (now or datetime.now(UTC))).total_seconds())))


def one_unit(seconds: float) -> str:
    """The largest whole unit alone: 12 s, 3 m, 5 h, 2 d."""
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {letter}"
    return f"{int(seconds)} s"


def _rounded(seconds: float) -> float:
    """To whole units of the largest there is after rounding: 29 d 23 h is 30 d, 59 m 40 s 1 h."""
    for unit, smaller in ((DAY, HOUR), (HOUR, MINUTE), (MINUTE, 1)):
        if seconds >= unit - smaller / 2:
            return math.floor(seconds / unit + 0.5) * unit
    return math.floor(seconds + 0.5)


def iso_duration(seconds: float | None) -> str:
    """The length as an ISO 8601 duration for datetime attributes, PT12.5S; empty without one."""
    return "" if seconds is None else f"PT{max(0.0, seconds):g}S"


def clock(at: datetime) -> str:
    """The time of day of a moment, UTC: 14:03:22 UTC; the browser rewrites it in its zone."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def clock_ms(at_ms: int) -> str:
    """The time of day of a moment in ms of Unix time, UTC: 14:03:22."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"
