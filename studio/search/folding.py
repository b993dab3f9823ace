"""Comparing text without regard to case, the same on both databases.

SQLite folds only ASCII and PostgreSQL only what its locale knows, so neither's own LIKE will do.
`column__folded__contains=folded(text)` compares what `searchtext.folded` makes of both sides.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, TextField, Transform

from studio.runs.searchtext import folded

# PostgreSQL lower-cases by Unicode's rules with ICU; casefold() also unites these.
_LOWERED = 'lower(%(expressions)s COLLATE "und-x-icu")'
_FOLDED = f"replace(translate({_LOWERED}, 'ςſ', 'σs'), 'ß', 'ss')"


class Folded(Transform):
    """The casefolded form of a text column."""

    lookup_name = "folded"
    function = "studio_folded"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return super().as_sql(compiler, connection, template=_FOLDED, **context)


def register() -> None:
    """Make `__folded` known for every text column."""
    CharField.register_lookup(Folded)
    TextField.register_lookup(Folded)


def add_function(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Give a new SQLite connection the function that `Folded` calls."""
    if connection.vendor == "sqlite":
        raw: Any = connection.connection
        raw.create_function("studio_folded", 1, _folded_or_none, deterministic=True)


def _folded_or_none(text: object) -> str | None:
    return None if text is None else folded(str(text))
