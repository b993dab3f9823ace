"""What the column editor offers: attributes, and the names in all data of a workspace."""

from collections.abc import Iterator
from itertools import chain, islice

from studio.accounts.models import Workspace
from studio.runs.searchtext import folded
from studio.search import distinct
from studio.search.columns import ATTRIBUTES, Column
from studio.search.tree import ALIASES, NAMED_KEYS

# More names than this of one kind are found by how they begin only.
MAX_NAMES = 5_000
LIMIT = 50


def find_columns(workspace: Workspace, text: str = "", limit: int = LIMIT) -> list[Column]:
    """At most `limit` columns whose label or key contains `text`, those that begin with it first.

    In each of the two groups attributes come first, then tags, properties, parameters, metrics by
    name. A metric comes as its last, lowest and highest value. `tag.qu` looks only at tags. Names
    are looked up in an index, one seek for each, however many runs there are (8 queries at most).
    """
    asked = folded(text.strip())
    family, dot, rest = asked.partition(".")
    family = ALIASES.get(family, family)
    families: tuple[str, ...] = NAMED_KEYS
    if dot and family in NAMED_KEYS:
        families, asked = (family,), rest.strip('"')
    attributes = () if len(families) == 1 else _attributes(asked)
    names = {one: _names(workspace, one, asked) for one in families}
    begins = (_named(one, names[one], asked, beginning=True) for one in families)
    others = (_named(one, names[one], asked, beginning=False) for one in families)
    return list(islice(chain(attributes, *begins, *others), limit))


def _attributes(asked: str) -> list[Column]:
    found = [Column(family) for family in ATTRIBUTES]
    fitting = [c for c in found if asked in folded(c.label) or asked in c.family]
    return sorted(fitting, key=lambda c: not folded(c.label).startswith(asked))


def _names(workspace: Workspace, family: str, asked: str) -> list[str]:
    """The names that can fit, in the order of the alphabet (2 queries at most)."""
    some = distinct.names(family, workspace.pk, limit=MAX_NAMES)
    if asked and len(some) == MAX_NAMES:
        some += distinct.names(family, workspace.pk, start=asked, limit=MAX_NAMES)
    return sorted({name for name in some if name and asked in folded(name)})


def _named(family: str, names: list[str], asked: str, *, beginning: bool) -> Iterator[Column]:
    for name in names:
        if folded(name).startswith(asked) == beginning:
            stats = ("", "min", "max") if family == "metric" else ("",)
            yield from (Column(family, name, stat) for stat in stats)
