"""LIKE and ILIKE as MLflow means them, the same on both databases: % is any text, _ any sign,
nothing escapes them; LIKE minds the case, which SQLite's own does not, and ILIKE folds that of any
script."""

import re
from collections.abc import Callable
from typing import Any

from django.db.models import Lookup, Q

from studio.runs.searchtext import folded
from studio.search.folding import Folded

_RUNS_OF_ANY = re.compile("%{2,}")
_OF_GLOB = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


class Like(Lookup):
    """An expression against a pattern."""

    lookup_name = "mlflow_like"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, held = self.process_lhs(compiler, connection)
        return f"{left} LIKE %s ESCAPE ''", (*held, self.rhs)

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, held = self.process_lhs(compiler, connection)
        glob = "".join(_OF_GLOB.get(sign, sign) for sign in str(self.rhs))
        return f"{left} GLOB %s", [*held, glob]


def like_q(expression: Any, comparator: str, pattern: str) -> Q:
    """The rows whose `expression` a pattern fits; comparator: LIKE or ILIKE."""
    shorter = _RUNS_OF_ANY.sub("%", pattern)
    if comparator == "ILIKE":
        return Q(Like(Folded(expression), folded(shorter)))
    return Q(Like(expression, shorter))


def fits(comparator: str, pattern: str) -> Callable[[str], bool]:
    """The same of a text at hand. Part by part and never back: no pattern takes long."""
    folds = comparator == "ILIKE"
    asked = folded(pattern) if folds else pattern
    first, *middle = (
        re.compile("".join("." if sign == "_" else re.escape(sign) for sign in part), re.DOTALL)
        for part in asked.split("%")
    )
    n_last = len(asked.rpartition("%")[2])

    def does_fit(text: str) -> bool:
        text = folded(text) if folds else text
        if not middle:
            return first.fullmatch(text) is not None
        found = first.match(text)
        for part in middle[:-1]:
            found = found and part.search(text, found.end())
        at = len(text) - n_last
        return found is not None and at >= found.end() and middle[-1].match(text, at) is not None

    return does_fit
