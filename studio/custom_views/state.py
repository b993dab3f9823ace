"""The whole state of a run list, read from and written to its URL. Pure.

Every pill, counter, toggle and page link is a URL made by one of the `with_…` methods; a default
is left out, so the bare URL is the default view.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from studio.search import pills
from studio.search.errors import SearchSyntaxError
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Key, Node, Op, Term

PAGE_SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50
KNOWN = {"q", "children", "mine", "size", "after", "before"}


@dataclass(frozen=True, slots=True)
class ViewState:
    """What the list shows. `after` and `before` are cursors: the page below or above a run."""

    q: str = ""
    children: bool = False
    mine: bool = False
    size: int = DEFAULT_SIZE
    after: str = ""
    before: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "ViewState":
        """Read a URL's query; what can't be read falls back to its default."""
        size = query.get("size", "")
        return cls(
            q=query.get("q", "").strip(),
            children=query.get("children") == "1",
            mine=query.get("mine") == "1",
            size=int(size) if size.isdecimal() and int(size) in PAGE_SIZES else DEFAULT_SIZE,
            after=query.get("after", ""),
            before=query.get("before", ""),
        )

    def to_query(self) -> str:
        """The query part of the URL, "" for the default view, else beginning with "?"."""
        parts = {
            "q": self.q,
            "children": "1" if self.children else "",
            "mine": "1" if self.mine else "",
            "size": "" if self.size == DEFAULT_SIZE else str(self.size),
            "after": self.after,
            "before": self.before,
        }
        text = urlencode({key: value for key, value in parts.items() if value})
        return f"?{text}" if text else ""

    @property
    def node(self) -> Node | None:
        """The query as a tree; raises SearchSyntaxError."""
        return parse(self.q)

    def first_page(self) -> "ViewState":
        return replace(self, after="", before="")

    def with_after(self, cursor: str) -> "ViewState":
        return replace(self, after=cursor, before="")

    def with_before(self, cursor: str) -> "ViewState":
        return replace(self, after="", before=cursor)

    def with_children(self, on: bool) -> "ViewState":
        return replace(self.first_page(), children=on)

    def with_mine(self, on: bool) -> "ViewState":
        return replace(self.first_page(), mine=on)

    def with_size(self, size: int) -> "ViewState":
        return replace(self.first_page(), size=size)

    def with_node(self, node: Node | None) -> "ViewState":
        return replace(self.first_page(), q=print_query(node) if node else "")

    def without_pill(self, index: int) -> "ViewState":
        return self.with_node(pills.without(self.node, index)) if self.node else self

    def negated_pill(self, index: int) -> "ViewState":
        node = self.node
        if node is None:
            return self
        return self.with_node(pills.replace(node, index, pills.negate(pills.pills(node)[index])))

    def with_term(self, key: str, *values: str, name: str = "") -> "ViewState":
        """Filter to `key` being one of `values`, or to its presence without values; an earlier
        term of the same key is replaced.

        A query that can't be read is replaced as a whole: there is nothing to add to.
        """
        term = Term(Key(key, name), Op.EQ if values else Op.HAS, tuple(values))
        try:
            node = self.node
        except SearchSyntaxError:
            node = None
        for index, pill in reversed(list(enumerate(pills.pills(node) if node else ()))):
            if isinstance(pill, Term) and pill.key == term.key and node is not None:
                node = pills.without(node, index)
        return self.with_node(pills.with_term(node, term))

    def has_values(self, key: str, *values: str) -> bool:
        """Whether the query holds exactly the term `key:values` at its top level."""
        try:
            node = self.node
        except SearchSyntaxError:
            return False
        wanted = Term(Key(key), Op.EQ, tuple(values))
        return wanted in pills.pills(node) if node else False

    def without_key(self, key: str) -> "ViewState":
        """Drop every top-level term of `key`."""
        try:
            node = self.node
        except SearchSyntaxError:
            return self
        for index, pill in reversed(list(enumerate(pills.pills(node) if node else ()))):
            if isinstance(pill, Term) and pill.key == Key(key) and node is not None:
                node = pills.without(node, index)
        return self.with_node(node)
