"""From the text of a query to its tree. docs/search.md is the grammar as people read it.

A recursive descent over the text itself, without a token list: what a character means depends on
whether a key, a value or free text is being read. Depth is limited, so recursion is too.
"""

from dataclasses import replace
from functools import lru_cache

from studio.search import wrong
from studio.search.errors import SearchSyntaxError
from studio.search.printer import FALSE_QUOTES, STAT, is_named_key
from studio.search.scanner import NEXT_KEY, VALUE, WORD, Scanner, check_text
from studio.search.tree import (
    ALIASES,
    FLAGS,
    LIST_OPS,
    NAMED_KEYS,
    PLAIN_KEYS,
    Key,
    Node,
    Op,
    Span,
    Term,
    Word,
    all_of,
    any_of,
    negate,
)

MAX_TERMS = 200
MAX_DEPTH = 50


# Links of a page, dozens of them, are each the same query with something more.
@lru_cache(maxsize=512)
def parse(text: str) -> Node | None:
    """Return the tree of a query, None for an empty one.

    Every node's span lies inside the text. Raises SearchSyntaxError, and nothing else.
    """
    if problem := check_text(text):
        raise problem
    return _Parser(text).query()


def parse_key(text: str) -> Key:
    """Return the key written as in a query: `status`, `tag."worth it"`, `metric.loss:min`.

    Raises SearchSyntaxError.
    """
    if problem := check_text(text):
        raise problem
    return _Parser(text).whole_key()


class _Parser(Scanner):
    """Recursive descent; every method reads from `pos` and leaves it after what it read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.n_terms = 0

    # Structure: OR of ANDs of NOTs.

    def query(self) -> Node | None:
        self.skip_space()
        if self.at_end():
            return None
        node = self._any()
        if not self.at_end():
            raise wrong.stray_close(self.pos)
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self.take_keyword("OR"):
            parts.append(self._all())
        return any_of(parts)

    def _all(self) -> Node:
        parts: list[Node] = []
        joined_at: int | None = None
        while True:
            self.skip_space()
            here = self.pos
            if self.take_keyword("AND"):
                if not parts or joined_at is not None:
                    raise wrong.lonely_keyword("AND", here)
                joined_at = here
                continue
            if self.at_end() or self.peek() == ")" or self.next_keyword() == "OR":
                break
            parts.append(self._unary())
            joined_at = None
        if joined_at is not None:
            raise wrong.lonely_keyword("AND", joined_at)
        if not parts:
            raise self._nothing_here()
        return all_of(parts)

    def _unary(self) -> Node:
        start = self.pos
        if self.take_keyword("NOT"):
            self.skip_space()
            if self.at_end() or self.peek() == ")" or self.next_keyword() in ("AND", "OR"):
                raise wrong.lonely_keyword("NOT", start)
        elif self.peek() == "-":
            self.pos += 1
            if self.at_end() or self.peek().isspace() or self.peek() == ")":
                raise wrong.lonely_minus(start)
            if (keyword := self.next_keyword()) in ("AND", "OR"):
                raise wrong.lonely_keyword(keyword, self.pos)
        else:
            return self._group() if self.peek() == "(" else self._leaf()
        self._enter(start)
        child = self._unary()
        self.depth -= 1
        return replace(negate(child), span=Span(start, self.pos))

    def _group(self) -> Node:
        start = self.pos
        self._enter(start)
        self.pos += 1
        self.skip_space()
        if self.at_end():
            raise wrong.unclosed_group(start)
        node = self._any()
        if self.at_end():
            raise wrong.unclosed_group(start)
        self.pos += 1
        self.depth -= 1
        return replace(node, span=Span(start, self.pos))

    def _enter(self, start: int) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise wrong.too_deep(start, MAX_DEPTH)

    def _nothing_here(self) -> SearchSyntaxError:
        """Tell why no condition stands at pos: OR without a side, or empty parentheses."""
        before = self.text[: self.pos].rstrip()
        if self.next_keyword() == "OR":
            return wrong.lonely_keyword("OR", self.pos)
        if not before:
            return wrong.stray_close(self.pos)
        if before.endswith("("):
            return wrong.empty_group(len(before) - 1, self.pos + 1)
        return wrong.lonely_keyword("OR", len(before) - 2)

    # Leaves: a word, a quoted phrase, or a term.

    def _leaf(self) -> Node:
        start = self.pos
        if self.peek() == '"':
            return self._phrase()
        head = self.take(WORD)
        if not head or head in ("&", "&&"):
            raise wrong.no_word(self.text, start, max(len(head), 1))
        if head.startswith(tuple(FALSE_QUOTES)):
            raise wrong.false_quote(start)
        if not (self.peek() == '"' and is_named_key(head)) and not self.at_operator():
            return self._word(head, start)
        if head.lower() == "has":
            return self._has(start)
        key = self._finish_key(head, start)
        return self._term(key, start)

    def _phrase(self) -> Word:
        start = self.pos
        text = self.take_quoted()
        if not text:
            raise wrong.empty_phrase(start)
        if self.at_operator():
            raise wrong.quoted_key(start, self.pos - start, text)
        self.require_end_of_word()
        self._count(1, start)
        return Word(text, span=Span(start, self.pos))

    def _word(self, head: str, start: int) -> Word:
        if is_named_key(head):
            raise wrong.key_alone(head, start)
        self.require_end_of_word()
        self._count(1, start)
        return Word(head, span=Span(start, self.pos))

    def _has(self, start: int) -> Term:
        if self.take_operator() is not Op.EQ:
            raise wrong.has_form(start, self.pos - start)
        self.skip_space()
        key_at = self.pos
        head = self.take(WORD)
        if not head:
            raise wrong.has_form(start, self.pos - start)
        key = self._finish_key(head, key_at, name_needed=False)
        if key.family in ("is", "log"):
            raise wrong.has_form(key_at, self.pos - key_at)
        if self.at_operator():
            raise wrong.has_with_value(start, self.pos - start, key)
        self.require_end_of_word()
        self._count(1, start)
        span = Span(start, self.pos)
        return Term(key, Op.HAS, span=span, value_span=Span(key_at, self.pos))

    def _term(self, key: Key, start: int) -> Term:
        key = self._take_stat(key, start)
        if not self.at_operator():
            raise wrong.key_alone(self.text[start : self.pos], start)
        op = self.take_operator()
        op_at = self.pos
        self.skip_space()
        self._require_value(start, op_at)
        value_at = self.pos
        op, values = self._values(op, start)
        self.require_end_of_word()
        span = Span(start, self.pos)
        if key.family == "is":
            values = tuple(value.lower() for value in values)
            if op is not Op.EQ or not set(values) <= set(FLAGS):
                raise wrong.no_such_flag(span)
        if key.family == "log" and op is not Op.CONTAINS:
            raise wrong.log_form(span)
        self._count(len(values), start)
        return Term(key, op, values, span=span, value_span=Span(value_at, self.pos))

    # Keys.

    def whole_key(self) -> Key:
        self.skip_space()
        start = self.pos
        key = self._take_stat(self._finish_key(self.take(WORD), start), start)
        self.skip_space()
        if not self.at_end():
            raise wrong.text_after_key(self.pos, len(self.text) - self.pos)
        return key

    def _finish_key(self, head: str, start: int, *, name_needed: bool = True) -> Key:
        """Return the key that begins with `head`, reading the quoted name that may follow."""
        written, dot, name = head.partition(".")
        family = ALIASES.get(written.lower(), written.lower())
        if family in NAMED_KEYS:
            if self.peek() == '"':
                if name or not dot:
                    raise wrong.half_quoted_name(start, self.pos - start, family)
                name = self.take_quoted()
                if not self.at_end() and WORD.match(self.text, self.pos):
                    raise wrong.half_quoted_name(start, self.pos - start, family)
            if not name and (dot or name_needed):
                raise wrong.key_without_name(start, self.pos - start, family)
            return Key(family, name)
        if family in PLAIN_KEYS and not dot:
            return Key(family)
        raise wrong.unknown_key(self.text, start, head)

    def _take_stat(self, key: Key, start: int) -> Key:
        """Read the `:min` of `metric.loss:min`, which no value can be mistaken for."""
        if key.family != "metric" or self.peek() != ":":
            return key
        found = STAT.match(self.text, self.pos + 1)
        if not found:
            return key
        self.pos = found.end()
        stat = found[1].lower()
        return Key(key.family, key.name, "" if stat == "last" else stat)

    # Values.

    def _require_value(self, start: int, op_at: int) -> None:
        """Refuse a term whose operator is followed by nothing that can be its value."""
        if self.peek() == "(":
            raise wrong.grouped_value(self.pos)
        missing = self.at_end() or self.peek() == ")"
        if self.pos > op_at and not missing:
            # After "status: " the next word may be a new term, forgotten value or not.
            following = NEXT_KEY.match(self.text, self.pos)
            family = following[1].lower() if following else ""
            is_key = ALIASES.get(family, family) in (*PLAIN_KEYS, *NAMED_KEYS, "has")
            missing = is_key or self.next_keyword() is not None
        if missing:
            raise wrong.missing_value(start, op_at, self.text[start:op_at])

    def _values(self, op: Op, start: int) -> tuple[Op, tuple[str, ...]]:
        first = self._value(op)
        if self.at_dots():
            return self._range(op, first, start)
        if first is None:
            raise wrong.no_value(self.text, self.pos)
        values = [first]
        while self.take_bar():
            value = self._value(op)
            if value is None:
                raise wrong.lonely_bar(self.pos)
            values.append(value)
        if len(values) > 1 and op not in LIST_OPS:
            raise wrong.list_needs_equals(op, Span(start, self.pos))
        if self.at_dots():
            raise wrong.bad_range(Span(start, self.pos + 2))
        return op, tuple(values)

    def _range(self, op: Op, low: str | None, start: int) -> tuple[Op, tuple[str, ...]]:
        self.pos += 2
        high = self._value(op)
        span = Span(start, self.pos)
        if op is not Op.EQ:
            raise wrong.range_needs_colon(op, span)
        if (not low and not high) or "" in (low, high) or self.take_bar():
            raise wrong.bad_range(span)
        if self.at_dots():
            raise wrong.bad_range(Span(start, self.pos + 2))
        return Op.RANGE, (low or "", high or "")

    def _value(self, op: Op) -> str | None:
        start = self.pos
        if self.peek() == '"':
            value = self.take_quoted()
            if not value and op not in (Op.EQ, Op.NE):
                raise wrong.empty_value(start, op)
            return value
        bare = self.take(VALUE)
        if bare.startswith(tuple(FALSE_QUOTES)):
            raise wrong.false_quote(start)
        if self.peek() == '"' and bare:
            raise wrong.quote_inside(self.pos)
        return bare or None

    def _count(self, n_values: int, start: int) -> None:
        self.n_terms += n_values
        if self.n_terms > MAX_TERMS:
            raise wrong.too_many(start, self.pos - start, MAX_TERMS)
