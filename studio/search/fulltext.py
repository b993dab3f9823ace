"""Runs that hold a text in their name, description or tags: from the trigram index or a walk."""

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from studio.runs.models import RunText
from studio.runs.searchtext import folded
from studio.search.scope import FEW, Scope

# Trigrams know nothing of shorter texts.
MIN_INDEXED = 3
_MATCHES = "SELECT rowid FROM runs_runtext_fts WHERE runs_runtext_fts MATCH %s LIMIT %s"


def body_q(scope: Scope, text: str) -> Q:
    """Runs whose search text contains `text`, in any case (1 query to choose the plan).

    A rare text comes out of the trigram index, which is slow for a common one: that is soon found
    by reading the runs of the list one after the other.
    """
    asked = folded(text)
    rows = RunText.objects.filter(body__contains=asked)
    if len(asked) >= MIN_INDEXED and scope.may_ask():
        on_sqlite = connection.vendor == "sqlite"
        ids = _matches(asked) if on_sqlite else scope.few(rows.values_list("pk", flat=True))
        if ids is not None:
            return Q(pk__in=ids)
    return Q(Exists(rows.filter(run=OuterRef("pk"))))


def _phrase(asked: str) -> str:
    """The text as one FTS5 string, in which only the quote has a meaning."""
    return '"' + asked.replace('"', '""') + '"'


def _matches(asked: str) -> list[int] | None:
    with connection.cursor() as cursor:
        cursor.execute(_MATCHES, [_phrase(asked), FEW + 1])
        ids = [row[0] for row in cursor.fetchall()]
    return ids if len(ids) <= FEW else None
