"""MLflow's filters as conditions: the grammar alone, without a database.

A filter is clauses joined by AND: an identifier, a comparator, a value. Runs, experiments and
logged models share it and differ in what may be named: a `Grammar` says that. Nothing is unescaped:
a value is what stands between its quotes, as clients know it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NoReturn

from studio.mlflow_api.errors import MlflowError, wrong

Kind = Literal["attribute", "metric", "parameter", "tag", "dataset"]
Value = str | float | tuple[str, ...] | None

MOST_CHARS = 200_000
MOST_CLAUSES = 100
MOST_LISTED = 5_000
# SQLite refuses longer patterns, of which a sign may take four bytes.
MOST_PATTERN_CHARS = 10_000
PREFIXES: dict[str, Kind] = {
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("parameter", "parameters", "param", "params"), "parameter"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
EQUALS, LIKES = ("=", "!="), ("LIKE", "ILIKE")
LISTS, NULLS = ("IN", "NOT IN"), ("IS NULL", "IS NOT NULL")
NUMERIC = (*EQUALS, "<", "<=", ">", ">=")
TEXT = (*EQUALS, *LIKES)

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d]\w*")
_KEY = re.compile(r"\w+(?:\.\w+)*")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w)", re.ASCII)
_SIGNS = re.compile(r"[<>=!~]+")
_WORDS = re.compile(r"(IS\s+NOT\s+NULL|IS\s+NULL|NOT\s+I?LIKE|NOT\s+IN|I?LIKE|IN)\b", re.I)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_ORDERED = re.compile(r"(ASC|DESC)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What can be asked of one kind of thing.

    prefixes: word before the dot -> kind; an identifier without one is an attribute. texts and
    numbers: attribute -> its own name (aliases lead to it). listed: attributes that take IN.
    comparators: of each other kind. sorted_by: attributes that order.
    """

    prefixes: dict[str, Kind]
    texts: dict[str, str]
    numbers: dict[str, str]
    listed: frozenset[str]
    comparators: dict[Kind, tuple[str, ...]]
    sorted_by: frozenset[str]
    whole_numbers: bool = False
    # Attributes of which neither a part nor an order means anything.
    nominal: frozenset[str] = frozenset()


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_CREATED = {"created": "start_time", "Created": "start_time"}
RUNS = Grammar(
    prefixes=PREFIXES,
    texts={
        **_same("run_id", "run_name", "user_id", "status", "artifact_uri"),
        **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    },
    numbers={**_same("start_time", "end_time"), **_CREATED},
    listed=frozenset({"run_id"}),
    comparators={
        "metric": NUMERIC,
        "parameter": (*TEXT, *NULLS),
        "tag": (*TEXT, *NULLS),
        "dataset": (*TEXT, *LISTS),
    },
    sorted_by=frozenset(
        {"run_id", "run_name", "user_id", "status", "artifact_uri", "end_time", "start_time"}
        | _CREATED.keys()
    ),
)
EXPERIMENTS = Grammar(
    prefixes={"attribute": "attribute", "tag": "tag", "tags": "tag"},
    texts=_same("name", "experiment_id"),
    numbers=_same("creation_time", "last_update_time"),
    listed=frozenset({"experiment_id"}),
    comparators={"tag": (*TEXT, *NULLS)},
    sorted_by=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
    whole_numbers=True,
    nominal=frozenset({"experiment_id"}),
)
_MODEL_TEXTS = _same("name", "model_id", "model_type", "status", "source_run_id")
_MODEL_TIMES = {
    **dict.fromkeys(("creation_timestamp", "creation_time"), "creation_timestamp"),
    **dict.fromkeys(("last_updated_timestamp", "last_updated_time"), "last_updated_timestamp"),
}
LOGGED_MODELS = Grammar(
    prefixes={word: kind for word, kind in PREFIXES.items() if kind != "dataset"},
    texts=_MODEL_TEXTS,
    numbers=_MODEL_TIMES,
    listed=frozenset(_MODEL_TEXTS),
    comparators={"metric": NUMERIC, "parameter": TEXT, "tag": TEXT},
    sorted_by=frozenset(_MODEL_TEXTS | _MODEL_TIMES),
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One clause. comparator: in capitals; value: a number for metrics and times, a tuple for IN
    and NOT IN, None for IS NULL and IS NOT NULL, else text."""

    kind: Kind
    key: str
    comparator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Sorting:
    """One key of an order."""

    kind: Kind
    key: str
    descending: bool


def parse_filter(text: str, grammar: Grammar) -> list[Condition]:
    """The conditions, all of which must hold; none for an empty filter. Raises MlflowError."""
    if not text.strip():
        return []
    if len(text) > MOST_CHARS:
        raise wrong(f"A filter holds at most {MOST_CHARS:,} characters.")
    reader = _Reader(text, grammar, "filter")
    found = [reader.clause()]
    while not reader.is_at_end():
        if reader.take(_AND) is None:
            reader.refuse("expected AND, which alone joins clauses")
        found.append(reader.clause())
        if len(found) > MOST_CLAUSES:
            raise wrong(f"A filter holds at most {MOST_CLAUSES} clauses.")
    return found


def parse_sorting(text: str, grammar: Grammar) -> Sorting:
    """One entry of `order_by`: an identifier, and ASC or DESC perhaps. Raises MlflowError."""
    reader = _Reader(text[:MOST_PATTERN_CHARS], grammar, "order_by")
    kind, key = reader.identifier()
    if kind == "attribute" and key not in grammar.sorted_by:
        reader.refuse(f"there is no order by {key!r}; there is {_listed(grammar.sorted_by)}", at=0)
    if kind == "dataset":
        reader.refuse("there is no order by data sets", at=0)
    direction = reader.take(_ORDERED)
    if not reader.is_at_end():
        reader.refuse("expected ASC, DESC or the end")
    own = grammar.numbers.get(key) or grammar.texts.get(key) or key
    return Sorting(kind, own if kind == "attribute" else key, (direction or "").upper() == "DESC")


class _Reader:
    """A text, and how far it has been read."""

    def __init__(self, text: str, grammar: Grammar, what: str) -> None:
        self.text, self.grammar, self.what = text, grammar, what
        self.at = 0

    def refuse(self, why: str, *, at: int | None = None) -> NoReturn:
        raise self.problem(why, at=at)

    def problem(self, why: str, *, at: int | None = None) -> MlflowError:
        at = self.at if at is None else at
        near = self.text[at : at + 40] or "its end"
        return wrong(f"Invalid {self.what} at character {at + 1}, near {near!r}: {why}.")

    def skip(self) -> None:
        if found := _SPACE.match(self.text, self.at):
            self.at = found.end()

    def is_at_end(self) -> bool:
        self.skip()
        return self.at == len(self.text)

    def take(self, pattern: re.Pattern[str]) -> str | None:
        self.skip()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def quoted(self, quotes: str) -> str | None:
        """What stands between two of one of the `quotes`, untouched; None when none begins here. A
        doubled quote and one behind a backslash do not end it, if a later one does."""
        sign = self.text[self.at : self.at + 1]
        if not sign or sign not in quotes:
            return None
        end, last = self.at + 1, self.text.rfind(sign)
        inside = (sign * 2,) if sign == "`" else (sign * 2, f"\\{sign}")
        while end <= last:
            if end + 1 < last and self.text[end : end + 2] in inside:
                end += 2
            elif self.text[end] == sign:
                found, self.at = self.text[self.at + 1 : end], end + 1
                return found
            else:
                end += 1
        self.refuse(f"the quote {sign} is not closed")

    def clause(self) -> Condition:
        self.skip()
        start = self.at
        kind, key = self.identifier()
        is_attribute = kind == "attribute"
        if is_attribute and key not in self.grammar.texts and key not in self.grammar.numbers:
            known = [*self.grammar.texts, *self.grammar.numbers]
            self.refuse(f"there is no attribute {key[:80]!r}; there is {_listed(known)}", at=start)
        if kind == "dataset" and key not in ("name", "digest", "context"):
            self.refuse("of a data set there is name, digest and context", at=start)
        comparator = self._comparator(kind, key)
        value = self._value(kind, key, comparator)
        own = self.grammar.numbers.get(key) or self.grammar.texts.get(key) or key
        return Condition(kind, own if is_attribute else key, comparator, value)

    def identifier(self) -> tuple[Kind, str]:
        """(kind, key); a key may stand in backticks or quotes."""
        self.skip()
        start = self.at
        word = self.quoted('`"') if self.text[start : start + 1] in ("`", '"') else None
        if word is None and (word := self.take(_WORD)) is None:
            self.refuse("expected a name such as metrics.loss, params.`a b`, tags.t or status")
        if self.text[self.at : self.at + 1] != ".":
            return "attribute", word
        kind = self.grammar.prefixes.get(word)
        if kind is None:
            known = _listed(self.grammar.prefixes)
            self.refuse(f"{word[:80]!r} is no kind of key; there is {known}", at=start)
        self.at += 1
        key = self.quoted("`\"'")
        if key is None:
            found = _KEY.match(self.text, self.at)
            if found is None:
                self.refuse("expected a key behind the dot")
            key, self.at = found[0], found.end()
        return kind, key

    def _comparator(self, kind: Kind, key: str) -> str:
        self.skip()
        start = self.at
        found = self.take(_SIGNS) or self.take(_WORDS)
        if found is None:
            reason = "expected a comparator such as =, !=, <, LIKE, IN or IS NULL"
            self.refuse(f"{reason}; a key with other signs than . and _ stands in backticks")
        comparator = " ".join(found.upper().split())
        allowed = self._allowed(kind, key)
        if comparator not in allowed:
            what = f"{kind} {key}" if kind in ("attribute", "dataset") else f"a {kind}"
            reason = f"{comparator!r} does not go with {what[:80]}; {', '.join(allowed)} do"
            self.refuse(reason, at=start)
        return comparator

    def _allowed(self, kind: Kind, key: str) -> tuple[str, ...]:
        if kind != "attribute":
            return self.grammar.comparators[kind]
        if key in self.grammar.numbers:
            return NUMERIC
        basic = EQUALS if key in self.grammar.nominal else TEXT
        return (*basic, *LISTS) if key in self.grammar.listed else basic

    def _value(self, kind: Kind, key: str, comparator: str) -> Value:
        if comparator in NULLS:
            return None
        self.skip()
        start = self.at
        if comparator in LISTS:
            return self._list()
        if kind == "metric" or (kind == "attribute" and key in self.grammar.numbers):
            return self._number(is_metric=kind == "metric")
        text = self.quoted("'\"")
        if text is None:
            self.refuse("expected a value in single or double quotes")
        if comparator in LIKES and len(text) > MOST_PATTERN_CHARS:
            reason = f"a pattern holds at most {MOST_PATTERN_CHARS:,} characters"
            self.refuse(reason, at=start)
        return text

    def _number(self, *, is_metric: bool) -> float:
        start, text = self.at, self.take(_NUMBER)
        if text is None:
            self.refuse("expected a number, without quotes")
        if not is_metric and len(text) < 20 and text.lstrip("+-").isdigit():
            return int(text)
        if not is_metric and self.grammar.whole_numbers:
            self.refuse("expected a whole number of milliseconds", at=start)
        return float(text)

    def _list(self) -> tuple[str, ...]:
        if self.text[self.at : self.at + 1] != "(":
            self.refuse("expected a list such as ('a', 'b')")
        self.at += 1
        found: list[str] = []
        while True:
            self.skip()
            text = self.quoted("'\"")
            if text is None and not found:
                self.refuse("expected a list of one or more values in quotes")
            found += [] if text is None else [text]
            self.skip()
            sign = self.text[self.at : self.at + 1]
            if sign != ")" and (sign != "," or text is None):
                self.refuse("expected , or ) in a list of values in quotes")
            self.at += 1
            if sign == ")":
                return tuple(found)
            if len(found) >= MOST_LISTED:
                self.refuse(f"a list holds at most {MOST_LISTED:,} values")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
