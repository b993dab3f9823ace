"""Checks of single JSON values: (value, path) -> the parsed value, or WireError."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable
from typing import Any

Check = Callable[[Any, str], Any]

MAX_NAME = 255
MAX_TEXT = 20_000
MAX_LABEL = 5_000
MAX_DESCRIPTION = 100_000
MAX_DOCUMENT_BYTES = 4_000_000
MAX_INT = 2**63 - 1
MAX_TIME_S = 253_402_300_799  # the last second of the year 9999

UID = re.compile(r"[A-Za-z0-9_-]{1,256}")
EXPERIMENT = re.compile(r"[a-zA-Z0-9][\w\-]{0,254}")
DIGEST = re.compile(r"[0-9a-f]{64}")
PYTHON = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
SENDER = re.compile(r"[A-Za-z0-9_.-]+")
VARIABLE = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
SET_BY_THE_STUDIO = {
    *("STUDIO_RUN_ID", "STUDIO_WORKSPACE", "STUDIO_URL", "STUDIO_TOKEN", "STUDIO_TARGET"),
    *("STUDIO_RUN_COOKIE", "STUDIO_SPOOL_DIR"),
}
# A process is not started with more than its system allows, in the least 2 MB of all its words.
MAX_VARIABLES_BYTES = 250_000
_BAD_CHARACTERS = re.compile("[\x00\ud800-\udfff]")


class WireError(ValueError):
    """A message that breaks the contract: `path` names the field, `message` says what is wrong."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path, self.message = path, message


def text(*, most: int, least: int = 0, pattern: re.Pattern[str] | None = None) -> Check:
    """A check for one string of `least`..`most` characters, storable in any database."""

    def check(value: Any, path: str) -> str:
        if type(value) is not str:
            raise WireError(path, f"must be a string, not {kind_of(value)}")
        if not least <= len(value) <= most:
            raise WireError(path, f"must have {least} to {most} characters, has {len(value)}")
        if _BAD_CHARACTERS.search(value):
            raise WireError(path, "contains a NUL or a lone surrogate")
        if pattern is not None and not pattern.fullmatch(value):
            raise WireError(path, f"must match {pattern.pattern}")
        return value

    return check


def integer(*, least: int = 0, most: int = MAX_INT) -> Check:
    """A check for one int (not a bool, not a float) within bounds."""

    def check(value: Any, path: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise WireError(path, f"must be an integer from {least} to {most}")
        return value

    return check


def seconds(value: Any, path: str) -> float:
    """A finite duration of at least 0 s."""
    if type(value) not in (int, float) or not 0 <= value <= MAX_TIME_S:
        raise WireError(path, "must be a number of seconds, 0 or more")
    return float(value)


def flag(value: Any, path: str) -> bool:
    """true or false."""
    if type(value) is not bool:
        raise WireError(path, f"must be true or false, not {kind_of(value)}")
    return value


def choice(*allowed: str) -> Check:
    """A check for one of a few words."""

    def check(value: Any, path: str) -> str:
        if type(value) is not str or value not in allowed:
            raise WireError(path, f"must be one of {', '.join(allowed)}")
        return value

    return check


def scalar(value: Any, path: str) -> str | int | float | bool | None:
    """A parameter value: string, number, bool or null; non-finite numbers become strings."""
    if type(value) is str:
        return long_text(value, path)  # type: ignore[no-any-return]
    if value is None or type(value) in (bool, int):
        return value  # type: ignore[no-any-return]
    if type(value) is float:
        return value if math.isfinite(value) else special(value)
    raise WireError(path, f"must be a string, number, bool or null, not {kind_of(value)}")


def array(check: Check, *, most: int, least: int = 0) -> Check:
    """A check for a list whose elements all pass `check`; parsed as a tuple."""

    def check_all(value: Any, path: str) -> tuple[Any, ...]:
        if type(value) is not list:
            raise WireError(path, f"must be a list, not {kind_of(value)}")
        if not least <= len(value) <= most:
            raise WireError(path, f"must have {least} to {most} elements, has {len(value)}")
        return tuple(check(element, f"{path}[{i}]") for i, element in enumerate(value))

    return check_all


def mapping(check: Check, *, most: int = 1000, nullable: bool = False) -> Check:
    """A check for an object with string keys; `nullable` also lets null values pass."""

    def check_all(value: Any, path: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise WireError(path, f"must be an object, not {kind_of(value)}")
        if len(value) > most:
            raise WireError(path, f"must have at most {most} keys, has {len(value)}")
        return {
            key_text(name, path): None
            if nullable and item is None
            else check(item, f"{path}.{name}")
            for name, item in value.items()
        }

    return check_all


def json_object(value: Any, path: str) -> dict[str, Any]:
    """Any JSON object of at most 4 MB whose numbers are finite."""
    if type(value) is not dict:
        raise WireError(path, f"must be an object, not {kind_of(value)}")
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise WireError(path, f"is not standard JSON: {error}") from None
    if size > MAX_DOCUMENT_BYTES:
        raise WireError(path, f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    return value


def label(value: Any, path: str) -> str:
    """A relative '/'-separated path of an artifact or source file: a label, never a disk path."""
    name: str = label_text(value, path)
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name:
        raise WireError(path, "must be relative, '/'-separated, without empty, '.' or '..' parts")
    return name


def interpreter(value: Any, path: str) -> str:
    """The Python of a worker: an absolute path, or a name such as python3.12."""
    python: str = label_text(value, path)
    if not python.startswith("/") and not PYTHON.fullmatch(python):
        raise WireError(path, "must be an absolute path on the worker or a name such as python3.12")
    return python


def variables(value: Any, path: str) -> dict[str, str]:
    """Environment variables that a process can be started with."""
    found: dict[str, str] = mapping(long_text)(value, path)
    for key in found:
        if not VARIABLE.fullmatch(key):
            wrong = "is no name of a variable: letters, digits, '_', '.' and '-', no digit first"
            raise WireError(f"{path}.{key}", wrong)
        if key.upper() in SET_BY_THE_STUDIO:
            raise WireError(f"{path}.{key}", "is set by the studio itself: leave it out")
    n_bytes = sum(len(key.encode()) + len(item.encode()) for key, item in found.items())
    if n_bytes > MAX_VARIABLES_BYTES:
        raise WireError(path, f"must have at most {MAX_VARIABLES_BYTES} bytes, has {n_bytes}")
    return found


def batch_id(value: Any, path: str) -> str:
    """A UUID in its usual spelling."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise WireError(path, "must be a UUID") from None


def kind_of(value: Any) -> str:
    words = {type(None): "null", bool: "a bool", dict: "an object", list: "a list", str: "a string"}
    return words.get(type(value), "a number")


def special(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


name = text(least=1, most=MAX_NAME)
key_text = text(least=1, most=MAX_NAME)
long_text = text(most=MAX_TEXT)
label_text = text(least=1, most=MAX_LABEL)
uid = text(least=1, most=256, pattern=UID)
digest = text(least=64, most=64, pattern=DIGEST)
tags = mapping(long_text, nullable=True)
properties = mapping(long_text)
