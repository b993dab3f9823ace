"""A run's events as people read them: what was there before, what came after. Pure."""

from dataclasses import dataclass
from typing import Any

from studio.execution.ladder import EVENT
from studio.runs.description_versions import KINDS as DESCRIBED
from studio.runs.models import RunEvent
from studio.runs.status import Status
from studio.web.run_ladder import PAST

# What is longer is folded, and cut at the second: a page holds many.
LONGEST, LONGEST_FOLDED = 300, 4_000
KINDS = {
    "status": "Status",
    "kill": "Kill now",
    EVENT: "Step of the cancel",
    "name": "Display name",
    "description": "Description",
    "description_restored": "Description",
    "experiment": "Experiment",
    "archived": "Archived",
    "deleted": "In the trash",
    "tags": "Tags",
    "properties": "Properties",
    "parameters": "Parameters",
    "artifact": "File",
    "files_removed": "Files removed",
    "datasets": "Data sets used",
    "models_used": "Models used",
    "models_made": "Models made",
    "model": "Logged model",
    "model_tags": "Tags of a model",
    "image": "Image for the description",
    "imported": "Imported",
    "resubmitted": "Resubmitted as",
    "resubmitted_from": "Resubmitted from",
}
# Their value is the uid of another run.
LEADING = {"resubmitted", "resubmitted_from"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed; None before it was there, or after it was removed."""

    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """`has_versions`: whether the whole texts are among the versions of the description;
    `leads_to`: the uid of the run that it tells of, or ""."""

    event: RunEvent
    kind: str
    changes: list[Change]
    has_versions: bool
    leads_to: str = ""


def entry_of(event: RunEvent) -> Entry:
    kind = KINDS.get(event.kind, event.kind.replace("_", " ").capitalize())
    leads_to = str(event.after) if event.kind in LEADING else ""
    return Entry(event, kind, changes_of(event), event.kind in DESCRIBED, leads_to)


def changes_of(event: RunEvent) -> list[Change]:
    """One change of a plain value, or one per key that differs."""
    before, after = event.before, event.after
    if event.kind in ("artifact", "image"):
        return _file(before, after)
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
    change = Change("", _text(before, event.kind), _text(after, event.kind))
    return [] if change.before is None and change.after is None else [change]


def _file(before: Any, after: Any) -> list[Change]:
    """A file that was added to a finished run, or replaced."""
    new = _mapping(after)
    path, size = str(new.get("path", "")), new.get("size")
    words = "stored" if size is None else f"{size:,} bytes"
    return [Change(path, None if before is None else "an earlier file", words)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(values: dict[str, Any], key: str) -> str | None:
    if key not in values:
        return None
    return "no value" if values[key] is None else _cut(str(values[key]))


def _text(value: Any, kind: str) -> str | None:
    if value is None or value == "":
        return None
    if kind in ("status", "imported") and value in Status.values:
        return str(Status(value).label)
    if kind == EVENT:
        return PAST.get(str(value), str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _cut(str(value))


def _cut(text: str) -> str:
    if len(text) <= LONGEST_FOLDED:
        return text
    return f"{text[:LONGEST_FOLDED]}… ({len(text):,} characters)"
