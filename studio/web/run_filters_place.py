"""Where in a list's query a condition stands, or comes to stand. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from studio.custom_views.state import ViewState
from studio.search import pills
from studio.search.errors import SearchSyntaxError
from studio.search.printer import print_query
from studio.search.syntax import parse
from studio.search.tree import Node, Not, Op, Or, Term, any_of, negate

NEW = -1


@dataclass(frozen=True, slots=True)
class Place:
    """pill: its index, None for a new one; part: which alternative of a group, NEW for one more,
    None for the whole; is_off: among the conditions that are switched off."""

    pill: int | None = None
    part: int | None = None
    is_off: bool = False

    def parameters(self) -> dict[str, str]:
        """The inverse of `place_from`."""
        part = "" if self.part is None else "new" if self.part == NEW else str(self.part)
        found = {
            "pill": "" if self.pill is None else str(self.pill),
            "part": part,
            "hollow": "1" if self.is_off else "",
        }
        return {name: text for name, text in found.items() if text}


def place_from(query: Mapping[str, str]) -> Place:
    """Read a place from an address; raises LookupError for none that can be."""
    pill = _index(query.get("pill", ""))
    text = query.get("part", "")
    part = NEW if text == "new" else _index(text)
    if pill is None and part is not None:
        raise LookupError("an alternative needs its filter")
    return Place(pill, part, query.get("hollow") == "1")


def _index(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise LookupError(f"no filter {text[:20]}")
    return int(text)


def pills_at(state: ViewState, place: Place) -> tuple[Node, ...]:
    """The conditions among which the place is; raises SearchSyntaxError."""
    return state.off_pills if place.is_off else pills.pills(state.node)


def pill_at(state: ViewState, place: Place) -> Node:
    """The whole pill. Raises LookupError where there is none, SearchSyntaxError."""
    if place.pill is None:
        raise LookupError("no filter")
    return pills_at(state, place)[place.pill]


def alternatives(pill: Node) -> tuple[Node, ...]:
    """Of which a pill needs one; the pill itself, when it is no group."""
    bare = pill.child if isinstance(pill, Not) else pill
    return bare.children if isinstance(bare, Or) else (pill,)


def node_at(state: ViewState, place: Place) -> Node | None:
    """The condition there, None for a new one. Raises LookupError, SearchSyntaxError."""
    if place.pill is None:
        return None
    pill = pill_at(state, place)
    if place.part is None:
        return pill
    return None if place.part == NEW else alternatives(pill)[place.part]


def put(state: ViewState, place: Place, node: Node | None) -> ViewState:
    """The list with `node` at the place; None takes away what stands there.

    Raises LookupError, SearchSyntaxError for a query that cannot be read, or is too long now.
    """
    if place.pill is None:
        return state if node is None else _readable(_added(state, node))
    if place.part is not None:
        node = _with_part(pill_at(state, place), place.part, node)
    present = parse(state.off) if place.is_off else state.node
    changed = (
        pills.without(present, place.pill)
        if node is None
        else pills.replace(present, place.pill, node)
    )
    if not place.is_off:
        return _readable(state.with_node(changed))
    off = print_query(changed)
    parse(off)
    return replace(state.first_page(), off=off)


def _with_part(pill: Node, part: int, node: Node | None) -> Node | None:
    is_group = len(alternatives(pill)) > 1
    is_turned = isinstance(pill, Not) and is_group
    parts = list(alternatives(pill))
    if part == NEW:
        parts += [node] if node else []
    elif node is None:
        del parts[part]
    else:
        parts[part] = node
    if not parts:
        return None
    joined = any_of(parts)
    return negate(joined) if is_turned else joined


def _readable(state: ViewState) -> ViewState:
    parse(state.q)
    return state


def _added(state: ViewState, node: Node) -> ViewState:
    """One more condition: "is" takes the place of an earlier "is" of the same key, because no run
    has two; a comparison stands beside those there are."""
    try:
        present = state.node
    except SearchSyntaxError:
        return state.narrowed(node)
    if isinstance(node, Term) and node.op is Op.EQ and node.key.family != "is":
        for index, pill in reversed(list(enumerate(pills.pills(present)))):
            if isinstance(pill, Term) and pill.op is Op.EQ and pill.key == node.key:
                present = pills.without(present, index)
    return state.with_node(pills.with_term(present, node))
