"""The whole state of a run list, read from and written to its URL. Pure.

Every pill, header, counter, toggle and page link is a URL made by one of the `with_…` methods; a
default is left out, so the bare URL is the default view.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from studio.custom_views.charts import ChartSpec, print_charts
from studio.runs.models import UID_RULE
from studio.search import pills
from studio.search.columns import Column, items_of, print_columns
from studio.search.errors import SearchSyntaxError
from studio.search.order import SortKey, print_order
from studio.search.printer import print_query
from studio.search.scanner import MAX_CHARACTERS
from studio.search.syntax import parse
from studio.search.tree import Key, Node, Not, Op, Term, any_of, leaves

PAGE_SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50
# A comparison takes as many; more would not fit into an address.
MAX_CHOSEN = 100
MAX_OPEN = 50
MAX_PINS = 5
MIN_WIDTH, MAX_WIDTH = 40, 1_000
# No address that reaches a page is longer (the command `web`).
LONGEST = 8_190
TREE, FLAT = "tree", "flat"
KNOWN = {
    *("q", "off", "order", "columns", "widths", "pins", "group", "children", "open", "mine"),
    "charts",
    *("chosen", "only", "explain", "size", "after", "before"),
}
_UID = re.compile(UID_RULE)
# What says where one is, not what one looks at.
PASSING = frozenset({"open", "explain", "after", "before"})
# Of the ticked runs; a view keeps them only when that was asked for.
TICKS = frozenset({"chosen", "only"})
NO_VIEW = "none"


@dataclass(frozen=True, slots=True)
class Base:
    """The state that a URL's parameters change: that of a custom view in its `version`, which the
    URL names as soon as something differs, or when it is not the newest; version 0: the usual list,
    which is asked for by name where another view would be the default."""

    state: "ViewState"
    version: int = 0
    is_newest: bool = True

    def marks(self, *, is_changed: bool) -> dict[str, str]:
        """The parameters that say which state it is."""
        if not self.version:
            return {"view": NO_VIEW}
        return {"rev": str(self.version)} if is_changed or not self.is_newest else {}


@dataclass(frozen=True, slots=True)
class ViewState:
    """What the list shows.

    q: the query; off: conditions that are kept but do not count, as a query too; order, columns,
    group: texts of `search.order`, `search.columns`, `search.groups`, "" for the usual; charts:
    the text of `custom_views.charts`; widths:
    of columns in pixels; pins: how many columns stay at the left; children: "" root runs, TREE
    opened in place at the uids in `open`, FLAT all alike; chosen: uids of ticked runs, and `only`
    they; explain: say what each condition removes; after, before: cursors of the page below or
    above a run; base: what its URL is told against, None for the usual list.
    """

    q: str = ""
    off: str = ""
    order: str = ""
    columns: str = ""
    widths: str = ""
    pins: int = 1
    group: str = ""
    charts: str = ""
    children: str = ""
    open: tuple[str, ...] = ()
    mine: bool = False
    chosen: tuple[str, ...] = ()
    only: bool = False
    explain: bool = False
    size: int = DEFAULT_SIZE
    after: str = ""
    before: str = ""
    base: Base | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str], base: Base | None = None) -> "ViewState":
        """Read a URL's query; what can't be read falls back to its default, what is not there to
        the base."""
        if base is not None:
            query = base.state.texts() | {name: query[name] for name in query}
        texts = {
            name: query.get(name, "").strip()
            for name in (
                "q",
                "off",
                "order",
                "columns",
                "widths",
                "group",
                "charts",
                "after",
                "before",
            )
        }
        children = query.get("children", "")
        return cls(
            **texts,
            pins=_number(query.get("pins", ""), range(MAX_PINS + 1), default=1),
            # Such links are older than the tree.
            children=FLAT if children == "1" else children if children in (TREE, FLAT) else "",
            open=_uids(query.get("open", ""), MAX_OPEN),
            mine=query.get("mine") == "1",
            chosen=_uids(query.get("chosen", ""), MAX_CHOSEN),
            only=query.get("only") == "1",
            explain=query.get("explain") == "1",
            size=_number(query.get("size", ""), PAGE_SIZES, default=DEFAULT_SIZE),
            base=base,
        )

    def parameters(self) -> dict[str, str]:
        """The URL's parameters: what differs from the base, a default as ""; without one, what
        differs from the usual list."""
        texts = self.texts()
        if self.base is None:
            return texts
        usual = self.base.state.texts()
        names = dict.fromkeys((*usual, *texts))
        changed = {
            name: texts.get(name, "") for name in names if texts.get(name) != usual.get(name)
        }
        # Another page of an unchanged view is still that view.
        return changed | self.base.marks(is_changed=bool(changed.keys() - PASSING))

    def texts(self) -> dict[str, str]:
        """The whole state as texts for an address, defaults left out."""
        # What is too long to be read would only make every link of the page as long.
        return {key: value for key, value in self.said().items() if len(value) <= MAX_CHARACTERS}

    @property
    def too_long(self) -> dict[str, str]:
        """What no address and no view holds, which a person is to be told."""
        return {key: value for key, value in self.said().items() if len(value) > MAX_CHARACTERS}

    def said(self) -> dict[str, str]:
        """The whole state as texts of any length that came by an address, defaults left out."""
        parts = {
            "q": self.q,
            "off": self.off,
            "mine": "1" if self.mine else "",
            "children": self.children,
            "open": ",".join(self.open) if self.children == TREE else "",
            "group": self.group,
            "order": self.order,
            "columns": self.columns,
            "widths": self.widths,
            "charts": self.charts,
            "pins": "" if self.pins == 1 else str(self.pins),
            "chosen": ",".join(self.chosen),
            "only": "1" if self.only else "",
            "explain": "1" if self.explain else "",
            "size": "" if self.size == DEFAULT_SIZE else str(self.size),
            "after": self.after,
            "before": self.before,
        }
        return {key: value[:LONGEST] for key, value in parts.items() if value}

    def to_form(self) -> str:
        """The whole state as a form's field: as `to_query`, but what is too long is in it, so that
        who reads the form refuses it in words."""
        text = urlencode(self.said(), safe=":,", quote_via=quote)
        return f"?{text}" if text else ""

    def to_query(self) -> str:
        """The query part of the URL, "" for the default view, else beginning with "?"."""
        text = urlencode(self.parameters(), safe=":,", quote_via=quote)
        return f"?{text}" if text else ""

    @property
    def whole(self) -> "ViewState":
        """The same without a base: its query says everything."""
        return replace(self, base=None)

    def kept(self, *, ticks: bool = False) -> dict[str, str]:
        """What a custom view is to keep of the state, of any length; `ticks`: the ticked runs
        too."""
        passing = PASSING if ticks else PASSING | TICKS
        return {name: text for name, text in self.said().items() if name not in passing}

    @property
    def node(self) -> Node | None:
        """The query as a tree; raises SearchSyntaxError."""
        return parse(self.q)

    @property
    def off_pills(self) -> tuple[Node, ...]:
        """The conditions that are switched off; none where they can't be read."""
        try:
            return pills.pills(parse(self.off))
        except SearchSyntaxError:
            return ()

    @property
    def whole_query(self) -> str:
        """The query with what the toggles add; raises SearchSyntaxError."""
        if not self.mine:
            return self.q
        return print_query(pills.with_term(self.node, Term(Key("is"), Op.EQ, ("mine",))))

    # Pages, order, columns

    def first_page(self) -> "ViewState":
        return replace(self, after="", before="")

    def with_after(self, cursor: str) -> "ViewState":
        return replace(self, after=cursor, before="")

    def with_before(self, cursor: str) -> "ViewState":
        return replace(self, after="", before=cursor)

    def with_size(self, size: int) -> "ViewState":
        return replace(self.first_page(), size=size)

    def with_order(self, keys: Iterable[SortKey]) -> "ViewState":
        return replace(self.first_page(), order=print_order(keys))

    def with_columns(self, columns: Iterable[Column]) -> "ViewState":
        return replace(self, columns=print_columns(columns))

    def with_charts(self, charts: Iterable[ChartSpec]) -> "ViewState":
        return replace(self, charts=print_charts(charts))

    def with_group(self, text: str) -> "ViewState":
        return replace(self.first_page(), group=text)

    @property
    def column_widths(self) -> dict[str, int]:
        """Text of a column -> its width in pixels."""
        found = {}
        for _, item in items_of(self.widths):
            name, _, width = item.rpartition("=")
            if name and width.isascii() and width.isdecimal() and len(width) <= 4:
                found[name] = min(MAX_WIDTH, max(MIN_WIDTH, int(width)))
        return found

    # Child runs, toggles, ticks

    def with_children(self, mode: str) -> "ViewState":
        return replace(self.first_page(), children=mode, open=())

    def with_open(self, uid: str, *, is_open: bool) -> "ViewState":
        """Open or close a run's child runs in the tree."""
        others = tuple(one for one in self.open if one != uid)
        opened = (*others, uid)[-MAX_OPEN:] if is_open else others
        return replace(self, children=TREE, open=opened)

    def with_mine(self, on: bool) -> "ViewState":
        return replace(self.first_page(), mine=on)

    def with_only(self, on: bool) -> "ViewState":
        return replace(self.first_page(), only=on)

    # The query

    def with_explain(self, on: bool) -> "ViewState":
        return replace(self, explain=on)

    def with_node(self, node: Node | None) -> "ViewState":
        return replace(self.first_page(), q=print_query(node) if node else "")

    def cleared(self) -> "ViewState":
        """All conditions gone: what the list shows of each run stays."""
        return replace(self.first_page(), q="", off="", mine=False, only=False, explain=False)

    def without_pill(self, index: int) -> "ViewState":
        return self.with_node(pills.without(self.node, index)) if self.node else self

    def with_pill(self, index: int, node: Node) -> "ViewState":
        """Put another condition in the place of one."""
        present = self.node
        return self if present is None else self.with_node(pills.replace(present, index, node))

    def negated_pill(self, index: int) -> "ViewState":
        node = self.node
        if node is None:
            return self
        return self.with_pill(index, pills.negate(pills.pills(node)[index]))

    def with_alternative(self, index: int, node: Node) -> "ViewState":
        """Let a pill hold too where `node` does: a group joined by OR."""
        present = self.node
        if present is None:
            return self
        return self.with_pill(index, any_of([pills.pills(present)[index], node]))

    def switched_off(self, index: int) -> "ViewState":
        """Keep a condition without its counting."""
        node = self.node
        if node is None:
            return self
        pill = pills.pills(node)[index]
        off = pills.with_term(parse(self.off) if self.off_pills else None, pill)
        return replace(self.without_pill(index), off=print_query(off))

    def switched_on(self, index: int) -> "ViewState":
        """Let a condition count again; the inverse of `switched_off` but for its place."""
        pill = self.off_pills[index]
        return self.without_off(index).with_node(pills.with_term(self.node, pill))

    def without_off(self, index: int) -> "ViewState":
        rest = pills.without(parse(self.off), index)
        return replace(self.first_page(), off=print_query(rest) if rest else "")

    def narrowed(self, node: Node) -> "ViewState":
        """Add a condition: "is one of" takes the place of what was asked of the same key; a
        query that can't be read is replaced as a whole, there is nothing to add to."""
        try:
            present = self.node
        except SearchSyntaxError:
            present = None
        if isinstance(node, Term) and node.op in (Op.EQ, Op.HAS):
            present = _without(present, node.key)
        # What was excluded and is asked for again, or the other way round, would leave nothing.
        opposite = pills.negate(node)
        for index, pill in reversed(list(enumerate(pills.pills(present)))):
            if pill == opposite:
                present = pills.without(present, index)
        return self.with_node(pills.with_term(present, node))

    def with_term(self, key: str, *values: str, name: str = "") -> "ViewState":
        """Filter to `key` being one of `values`, or to its presence without values; an earlier
        term of the same key is replaced."""
        return self.narrowed(Term(Key(key, name), Op.EQ if values else Op.HAS, tuple(values)))

    def has_values(self, key: str, *values: str) -> bool:
        """Whether the query holds exactly the term `key:values` at its top level."""
        try:
            node = self.node
        except SearchSyntaxError:
            return False
        return Term(Key(key), Op.EQ, tuple(values)) in pills.pills(node)

    def without_key(self, key: str) -> "ViewState":
        """Drop every top-level condition that is about `key` alone."""
        try:
            node = self.node
        except SearchSyntaxError:
            return self
        return self.with_node(_without(node, Key(key)))


def _without(node: Node | None, key: Key) -> Node | None:
    for index, pill in reversed(list(enumerate(pills.pills(node)))):
        bare = pill.child if isinstance(pill, Not) else pill
        if all(isinstance(leaf, Term) and leaf.key == key for leaf in leaves(bare)):
            node = pills.without(node, index)
    return node


def _number(text: str, allowed: Iterable[int], *, default: int) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 4
    return int(text) if is_number and int(text) in allowed else default


def _uids(text: str, most: int) -> tuple[str, ...]:
    """The run ids in a text, each once; what is none is left out."""
    found = dict.fromkeys(part.strip() for part in text.split(","))
    return tuple(uid for uid in found if _UID.fullmatch(uid))[:most]
