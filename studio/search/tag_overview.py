"""The tags of a workspace: its keys with numbers of runs and values, and the values of one key.

What it costs is bounded, however many runs there are: runs are counted to 10,000 for a row, values
to 1,000, and of more than 1,000 keys or values no order but their own is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from studio.accounts.models import Workspace
from studio.runs.models import Run, Tag
from studio.runs.querysets import COUNTED_TO
from studio.runs.searchtext import folded
from studio.search import distinct
from studio.search.cursors import Place, read_cursor, write_cursor

VALUES_TO = 1_000
MAX_SORTED = 1_000
# Among so many a part of a text is looked for.
MAX_SCANNED = 5_000
KEY_SORTS = ("key", "-key", "-runs", "runs", "-values", "values")
VALUE_SORTS = ("value", "-value", "-runs", "runs")

# Table names are ours; texts are parameters. What is in the trash is read once, from its index.
_COUNT_RUNS = """
WITH asked(v) AS (VALUES {rows})
SELECT v, (SELECT count(*) FROM (
  SELECT 1 FROM {tag} t WHERE t.workspace_id = %s AND {match} AND t.run_id NOT IN
    (SELECT id FROM {run} WHERE workspace_id = %s AND deleted_at IS NOT NULL)
  LIMIT {most}) AS counted)
FROM asked
"""
# One seek for each value of each key.
_COUNT_VALUES = """
WITH RECURSIVE asked(k) AS (VALUES {rows}), seen(k, v, n) AS (
  SELECT k, (SELECT min(value) FROM {tag} WHERE workspace_id = %s AND key = k AND value > ''), 1
  FROM asked
  UNION ALL
  SELECT k, (SELECT min(value) FROM {tag} WHERE workspace_id = %s AND key = k AND value > v), n + 1
  FROM seen WHERE v IS NOT NULL AND n < {most}
) SELECT k, count(v) FROM seen GROUP BY k
"""
_TABLES = {"tag": Tag._meta.db_table, "run": Run._meta.db_table}


@dataclass(frozen=True, slots=True)
class TagRow:
    """A key, or a value ("" for tags without one). n_runs: outside the trash, child runs and
    archived ones with them, 10,001 for more than 10,000; n_values: of a key, 1,001 for more."""

    text: str
    n_runs: int = 0
    n_values: int = 0

    @property
    def is_exact(self) -> bool:
        return self.n_runs <= COUNTED_TO

    @property
    def values_exact(self) -> bool:
        return self.n_values <= VALUES_TO


class TagPage(NamedTuple):
    """One page; `next`: the cursor behind it, "" for the last. Not `is_sortable`: there are too
    many to put them in another order than their own. `is_anew`: the cursor named no place."""

    rows: list[TagRow]
    next: str
    is_sortable: bool
    is_anew: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    """What a page is made of. own: the sort by the texts themselves; read: texts from a start on;
    count: rows of some texts."""

    scope: str
    own: str
    read: Callable[[str, int], list[str]]
    count: Callable[[Sequence[str]], list[TagRow]]


def tag_keys(
    workspace: Workspace, *, find: str = "", sort: str = "key", after: str = "", size: int
) -> TagPage:
    """Keys that contain `find`, in any case; sort: of KEY_SORTS; after: a cursor of this sort, from
    the beginning for a made-up one. 4 queries at most."""

    def read(start: str, limit: int) -> list[str]:
        return distinct.names("tag", workspace.pk, start=start, limit=limit)

    def count(keys: Sequence[str]) -> list[TagRow]:
        runs = _n_runs(workspace, "t.key = asked.v", [], keys)
        values = _n_values(workspace, keys)
        return [TagRow(key, runs.get(key, 0), values.get(key, 0)) for key in keys]

    return _page(_Source("tag-keys", "key", read, count), find, sort, after, size)


def tag_values(
    workspace: Workspace,
    key: str,
    *,
    find: str = "",
    sort: str = "value",
    after: str = "",
    size: int,
) -> TagPage:
    """Values of a key that contain `find`; sort: of VALUE_SORTS; see `tag_keys`. Tags without a
    value are not among them."""

    def read(start: str, limit: int) -> list[str]:
        # The empty text is no value: the first that is one comes right behind it.
        found = distinct.values("tag", key, workspace.pk, start=start, limit=limit + 1)
        return [value for value in found if value][:limit]

    def count(values: Sequence[str]) -> list[TagRow]:
        runs = _n_runs(workspace, "t.key = %s AND t.value = asked.v", [key], values)
        return [TagRow(value, runs.get(value, 0)) for value in values]

    return _page(_Source("tag-values", "value", read, count), find, sort, after, size)


def n_bare(workspace: Workspace, key: str) -> int:
    """How many runs carry the tag without a value, counted to 10,001 (1 query)."""
    trash = Run.objects.filter(workspace=workspace).in_trash().order_by()
    rows = Tag.objects.filter(Q(value=None) | Q(value=""), workspace=workspace, key=key)
    return rows.exclude(run__in=trash.values("pk")).order_by()[: COUNTED_TO + 1].count()


def _page(source: _Source, find: str, sort: str, after: str, size: int) -> TagPage:
    texts, is_sortable = _candidates(source, find, size)
    sort = sort if is_sortable else source.own
    place = read_cursor(after, f"{source.scope}/{sort}") if after else None
    is_anew = bool(after) and place is None
    if sort.removeprefix("-") in ("runs", "values"):
        rows = _behind(_sorted(source.count(texts), sort), place, sort)
        return _cut(source, rows, rows[:size], sort, is_sortable)._replace(is_anew=is_anew)
    if not is_sortable:
        start = str(place.values[1]) if place else ""
        texts = [text for text in source.read(start, size + 2) if not place or text != start]
    else:
        texts = _walked(source, texts, place, descending=sort.startswith("-"))
    found = source.count(texts[:size]) if texts else []
    return _cut(source, texts, found, sort, is_sortable)._replace(is_anew=is_anew)


def _candidates(source: _Source, find: str, size: int) -> tuple[list[str], bool]:
    """All texts that fit, unless they are too many."""
    if not find:
        texts = source.read("", MAX_SORTED + 1)
        return texts, len(texts) <= MAX_SORTED
    part = folded(find)
    scanned = source.read("", MAX_SCANNED)
    near = source.read(find, size) if len(scanned) == MAX_SCANNED else []
    fitting = [text for text in (*scanned, *near) if part in folded(text)]
    return list(dict.fromkeys(fitting))[:MAX_SORTED], True


def _walked(
    source: _Source, texts: list[str], place: Place | None, *, descending: bool
) -> list[str]:
    """The texts behind a place in their own order, which is that of the database."""
    if place is None:
        return texts[::-1] if descending else texts
    last = str(place.values[1])
    if last in texts:
        at = texts.index(last)
        return texts[:at][::-1] if descending else texts[at + 1 :]
    # It has gone since.
    nearest = [text for text in source.read(last, MAX_SORTED) if text in set(texts)]
    at = texts.index(nearest[0]) if nearest else len(texts)
    return texts[:at][::-1] if descending else texts[at:]


def _rank(row: TagRow, sort: str) -> tuple[int, str]:
    n = row.n_values if sort.endswith("values") else row.n_runs
    return -n if sort.startswith("-") else n, row.text


def _sorted(rows: list[TagRow], sort: str) -> list[TagRow]:
    return sorted(rows, key=lambda row: _rank(row, sort))


def _behind(rows: list[TagRow], place: Place | None, sort: str) -> list[TagRow]:
    if place is None:
        return rows
    last = tuple(place.values)
    return [row for row in rows if _rank(row, sort) > last]


def _cut(
    source: _Source, found: Sequence[Any], shown: list[TagRow], sort: str, is_sortable: bool
) -> TagPage:
    if len(found) <= len(shown):
        return TagPage(shown, "", is_sortable)
    place = Place(_rank(shown[-1], sort), 0)
    return TagPage(shown, write_cursor(place, f"{source.scope}/{sort}"), is_sortable)


def _n_runs(
    workspace: Workspace, match: str, more: list[str], texts: Sequence[str]
) -> dict[str, int]:
    """Text -> its runs outside the trash, counted to 10,001 (1 query)."""
    if not texts:
        return {}
    sql = _COUNT_RUNS.format(rows=_rows(texts), match=match, most=COUNTED_TO + 1, **_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*texts, workspace.pk, *more, workspace.pk])
        return dict(cursor.fetchall())


def _n_values(workspace: Workspace, keys: Sequence[str]) -> dict[str, int]:
    """Key -> its values, those of runs in the trash with them, counted to 1,001 (1 query)."""
    if not keys:
        return {}
    sql = _COUNT_VALUES.format(rows=_rows(keys), most=VALUES_TO + 1, **_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*keys, workspace.pk, workspace.pk])
        return dict(cursor.fetchall())


def _rows(texts: Sequence[str]) -> str:
    return ", ".join(["(%s)"] * len(texts))
