"""A run's events as people read them: what was there before, what came after. Pure."""

from dataclasses import dataclass
from typing import Any

from studio.runs.models import RunEvent
from studio.runs.status import Status

LONGEST = 300
KINDS = {
    "status": "Status",
    "name": "Display name",
    "description": "Description",
    "tags": "Tags",
    "properties": "Properties",
    "parameters": "Parameters",
    "artifact": "File",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed; None before it was there, or after it was removed."""

    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    event: RunEvent
    kind: str
    changes: list[Change]


def entry_of(event: RunEvent) -> Entry:
    kind = KINDS.get(event.kind, event.kind.replace("_", " ").capitalize())
    return Entry(event, kind, changes_of(event))


def changes_of(event: RunEvent) -> list[Change]:
    """One change of a plain value, or one per key that differs."""
    before, after = event.before, event.after
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = _mapping(before), _mapping(after)
        if event.kind != "tags":
            # Only a tag may have no value; elsewhere None says that the key was not there.
            old = {key: value for key, value in old.items() if value is not None}
        keys = [*old, *(key for key in new if key not in old)]
        return [
            Change(key, _words(old, key), _words(new, key))
            for key in keys
            if key not in old or key not in new or old[key] != new[key]
        ]
    if before is None and after is None:
        return []
    return [Change("", _text(before, event.kind), _text(after, event.kind))]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(values: dict[str, Any], key: str) -> str | None:
    if key not in values:
        return None
    return "no value" if values[key] is None else _cut(str(values[key]))


def _text(value: Any, kind: str) -> str | None:
    if value is None or value == "":
        return None
    if kind == "status" and value in Status.values:
        return str(Status(value).label)
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
