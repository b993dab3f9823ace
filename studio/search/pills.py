"""Pills: the top-level conditions of a query, edited one by one without touching the others.

A pill's place is its index in `pills(node)`. All functions return new trees in normal form.
"""

from studio.search.tree import And, Node, all_of, negate

__all__ = ["negate", "pills", "replace", "with_term", "without"]


def pills(node: Node | None) -> tuple[Node, ...]:
    """Return the conditions that must all hold, in the order of the text; () for no query."""
    if node is None:
        return ()
    return node.children if isinstance(node, And) else (node,)


def without(node: Node | None, index: int) -> Node | None:
    """Return the query without one pill, None when it was the last.

    Raises IndexError.
    """
    before, after = _around(node, index)
    rest = [*before, *after]
    return all_of(rest) if rest else None


def replace(node: Node | None, index: int, term: Node) -> Node:
    """Return the query with `term` in the place of one pill; an And becomes several pills.

    Raises IndexError.
    """
    before, after = _around(node, index)
    return all_of([*before, term, *after])


def with_term(node: Node | None, term: Node) -> Node:
    """Return the query narrowed by one more condition; a condition it already has stays single."""
    present = pills(node)
    return all_of([*present, *(part for part in pills(term) if part not in present)])


def _around(node: Node | None, index: int) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    parts = pills(node)
    if not 0 <= index < len(parts):
        raise IndexError(f"no pill {index}: the query has {len(parts)}")
    return parts[:index], parts[index + 1 :]
