"""What a list of runs can show and sort by: one `Column` each, and its text. Pure.

The text is that of a key in a query (`status`, `tag.quality`, `metric.loss:min`), and for a list
also `tags`, `star`, and `metric.accuracy:at-min(loss)`: the accuracy at the step where the loss was
lowest. Several stand in one text, separated by commas; a name that holds a comma is quoted.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from studio.search.errors import SearchSyntaxError
from studio.search.fields import FIELDS
from studio.search.printer import print_key, quote
from studio.search.scanner import WORD
from studio.search.syntax import parse_key
from studio.search.tree import NAMED_KEYS, Key

Type = Literal[
    "text", "choice", "number", "time", "duration", "flag", "tags", "children", "description"
]
MAX_COLUMNS = 60
EXAMPLES = {
    "columns": "name,status,tag.quality,param.lr,metric.loss:min,metric.accuracy:at-min(loss)",
    "order": "-metric.loss:min,submitted",
    "group": "experiment,tag.quality",
}

# Attributes of a run: what they are called where FIELDS has no word for them, and their type.
_LABELS: dict[str, tuple[str, Type]] = {
    "description": ("Description", "description"),
    "tags": ("Tags", "tags"),
    "star": ("Star", "flag"),
    "children": ("Child runs", "children"),
}
ATTRIBUTES = (
    *("name", "experiment", "status", "tags", "submitted", "started", "ended", "duration"),
    *("submitter", "target", "type", "number", "uid", "description", "star", "children"),
)
# A list's own words, which a query does not know or means otherwise.
_OWN = frozenset({"tags", "star"})
_NOT_SHOWN = frozenset({"is", "log", "parent"})
STATS = ("", "min", "max", "at-min", "at-max")

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME = rf"(?:{_QUOTED}|{WORD.pattern})"
_AT = re.compile(
    rf"\s*(?P<key>{WORD.pattern}(?:{_QUOTED})?)"
    rf"\s*:\s*(?P<stat>at-(?:min|max))\s*\(\s*(?P<of>{_NAME})\s*\)\s*",
    re.IGNORECASE | re.DOTALL,
)
_LIKE_AT = re.compile(r"\(|:\s*at\b", re.IGNORECASE)
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,])*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Column:
    """One thing a list shows: `family` is an attribute or tag, property, param, metric.

    name: of the tag, property, parameter or metric; stat, for metrics only: "" the last value,
    "min", "max", or "at-min"/"at-max": the value at the step where the metric `of` was lowest or
    highest.
    """

    family: str
    name: str = ""
    stat: str = ""
    of: str = ""

    def __post_init__(self) -> None:
        if (self.family in NAMED_KEYS) != bool(self.name):
            raise ValueError(f"{self.family} {'needs a' if not self.name else 'takes no'} name")
        if self.family not in NAMED_KEYS and self.family not in ATTRIBUTES:
            raise ValueError(f"unknown column {self.family!r}")
        if self.stat not in STATS or (self.stat and self.family != "metric"):
            raise ValueError(f"{self.family} has no {self.stat!r}")
        if self.stat.startswith("at-") != bool(self.of):
            raise ValueError("only at-min and at-max name another metric")

    def __str__(self) -> str:
        return print_column(self)

    @property
    def label(self) -> str:
        """What the head of the column says: `Status`, `quality`, `accuracy at min loss`."""
        if self.of:
            return f"{self.name} at {self.stat.removeprefix('at-')} {self.of}"
        if self.name:
            return f"{self.stat} {self.name}" if self.stat else self.name
        return _LABELS[self.family][0] if self.family in _LABELS else FIELDS[self.family].label

    @property
    def type(self) -> Type:
        if self.family in _LABELS:
            return _LABELS[self.family][1]
        return FIELDS[self.family].type

    @property
    def can_sort(self) -> bool:
        """Values at another metric's best step are read out of the points, page by page."""
        return not self.of


# What a list shows when nobody asked for columns.
DEFAULT_COLUMNS = tuple(
    map(
        Column,
        ("name", "experiment", "status", "tags", "submitted", "duration", "submitter", "star"),
    )
)


def parse_column(text: str) -> Column:
    """Return the column that a text names; raises SearchSyntaxError with its place in the text."""
    word = text.strip().lower()
    if word in _OWN:
        return Column(word)
    if at := _AT.fullmatch(text):
        return _at_column(text, at)
    found = _LIKE_AT.search(re.sub(_QUOTED, _blank, text))
    if found and word.startswith("metric"):
        message = "The value at another metric's best step is written :at-min(NAME), or :at-max."
        raise _wrong(text, found.start(), len(text), message)
    key = parse_key(text)
    if key.family in _NOT_SHOWN:
        message = f"{key.family} is for queries; a list has no such column."
        raise _wrong(text, 0, len(text), message)
    return Column(key.family, _stored(key), key.stat)


def _at_column(text: str, at: re.Match[str]) -> Column:
    key = parse_key(at["key"])
    if key.family != "metric":
        message = f"Only a metric has a value at a step; {key.family} has none."
        raise _wrong(text, at.start("key"), at.end("key"), message)
    of = parse_key(f"metric.{at['of']}")
    return Column("metric", _stored(key), at["stat"].lower(), _stored(of))


def _stored(key: Key) -> str:
    """A key's name in the form in which it is stored."""
    name = unicodedata.normalize("NFC", key.name)
    return name if key.family == "metric" else name.strip() or name


def _wrong(text: str, start: int, end: int, message: str) -> SearchSyntaxError:
    return SearchSyntaxError(start, end - start, message, "metric.accuracy:at-min(loss)")


def _blank(quoted: re.Match[str]) -> str:
    return " " * len(quoted[0])


def print_column(column: Column) -> str:
    """Return the text of a column, which parses to the same column, also inside a list."""
    if column.family not in NAMED_KEYS:
        return column.family
    stat = column.stat if not column.of else ""
    text = print_key(Key(column.family, column.name, stat))
    if "," in column.name:
        # Bare in a query, but here a comma ends a column.
        text = f"{column.family}.{quote(column.name)}" + (f":{stat}" if stat else "")
    if column.of:
        of = print_key(Key("metric", column.of)).removeprefix("metric.")
        text += f":{column.stat}({quote(column.of) if ',' in column.of else of})"
    return text


def items_of(text: str) -> Iterator[tuple[int, str]]:
    """(where it begins, item) of a list separated by commas; quotes hold commas together."""
    position = 0
    while position <= len(text):
        found = _ITEM.match(text, position)
        end = found.end() if found else len(text)
        item = text[position:end]
        yield position + len(item) - len(item.lstrip()), item.strip()
        position = end + 1


def parse_columns(text: str) -> tuple[Column, ...]:
    """Return the columns of a list's text in its order, each once; none for an empty one.

    Raises SearchSyntaxError, its position counted in the whole text.
    """
    found: dict[Column, None] = {}
    if not text.strip():
        return ()
    for position, item in items_of(text):
        found[parse_item("columns", position, item)] = None
        if len(found) > MAX_COLUMNS:
            message = f"A list shows at most {MAX_COLUMNS} columns."
            raise in_field("columns", position, len(item), message)
    return tuple(found)


def print_columns(columns: Iterable[Column]) -> str:
    return ",".join(map(print_column, columns))


def parse_item(field: str, position: int, item: str) -> Column:
    """One column of the text in the parameter `field`; its errors are placed in the whole text."""
    if not item:
        raise in_field(field, position, 0, "Between two commas a column should stand.")
    try:
        return parse_column(item)
    except SearchSyntaxError as error:
        raise in_field(field, error.position + position, error.length, error.message) from None


def in_field(field: str, position: int, length: int, message: str) -> SearchSyntaxError:
    """A mistake in a list of columns; the example is such a list."""
    error = SearchSyntaxError(position, length, message, EXAMPLES[field])
    error.field = field
    return error
