"""Foreign values as the studio can store them, and what had to be cut or left out. Pure."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from studio.runs.limits import (
    MAX_DESCRIPTION_BYTES,
    MAX_KEY,
    MAX_KEY_AND_VALUE_BYTES,
    MAX_NAME,
    MAX_VALUE,
    Invalid,
    bytes_of,
    clean_labels,
    clean_name,
    clean_text,
    is_visible,
)
from studio.runs.models import EXPERIMENT_NAME_RULE, UID_RULE

CUT = "…"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def fitting_labels(
    labels: Mapping[str, str | None], *, what: str, most: int, longest: int = MAX_VALUE
) -> tuple[dict[str, str | None], list[str]]:
    """Labels that can be stored, and a sentence for each that was cut or left out. most: of them;
    longest: characters of a value."""
    found: dict[str, str | None] = {}
    problems: list[str] = []
    for key, value in labels.items():
        if len(found) >= most:
            problems.append(f"More than {most:,} of the kind {what}: the rest was left out.")
            break
        try:
            found |= clean_labels({key: value}, what=what, nullable=True, most=longest)
        except Invalid as refused:
            text = _short(key, value, longest) if isinstance(value, str) else None
            if text is None:
                problems.append(f"Left out: {refused}")
                continue
            found |= clean_labels({key: text}, what=what, most=longest)
            problems.append(f"Cut: {refused}")
    return found, problems


def _short(key: str, value: str, longest: int) -> str | None:
    """The beginning of a value as far as it fits; None when the key is wrong."""
    if not isinstance(key, str) or len(key) > MAX_KEY or not is_visible(key):
        return None
    if _UNSTORABLE.search(key):
        return None
    text = _UNSTORABLE.sub("\ufffd", value)
    if longest > MAX_VALUE:
        return text if len(text) <= longest else text[: longest - 1] + CUT
    room = MAX_KEY_AND_VALUE_BYTES - bytes_of(key, CUT)
    short = text[: longest - 1].encode()[:room].decode(errors="ignore")
    return text if short == text else short + CUT


def fitting_name(name: str) -> str:
    """A run's name, cut where it is too long; "" for one that shows nothing."""
    text = _UNSTORABLE.sub("\ufffd", name).strip()
    if len(text) > MAX_NAME:
        text = text[: MAX_NAME - 1] + CUT
    try:
        return clean_name(text)
    except Invalid:
        return ""


def fitting_description(text: str) -> tuple[str, list[str]]:
    """Markdown as long as a description may be."""
    clean = _UNSTORABLE.sub("\ufffd", text)
    most = MAX_DESCRIPTION_BYTES
    size = len(clean.encode())
    if size > most:
        clean = clean.encode()[: most - 4].decode(errors="ignore") + CUT
        problem = [f"The description has {size:,} bytes and was cut to {most:,}."]
        return clean_text(clean, field="description", most=most), problem
    return clean_text(clean, field="description", most=most), []


def experiment_name(title: str) -> str:
    """The name an experiment of another tracker gets here: its own where that can be one, else
    what is left of it and eight digits of its hash, so that two titles never become one name."""
    if re.fullmatch(EXPERIMENT_NAME_RULE, title):
        return title
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", title).strip("-_")[:200] or "experiment"
    mark = hashlib.sha256(title.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{slug}-{mark}"


def fitting_uid(uid: str) -> str:
    return uid if re.fullmatch(UID_RULE, uid) else ""


def moments(
    created: datetime, started: datetime | None, ended: datetime | None, now: datetime
) -> tuple[datetime, datetime | None, datetime | None, list[str]]:
    """Times in their order, none before 1970 and none after now; clocks of other machines may have
    been wrong, and a calendar has no place for all that can be written."""
    problems = []
    given = [moment for moment in (created, started, ended) if moment]
    if max(given) > now:
        problems.append("It has times in the future; they were set to the moment of the import.")
    if min(given) < EARLIEST:
        problems.append("It has times before 1970; they were set to its beginning.")
    created = max(created, EARLIEST)
    begun = max(min(started, now), EARLIEST) if started else None
    made = min(created, begun or created, now)
    over = max(min(ended, now), begun or made) if ended else None
    return made, begun, over, problems
