"""Values of the lines of an archive, each of the type it must have; else ValueError."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def text_of(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def objects_of(line: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = line.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is no list of objects")
    return found


def labels_of(line: Mapping[str, Any], name: str, *, empty: bool = False) -> dict[str, str | None]:
    found = line.get(name)
    kinds = (str, type(None)) if empty else (str,)
    if not isinstance(found, dict) or not all(isinstance(v, kinds) for v in found.values()):
        raise ValueError(f"{name} are no texts")
    return found


def texts_of(line: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: value or "" for key, value in labels_of(line, name).items()}


def moment_of(line: Mapping[str, Any], name: str) -> datetime | None:
    value = line.get(name)
    if value is None:
        return None
    found = datetime.fromisoformat(text_of(line, name))
    if found.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{name} is no time that can be stored") from error
