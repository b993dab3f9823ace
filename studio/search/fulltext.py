"""Runs that hold a text in their name, description or tags: from the trigram index or a walk."""

from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from studio.queries.ids import any_of
from studio.runs.models import RunText
from studio.runs.searchtext import folded
from studio.search.scope import FEW, Scope, any_q

# Trigrams know nothing of shorter texts.
MIN_INDEXED = 3
# Of so many matches all are read out of the trigram index; others are soon met on a walk.
MANY = 10_000
_MATCHES = "SELECT rowid FROM runs_runtext_fts WHERE runs_runtext_fts MATCH %s"
_NEWEST = f"{_MATCHES} ORDER BY rowid DESC LIMIT {FEW + 1}"
_COUNT = f"SELECT count(*) FROM ({_MATCHES} LIMIT %s)"  # noqa: S608  (our own text)


class _Matching(RawSQL):
    """The runs that the trigram index of SQLite finds, as a subquery of which one may take the
    first."""

    def __init__(self, asked: str, most: int | None = None) -> None:
        self.asked = asked
        super().__init__(_MATCHES if most is None else f"{_MATCHES} LIMIT {most}", [asked])

    def __getitem__(self, some: slice) -> "_Matching":
        return _Matching(self.asked, some.stop)


def body_q(scope: Scope, *texts: str) -> Q:
    """Runs whose search text contains any of `texts`, in any case (up to 2 queries for each to
    choose the plan).

    A rare text comes out of the trigram index, which is slow for a common one: that is soon found
    by reading the runs of the list one after the other.
    """
    found = any_q(_body_q(scope, folded(text)) for text in texts)
    if len(texts) > 1:
        # Each is then only a part of what is found.
        scope.forget_lists()
    return found


def _body_q(scope: Scope, asked: str) -> Q:
    rows = RunText.objects.filter(body__contains=asked)
    walk = Q(Exists(rows.filter(run=OuterRef("pk"))))
    if len(asked) < MIN_INDEXED or not scope.may_ask():
        return walk
    if connection.vendor != "sqlite":
        few = scope.few(rows.values_list("pk", flat=True))
        return walk if few is None else any_of(few)
    ids = [row[0] for row in _rows(_NEWEST, _phrase(asked))]
    if len(ids) <= FEW:
        return any_of(ids)
    # As many of all runs as of those since the last one found, if they are spread evenly.
    if scope.n_runs * FEW > 2 * min(MANY, scope.most) * (ids[0] - ids[-1]):
        return walk
    most = min(MANY, scope.most)
    n = _rows(_COUNT, _phrase(asked), most + 1)[0][0]
    return walk if n > most else scope.listed(n, (_Matching(_phrase(asked)),)).test()


def _phrase(asked: str) -> str:
    """The text as one FTS5 string, in which only the quote has a meaning."""
    return '"' + asked.replace('"', '""') + '"'


def _rows(sql: str, *parameters: str | int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
