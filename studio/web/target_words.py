"""The history of targets in words. Pure."""

from collections.abc import Mapping
from typing import Any

from studio.compute.models import TargetEvent

# Setting -> (what it is called, its unit).
NAMES = {
    "description": ("the description", ""),
    "grace_s": ("the grace period", " s"),
    "lost_after_s": ("the silence limit", " s"),
    "max_runs": ("the most runs at a time", ""),
    "max_attempts": ("the attempts", ""),
}
SENTENCES = {
    "made": "made {subject}",
    "enabled": "enabled {subject}",
    "disabled": "disabled {subject}",
    "deleted": "deleted {subject}",
    "drained": "let the worker {node} of {subject} drain",
    "undrained": "let the worker {node} of {subject} take runs again",
}


def sentence(event: TargetEvent) -> str:
    """What `event.actor` did, to be read after their name."""
    if event.kind == "set":
        return f"changed {event.subject}: {changes(event.before or {}, event.after or {})}"
    words = SENTENCES.get(event.kind, "changed {subject}")
    return words.format(subject=event.subject, node=(event.after or {}).get("node", ""))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Each setting that changed, from what to what; of a text only that it did."""
    said = []
    for key in after:
        name, unit = NAMES.get(key, (key, ""))
        if key == "description":
            said.append(name)
        else:
            said.append(
                f"{name} from {_value(before.get(key), unit)} to {_value(after[key], unit)}"
            )
    return ", ".join(said)


def _value(value: Any, unit: str) -> str:
    return "default" if value is None else f"{value:g}{unit}"
