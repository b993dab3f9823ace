"""Runs side by side: what each has under the same name, and where they differ.

A name's values are counted in the database; only the values of rows that are shown are read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min, Model
from django.db.models.functions import Substr

from studio.accounts.models import Workspace
from studio.metrics.models import NUMERIC, Metric
from studio.runs.models import Description, Parameter, Property, Run, Tag
from studio.search.compared_facts import (
    Kind,
    Texts,
    attributes,
    environment,
    kind_of_attribute,
    order_of_name,
)

MOST_RUNS = 100
STATS = ("last", "min", "max")
# So many cells of a section are shown at first, and so many when all of it is asked for.
FIRST_CELLS, MOST_CELLS = 4_000, 50_000
FEWEST_ROWS, MOST_ROWS = 40, 2_000
# A tag without a value.
SET = "set"
FIRST_LINE = "First line"
_LINE = 200


class Value(NamedTuple):
    """What one run has: its exact text (a moment in ISO 8601), and the number it is, if any."""

    text: str
    number: float | None = None


Found = Mapping[str, Mapping[int, Value]]  # name of the row -> run id -> value


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its values in the order of the runs, None where a run has no such value."""

    name: str
    kind: Kind
    values: tuple[Value | None, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one family. n_rows of n_all names have the text that was looked for, n_differ of them
    differ; `rows` holds those to show, `n_left` more were left out for their number."""

    key: str
    title: str
    rows: tuple[Row, ...]
    n_rows: int
    n_differ: int
    n_left: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What to compare: `stat` of the metrics, names that hold `find` in any case, only rows that
    differ or all; sections that are `folded` have no rows, those in `whole` as many as fit."""

    stat: str = "last"
    find: str = ""
    only_differences: bool = True
    folded: Collection[str] = ()
    whole: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """differs: name -> whether the runs differ in it; read: the values of some names."""

    differs: dict[str, bool]
    read: Callable[[list[str]], Found]
    kind: Callable[[str], Kind]


def runs_to_compare(workspace: Workspace, uids: Sequence[str]) -> list[Run]:
    """The runs of the workspace with these ids, in their order, with all that `compare` needs of
    them; ids of others and of runs in the trash are left out (5 queries)."""
    found = Run.objects.of(workspace).filter(uid__in=uids[:MOST_RUNS])
    # No joins: see RunQuerySet.for_list.
    found = found.prefetch_related("experiment", "submitter", "target", "definition")
    by_uid = {run.uid: run for run in found}
    return [by_uid[uid] for uid in dict.fromkeys(uids) if uid in by_uid]


def compare(runs: Sequence[Run], asked: Asked) -> list[Section]:
    """The sections in their order (10 queries whatever the runs; runs of `runs_to_compare`)."""
    return [
        _section(key, title, source(runs, asked.stat), runs, asked)
        for key, (title, source) in SECTIONS.items()
    ]


def _section(key: str, title: str, source: _Source, runs: Sequence[Run], asked: Asked) -> Section:
    wanted = asked.find.casefold()
    names = [name for name in source.differs if wanted in name.casefold()]
    differing = [name for name in names if source.differs[name]]
    to_show = differing if asked.only_differences else names
    shown = [] if key in asked.folded else to_show[: most_rows(len(runs), key in asked.whole)]
    values = source.read(shown) if shown else {}
    pks = [run.pk for run in runs]
    rows = tuple(
        Row(
            name,
            source.kind(name),
            tuple(map(values.get(name, {}).get, pks)),
            source.differs[name],
        )
        for name in shown
    )
    return Section(key, title, rows, len(names), len(differing), len(to_show) - len(rows))


def most_rows(n_runs: int, is_whole: bool = False) -> int:
    """How many rows of a section are shown: fewer, the more runs."""
    n_cells = MOST_CELLS if is_whole else FIRST_CELLS
    return min(MOST_ROWS, max(FEWEST_ROWS, n_cells // max(1, n_runs)))


def _text_kind(name: str) -> Kind:
    return Kind.TEXT


def _known(texts: Texts, n_runs: int, kind: Callable[[str], Kind] = _text_kind) -> _Source:
    def read(names: list[str]) -> Found:
        return {
            name: {
                pk: Value(text, float(text) if kind(name) == Kind.SECONDS else None)
                for pk, text in texts[name].items()
            }
            for name in names
        }

    differs = {
        name: len(found) < n_runs or len(set(found.values())) > 1 for name, found in texts.items()
    }
    return _Source(differs, read, kind)


def _attributes(runs: Sequence[Run], stat: str) -> _Source:
    return _known(attributes(runs), len(runs), kind_of_attribute)


def _environment(runs: Sequence[Run], stat: str) -> _Source:
    return _known(environment(runs), len(runs))


def _labels(model: type[Model]) -> Callable[[Sequence[Run], str], _Source]:
    """Tags and properties (2 queries)."""

    def source(runs: Sequence[Run], stat: str) -> _Source:
        rows = model._default_manager.filter(run__in=runs)

        def read(names: list[str]) -> Found:
            some = rows.filter(key__in=names).values_list("run_id", "key", "value")
            return _by_name(
                (pk, key, Value(SET if value is None else value)) for pk, key, value in some
            )

        return _Source(_differing(rows, "key", ["value"], len(runs)), read, _text_kind)

    return source


def _parameters(runs: Sequence[Run], stat: str) -> _Source:
    """2 queries."""
    rows = Parameter.objects.filter(run__in=runs)

    def read(names: list[str]) -> Found:
        some = rows.filter(key__in=names).values_list("run_id", "key", "value", "number")
        return _by_name((pk, key, Value(text, number)) for pk, key, text, number in some)

    return _Source(_differing(rows, "key", ["value"], len(runs)), read, lambda name: Kind.NUMBER)


def _metrics(runs: Sequence[Run], stat: str) -> _Source:
    """2 queries. What has no number under `stat` is the text of its last value, or not there."""
    rows = Metric.objects.ordinary().filter(run__in=runs)
    if stat != "last":
        rows = rows.filter(**{f"{stat}__isnull": False})
    told = ["last", "last_text"] if stat == "last" else [stat]

    def read(names: list[str]) -> Found:
        some = rows.filter(name__in=names).values_list("run_id", "name", stat, "last_text")
        return _by_name(
            (pk, name, Value(text or "–" if number is None else repr(number), number))
            for pk, name, number, text in some
        )

    return _Source(_differing(rows, "name", told, len(runs)), read, lambda name: Kind.NUMBER)


def _differing(rows: Any, name: str, values: Sequence[str], n_runs: int) -> dict[str, bool]:
    """Name -> whether the runs differ in one of its values, or some have none (1 query)."""
    counts: dict[str, Any] = {"n": Count("pk")}
    for value in values:
        counts |= {
            f"n_{value}": Count(value),
            f"least_{value}": Min(value),
            f"greatest_{value}": Max(value),
        }
    found = {
        row[name]: row["n"] < n_runs
        or any(
            row[f"least_{value}"] != row[f"greatest_{value}"] or 0 < row[f"n_{value}"] < row["n"]
            for value in values
        )
        for row in rows.order_by().values(name).annotate(**counts)
    }
    return {name: found[name] for name in sorted(found, key=order_of_name)}


def _by_name(values: Iterable[tuple[int, str, Value]]) -> Found:
    found: dict[str, dict[int, Value]] = {}
    for pk, name, value in values:
        found.setdefault(name, {})[pk] = value
    return found


def _description(runs: Sequence[Run], stat: str) -> _Source:
    """2 queries; whole texts stay in the database."""
    rows = Description.objects.filter(run__in=runs).exclude(text="")
    counted = rows.aggregate(n=Count("pk"), n_texts=Count("text", distinct=True))
    differs = counted["n_texts"] > 1 or 0 < counted["n"] < len(runs)

    def read(names: list[str]) -> Found:
        heads = rows.values_list("run_id", Substr("text", 1, 4 * _LINE))
        return {FIRST_LINE: {pk: Value(_first_line(head)) for pk, head in heads}}

    return _Source({FIRST_LINE: differs} if counted["n"] else {}, read, _text_kind)


def _first_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


@dataclass(frozen=True, slots=True)
class Common:
    """A metric that at least two runs have; is_line: one of them has more than a single point."""

    name: str
    n_runs: int
    is_line: bool


def common_metrics(runs: Sequence[Run]) -> list[Common]:
    """The metrics of numbers that at least two of the runs have, in the table's order (1 query)."""
    rows = Metric.objects.ordinary().filter(run__in=runs, kind__in=NUMERIC)
    named = rows.order_by().values("name")
    counted = named.annotate(n=Count("pk"), most=Max("n_points")).filter(n__gte=2)
    found = [Common(row["name"], row["n"], row["most"] > 1) for row in counted]
    return sorted(found, key=lambda one: order_of_name(one.name))


def texts_of(runs: Sequence[Run]) -> Mapping[int, str]:
    """Run id -> the Markdown of its description, for those that have one (1 query)."""
    return dict(Description.objects.filter(run__in=runs).values_list("run_id", "text"))


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Run], str], _Source]]] = {
    "attributes": ("Attributes", _attributes),
    "tags": ("Tags", _labels(Tag)),
    "parameters": ("Parameters", _parameters),
    "metrics": ("Metrics", _metrics),
    "properties": ("Properties", _labels(Property)),
    "environment": ("Environment", _environment),
    "description": ("Description", _description),
}
