"""References in a description (`run:<uid>`, 32 hex digits, …): where and to what. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

# Before and after: nothing that would make it part of a longer word, path or address.
REFERENCE = (
    r"(?<![\w/#=&?.:@-])(?:"
    r"(?P<kind>run|experiment|view|log|metric):(?P<key>[A-Za-z0-9_-]{1,256}"
    r"(?:/[\w./%-]{1,255})?(?:#L\d{1,12}(?:-L\d{1,12})?)?)"
    r"|(?P<hex>[0-9a-f]{32})(?![\w-]))"
)
_PATTERN = re.compile(REFERENCE)


class Reference(NamedTuple):
    """`written` as it stands in the text, and what it asks for."""

    written: str
    kind: str
    key: str


def parse_reference(match: re.Match[str]) -> Reference:
    """The reference of a match of `REFERENCE`; a full stop behind it ends the sentence."""
    if match["hex"]:
        return Reference(match["hex"], "run", match["hex"])
    key = match["key"].rstrip("./%")
    return Reference(f"{match['kind']}:{key}", match["kind"], key)


def find_references(text: str, *, limit: int) -> list[Reference]:
    """The first `limit` different references of `text`, in order, those inside code too."""
    found: dict[str, Reference] = {}
    for match in _PATTERN.finditer(text):
        reference = parse_reference(match)
        found.setdefault(reference.written, reference)
        if len(found) >= limit:
            break
    return list(found.values())
