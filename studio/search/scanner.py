"""Reading a query's text left to right: the patterns and the moves of the parser."""

import re

from studio.search import wrong
from studio.search.errors import SearchSyntaxError
from studio.search.tree import UNSTORABLE, Op

MAX_CHARACTERS = 4_000

# A word ends before an operator; "!" and "^" are operators only in "!=" and "^=".
WORD = re.compile(r'(?:[^\s()"|:=<>~!^]|[!^](?!=))+')
# A bare value ends before the two dots of a range.
VALUE = re.compile(r'(?:(?!\.\.)[^\s()"|<>])+')
NEXT_KEY = re.compile(r"-?(\w+)(?:\.[^\s:=<>~]+)?(?:[:=<>~]|!=)")

_SPACE = re.compile(r"\s*")
_BAR = re.compile(r"\s*\|\s*")
_KEYWORD = re.compile(r'(AND|OR|NOT)(?=[\s()"]|$)', re.IGNORECASE)
_OPERATOR = re.compile(r"\s*(:<=|:>=|:<|:>|==|!=|<=|>=|\^=|[:=<>~])")
_SECOND_OPERATOR = re.compile(r"[=:~<>]|\^=|!=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_EQUALS = frozenset({":", "=", "=="})


def check_text(text: str) -> SearchSyntaxError | None:
    """Return what makes a text unreadable before its first word is read."""
    if len(text) > MAX_CHARACTERS:
        return wrong.too_long(len(text), MAX_CHARACTERS)
    found = UNSTORABLE.search(text)
    return wrong.unstorable(found.start()) if found else None


class Scanner:
    """One pass over one text; `pos` only moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def at_end(self) -> bool:
        return self.pos >= len(self.text)

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def at_dots(self) -> bool:
        return self.text.startswith("..", self.pos)

    def skip_space(self) -> None:
        self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> str:
        """Return what matches here and move past it, "" when nothing does."""
        found = pattern.match(self.text, self.pos)
        if not found:
            return ""
        self.pos = found.end()
        return found[0]

    def take_bar(self) -> bool:
        return bool(self.take(_BAR))

    def next_keyword(self) -> str | None:
        found = _KEYWORD.match(self.text, self.pos)
        return found[1].upper() if found else None

    def take_keyword(self, keyword: str) -> bool:
        if self.next_keyword() != keyword:
            return False
        self.pos += len(keyword)
        return True

    def at_operator(self) -> bool:
        return _OPERATOR.match(self.text, self.pos) is not None

    def take_operator(self) -> Op:
        """Return the operator that at_operator() found, spaces before it skipped."""
        self.skip_space()
        start = self.pos
        sign = self.take(_OPERATOR)
        if second := _SECOND_OPERATOR.match(self.text, self.pos):
            raise wrong.doubled_operator(start, second.end() - start)
        return Op.EQ if sign in _EQUALS else Op(sign.removeprefix(":"))

    def take_quoted(self) -> str:
        found = _QUOTED.match(self.text, self.pos)
        if not found:
            raise wrong.unclosed_quote(self.pos, len(self.text) - self.pos)
        self.pos = found.end()
        return _ESCAPE.sub(r"\1", found[1])

    def require_end_of_word(self) -> None:
        """Refuse a character glued to a word or value, which would silently start another."""
        if not self.at_end() and not self.peek().isspace() and self.peek() != ")":
            raise wrong.glued(self.text, self.pos)
