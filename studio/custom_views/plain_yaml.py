"""YAML of mappings, lists and texts, read from anybody and written for people and for diffs. Pure.

Every value is the text that stands there: `yes`, `1e3` and `2026-01-01` are no flag, number or
date. What could make a small document large, or says one thing twice, is refused.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from studio.runs.limits import Invalid
from studio.search.tree import UNSTORABLE

MAX_BYTES = 1_000_000
MAX_DEPTH = 8
Tree = str | list["Tree"] | dict[str, "Tree"]
_NOTHING = {"", "~", "null", "Null", "NULL"}
# A block keeps no other break than the newline.
_OTHER_BREAKS = frozenset("\r\x85\u2028\u2029")
# The parser in C is fifty times faster; both give the same events.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(document: str | bytes) -> Tree:
    """The one document in a text; a value that is left out, or null, is "".

    Raises Invalid (field "document"), with the line: what is no YAML in UTF-8, more than MAX_BYTES,
    deeper than MAX_DEPTH; aliases, tags, a key that comes twice or is no text, further documents.
    """
    events = _events(_decoded(document))
    for expected in (yaml.StreamStartEvent, yaml.DocumentStartEvent):
        if not isinstance(next(events), expected):
            raise _wrong("The document is empty.")
    found = _value(events, next(events), 0)
    next(events)
    if not isinstance(extra := next(events), yaml.StreamEndEvent):
        raise _wrong("There is a second document; one is read.", extra)
    return found


def write(tree: Tree) -> str:
    """The document of a tree, which `read` gives back: keys in their order, a text on one line or
    as it is broken, nothing folded."""
    return yaml.dump(tree, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=float("inf"))


class _Writer(yaml.SafeDumper):
    """Texts of several lines as blocks, so that a changed line is one changed line."""


def _write_text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _OTHER_BREAKS & set(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _write_text)


def _decoded(document: str | bytes) -> str:
    try:
        raw = document.encode() if isinstance(document, str) else document
        if len(raw) > MAX_BYTES:
            raise _wrong(f"The document has {len(raw):,} bytes; at most {MAX_BYTES:,} are read.")
        return raw.decode("utf-8-sig")
    except UnicodeError as error:
        raise _wrong("The document is not text in UTF-8.") from error


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"Line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "a character can't be read"
        raise _wrong(f"{line}this is not YAML: {problem}."[:300]) from error


def _value(events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise _wrong(f"Lists and mappings stand more than {MAX_DEPTH} deep in each other.", event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _wrong("Anchors (&) and aliases (*) are not read. Write the value out.", event)
    tag = getattr(event, "tag", None)
    if tag and tag != "!":
        raise _wrong(f"Tags such as {tag[:80]} are not read. Every value is a text.", event)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(events, one, depth + 1) for one in _until(events, yaml.SequenceEndEvent)]
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events, depth)
    if not isinstance(event, yaml.ScalarEvent):
        raise _wrong("The document is empty.", event)
    if UNSTORABLE.search(event.value):
        raise _wrong("A text holds a character that can't be stored (NUL or surrogate).", event)
    is_plain = event.implicit[0]
    return "" if is_plain and event.value in _NOTHING else event.value


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for event in _until(events, yaml.MappingEndEvent):
        key = _value(events, event, depth + 1)
        if not isinstance(key, str):
            raise _wrong("A key is a text, no list or mapping.", event)
        if key in found:
            raise _wrong(f"“{key[:80]}” comes twice in one mapping.", event)
        found[key] = _value(events, next(events), depth + 1)
    return found


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    return iter(lambda: None if isinstance(found := next(events), end) else found, None)


def _wrong(message: str, event: yaml.Event | None = None) -> Invalid:
    mark = event.start_mark if event else None
    return Invalid("document", f"Line {mark.line + 1}: {message}" if mark else message)
