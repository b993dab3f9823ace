"""What a page of runs shows in its columns, read for all of them at once."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from html import unescape

from django.db.models import Model
from django.db.models.functions import Substr

from studio.accounts.models import User
from studio.compute.models import Target
from studio.metrics.models import Metric
from studio.metrics.points_at import values_at_best
from studio.runs.models import Description, Experiment, Parameter, Property, Run, Star, Tag
from studio.runs.rollup import Rollup, rollups
from studio.search.columns import Column

# Text, number, moment; tags by key; child runs; None: the run has no such value.
Cell = str | int | float | bool | datetime | dict[str, str | None] | Rollup | None
Cells = dict[Column, Cell]

MAX_LINE = 200
# So much of a description's HTML is read to make one line of it.
_ENOUGH = 2_000
_BLOCK = re.compile(
    r"</?(?:p|h[1-6]|li|ul|ol|dl|dt|dd|br|hr|pre|div|blockquote|table|thead|tbody|tr|td|th)\b[^>]*>"
)
_TAG = re.compile(r"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_CUT_TAG = re.compile(r"<[^>]*\Z|&#?\w*\Z")

# What a run holds itself.
PLAIN: dict[str, Callable[[Run], Cell]] = {
    "name": lambda run: run.display_name,
    "status": lambda run: run.status,
    "submitted": lambda run: run.created_at,
    "started": lambda run: run.started_at,
    "ended": lambda run: run.ended_at,
    "duration": lambda run: run.elapsed_s(),
    "type": lambda run: run.type,
    "number": lambda run: run.number,
    "uid": lambda run: run.uid,
}
POINTING: dict[str, tuple[type[Model], str, str]] = {
    "experiment": (Experiment, "experiment_id", "name"),
    "submitter": (User, "submitter_id", "username"),
    "target": (Target, "target_id", "name"),
}
LABELS: dict[str, type[Model]] = {"tag": Tag, "property": Property, "param": Parameter}


def values_for(
    runs: Sequence[Run], columns: Collection[Column], *, user: User | None = None
) -> dict[int, Cells]:
    """run id -> column -> value; every run has every column, None where it has no value.

    A tag without a value is "". The last value of a metric that is no finite number is its text.
    `user`: whose stars. Queries: one for each kind of column asked for, 12 at most, whatever the
    number of runs and columns.
    """
    found: dict[int, Cells] = {run.pk: dict.fromkeys(columns) for run in runs}
    if not runs:
        return found
    by_family: dict[str, list[Column]] = defaultdict(list)
    for column in columns:
        by_family[column.family].append(column)
    for family, some in by_family.items():
        for pk, column, value in _READERS[family](runs, some, user):
            found[pk][column] = value
    return found


Rows = Iterable[tuple[int, Column, Cell]]


def _plain(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    for column in columns:
        read = PLAIN[column.family]
        for run in runs:
            yield run.pk, column, read(run)


def _pointing(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    for column in columns:
        model, attribute, name = POINTING[column.family]
        ids = {getattr(run, attribute) for run in runs} - {None}
        names = dict(model._default_manager.filter(pk__in=ids).values_list("pk", name))
        for run in runs:
            yield run.pk, column, names.get(getattr(run, attribute))


def _labels(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    by_name = {column.name: column for column in columns}
    rows = LABELS[columns[0].family]._default_manager.filter(run__in=runs, key__in=by_name)
    for pk, key, value in rows.values_list("run_id", "key", "value"):
        yield pk, by_name[key], value or ""


def _tags(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    held: dict[int, dict[str, str | None]] = {run.pk: {} for run in runs}
    rows = Tag.objects.filter(run__in=runs).order_by("key")
    for pk, key, value in rows.values_list("run_id", "key", "value"):
        held[pk][key] = value
    return ((pk, column, tags) for column in columns for pk, tags in held.items())


def _metrics(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    at_best = [column for column in columns if column.of]
    by_name: dict[str, list[Column]] = defaultdict(list)
    for column in columns:
        if not column.of:
            by_name[column.name].append(column)
    stats = list(dict.fromkeys(c.stat or "last" for some in by_name.values() for c in some))
    rows = (
        Metric.objects.filter(run__in=runs, name__in=by_name) if by_name else Metric.objects.none()
    )
    # Plain rows: making an object of each of thousands takes longer than reading them.
    for pk, name, text, *values in rows.values_list("run_id", "name", "last_text", *stats):
        for column in by_name[name]:
            value = values[stats.index(column.stat or "last")]
            yield pk, column, (text or None) if value is None and not column.stat else value
    if at_best:
        wanted = {(c.name, c.of, c.stat == "at-max"): c for c in at_best}
        for pk, asked, value in values_at_best([run.pk for run in runs], wanted):
            yield pk, wanted[asked], value


def _descriptions(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    rows = Description.objects.filter(run__in=runs).annotate(
        html_begin=Substr("html", 1, _ENOUGH), text_begin=Substr("text", 1, _ENOUGH)
    )
    for pk, html, text in rows.values_list("run_id", "html_begin", "text_begin"):
        line = one_line(html) if html else _cut(" ".join(text.split()))
        for column in columns:
            yield pk, column, line or None


def one_line(html: str) -> str:
    """The beginning of a description's clean HTML as one line of plain text, not to be trusted as
    HTML again."""
    bare = _BLOCK.sub(" ", _CUT_TAG.sub("", html))
    return _cut(" ".join(unescape(_TAG.sub("", bare)).split()))


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1].rstrip() + "…"


def _stars(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    rows = Star.objects.filter(run__in=runs, user=user) if user else Star.objects.none()
    starred = set(rows.values_list("run", flat=True))
    return ((run.pk, column, run.pk in starred) for column in columns for run in runs)


def _children(runs: Sequence[Run], columns: list[Column], user: User | None) -> Rows:
    found = rollups([run.pk for run in runs])
    return ((run.pk, column, found.get(run.pk)) for column in columns for run in runs)


_READERS: dict[str, Callable[[Sequence[Run], list[Column], User | None], Rows]] = {
    **dict.fromkeys(PLAIN, _plain),
    **dict.fromkeys(POINTING, _pointing),
    **dict.fromkeys(LABELS, _labels),
    "tags": _tags,
    "metric": _metrics,
    "description": _descriptions,
    "star": _stars,
    "children": _children,
}
