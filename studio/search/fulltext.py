"""Runs that hold a text in their name, description or tags: from the trigram index or a walk."""

from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from studio.runs.models import RunText
from studio.runs.searchtext import folded
from studio.search.scope import FEW, Scope

# Trigrams know nothing of shorter texts.
MIN_INDEXED = 3
_MATCHES = "SELECT rowid FROM runs_runtext_fts WHERE runs_runtext_fts MATCH %s"


def body_q(scope: Scope, text: str) -> Q:
    """Runs whose search text contains `text`, in any case (1 query to choose the plan).

    A rare text comes out of the trigram index, which is slow for a common one: that is soon found
    by reading the runs of the list one after the other.
    """
    asked = folded(text)
    rows = RunText.objects.filter(body__contains=asked)
    if len(asked) >= MIN_INDEXED and scope.may_ask():
        if connection.vendor != "sqlite":
            if scope.has_few(rows):
                return Q(pk__in=rows.values("pk"))
        elif _has_few_matches(asked):
            return Q(pk__in=RawSQL(_MATCHES, [_phrase(asked)]))  # noqa: S611  (constant SQL)
    return Q(Exists(rows.filter(run=OuterRef("pk"))))


def _phrase(asked: str) -> str:
    """The text as one FTS5 string, in which only the quote has a meaning."""
    return '"' + asked.replace('"', '""') + '"'


def _has_few_matches(asked: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM ({_MATCHES} LIMIT {FEW + 1}) AS found",  # noqa: S608
            [_phrase(asked)],
        )
        return bool(cursor.fetchone()[0] <= FEW)
