"""What a run may hold, and the words for what it may not. Pure."""

import re
import unicodedata
from collections.abc import Mapping

MAX_NAME = 255
MAX_KEY = 255
MAX_VALUE = 2_000
# Keys and values are indexed together, and an index row of PostgreSQL holds about 2,700 bytes.
MAX_KEY_AND_VALUE_BYTES = 2_400
MAX_REASON = 3_000
MAX_DESCRIPTION_BYTES = 100_000
MAX_LABELS = 1_000
MAX_WARNINGS = 100
MAX_PARAMETERS = 5_000
MAX_CHILDREN_PER_CALL = 1_000


class Invalid(Exception):
    """A value that can't be stored; names the field and what to do."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def clean_text(value: object, *, field: str, most: int, allow_empty: bool = True) -> str:
    """Return `value` as NFC text; refuse what some page, database or terminal can't show.

    Refused: non-strings, lone surrogates, NUL, more than `most` characters, and (unless
    `allow_empty`) text that shows nothing.
    """
    if not isinstance(value, str):
        raise Invalid(field, f"{field} must be text, not {type(value).__name__}.")
    if len(value) > most:
        raise Invalid(field, f"{field} has {len(value):,} characters; at most {most:,} fit.")
    # ASCII has no surrogates and is its own NFC: most of what comes in is, and more would be asked
    # of each character.
    is_ascii = value.isascii()
    if "\0" in value or not (is_ascii or _is_utf8(value)):
        raise Invalid(field, f"{field} holds a character that can't be stored (NUL or surrogate).")
    text = value if is_ascii else unicodedata.normalize("NFC", value)
    if not allow_empty and not is_visible(text):
        raise Invalid(field, f"{field} must not be empty.")
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_visible(text: str) -> bool:
    """Whether any character of `text` shows (not only blanks, controls and zero-width marks)."""
    return any(unicodedata.category(c) not in {"Zs", "Zl", "Zp", "Cc", "Cf"} for c in text)


def clean_key(key: object, *, what: str) -> str:
    return clean_text(key, field=f"{what} key", most=MAX_KEY, allow_empty=False).strip()


def clean_labels(
    labels: Mapping[str, object], *, what: str, nullable: bool = False, most: int = MAX_VALUE
) -> dict[str, str | None]:
    """Keys and values as they will be stored; numbers, booleans and None become text. `most`:
    characters of a value; beyond MAX_VALUE it must be stored with `split_value`."""
    cleaned: dict[str, str | None] = {}
    for key, value in labels.items():
        name = clean_key(key, what=what)
        if value is None and nullable:
            cleaned[name] = None
            continue
        text = str(value) if value is None or isinstance(value, bool | int | float) else value
        cleaned[name] = _clean_value(name, text, what=what, most=most)
    return cleaned


def _clean_value(key: str, value: object, *, what: str, most: int) -> str:
    field = f"{what} “{key}”"
    text = clean_text(value, field=field, most=most)
    n_bytes = bytes_of(key, text)
    if most <= MAX_VALUE and n_bytes > MAX_KEY_AND_VALUE_BYTES:
        raise Invalid(
            field, f"{field} has {n_bytes:,} bytes; at most {MAX_KEY_AND_VALUE_BYTES:,} fit."
        )
    return text


def bytes_of(key: str, value: str | None) -> int:
    """What a label takes in an index; at most MAX_KEY_AND_VALUE_BYTES fit."""
    return len(key.encode()) + len((value or "").encode())


def split_value(key: str, value: str | None) -> tuple[str | None, str | None]:
    """(head, rest) of a value: what the index of labels takes beside `key`, and what follows it;
    None when nothing does."""
    if value is None or (
        len(value) <= MAX_VALUE and bytes_of(key, value) <= MAX_KEY_AND_VALUE_BYTES
    ):
        return value, None
    room = MAX_KEY_AND_VALUE_BYTES - len(key.encode())
    head = value[:MAX_VALUE].encode()[:room].decode(errors="ignore")
    return head, value[len(head) :]


def whole_value(head: str | None, rest: str | None) -> str | None:
    """What `split_value` made two of."""
    return head if rest is None else f"{head or ''}{rest}"


def clean_name(value: object, *, field: str = "display_name") -> str:
    return clean_text(value, field=field, most=MAX_NAME, allow_empty=False).strip()


def as_number(text: str) -> float | None:
    """The number that `text` writes, None for words and for nan (which never compares)."""
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|[+-]?inf(inity)?", text):
        return None
    return float(text)
