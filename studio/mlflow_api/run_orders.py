"""What runs are sorted by: keys as expressions, and where an index holds their values in order.

A value is a rank and what stands in it: numbers before NaN before nothing, whichever way the key
goes. Both are never NULL, so that one place compares with the next the same on both databases.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    Exists,
    F,
    FloatField,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, NullIf
from django.db.models.lookups import IsNull

from studio.mlflow_api.errors import wrong
from studio.mlflow_api.filters import RUNS, Sorting, parse_sorting
from studio.mlflow_api.label_conditions import NOTE, PARENT, RUN_NAME, USER
from studio.mlflow_api.moments import EPOCH
from studio.mlflow_api.run_conditions import artifact_uri, metrics_of
from studio.mlflow_api.runs_json import STATUS
from studio.mlflow_api.runs_read import USER_ID
from studio.runs.models import Description, Parameter, Property, Tag
from studio.search.matching import nfc

MOST_KEYS = 8
Expression = Callable[[str], Any]
STARTED = Sorting("attribute", "start_time", True)


@dataclass(frozen=True, slots=True)
class Lane:
    """Rows of the runs that share a rank; column: where the rows hold the value in order, "" when
    all are equal; also: more such rows, which another part of the index holds."""

    rank: int
    rows: "QuerySet[Any]"
    column: str = ""
    also: "QuerySet[Any] | None" = None

    @property
    def all_rows(self) -> "tuple[QuerySet[Any], ...]":
        return (self.rows,) if self.also is None else (self.rows, self.also)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order; `to`: the path from the queried table to the run, "" or "run__".

    rank: None where no run lacks a value. zero: stands for the value where the rank says all.
    lanes: by rank, of keys whose values are in a table of their own; `missing` is the rank of runs
    without a row there.
    """

    sorting: Sorting
    value: Expression
    zero: Any
    rank: Expression | None = None
    lanes: tuple[Lane, ...] = ()
    missing: int = 1

    @property
    def descending(self) -> bool:
        return self.sorting.descending


def keys_of(order_by: Iterable[str], workspace_id: int) -> tuple[Key, ...]:
    """The keys of a request, and the start of the runs behind them, newest first, unless it is one.
    Raises MlflowError."""
    sortings = [parse_sorting(text, RUNS) for text in order_by]
    if len(sortings) > MOST_KEYS:
        raise wrong(f"Invalid order_by: at most {MOST_KEYS} keys sort.")
    seen = {(one.kind, one.key) for one in sortings}
    if len(seen) < len(sortings):
        raise wrong("Invalid order_by: it names a key twice.")
    if (STARTED.kind, STARTED.key) not in seen:
        sortings.append(STARTED)
    return tuple(_key(one, workspace_id) for one in sortings)


def _key(sorting: Sorting, workspace_id: int) -> Key:
    if sorting.kind == "metric":
        return _metric(sorting, workspace_id)
    if sorting.kind == "parameter":
        return _label(sorting, Parameter, workspace_id)
    if sorting.kind == "tag" and sorting.key not in (RUN_NAME, NOTE, PARENT):
        return _label(sorting, Tag, workspace_id)
    return _column(sorting)


def _metric(sorting: Sorting, workspace_id: int) -> Key:
    rows = metrics_of(workspace_id, sorting.key)
    infinite = ["-Infinity", "Infinity"]
    least, most = reversed(infinite) if sorting.descending else infinite
    others = rows.filter(last__isnull=True)
    lanes = (
        Lane(0, others.filter(last_text=least)),
        Lane(1, rows.filter(last__isnull=False), "last"),
        Lane(2, others.filter(last_text=most)),
        Lane(3, others.exclude(last_text__in=infinite)),
    )
    rank = Case(
        When(last__isnull=False, then=1),
        When(last_text=least, then=0),
        When(last_text=most, then=2),
        default=3,
        output_field=IntegerField(),
    )
    return Key(
        sorting,
        lambda to: Coalesce(_of_run(rows, "last", to), 0.0, output_field=FloatField()),
        0.0,
        lambda to: Coalesce(_of_run(rows.annotate(rank=rank), "rank", to), 4),
        lanes,
        4,
    )


def _label(sorting: Sorting, model: Any, workspace_id: int) -> Key:
    rows = model.objects.filter(workspace=workspace_id, key=nfc(sorting.key))
    first, last = (1, 0) if sorting.descending else (0, 1)
    # A tag without a value is one with an empty value to clients.
    none = rows.filter(value__isnull=True) if model is Tag else None
    empty = Lane(first, rows.filter(value=""), also=none)
    full = Lane(last, rows.filter(value__gt=""), "value")
    lanes = (full, empty) if sorting.descending else (empty, full)
    rank = Case(When(value__gt="", then=last), default=first, output_field=IntegerField())
    return Key(
        sorting,
        lambda to: Coalesce(_of_run(rows, "value", to), Value(""), output_field=TextField()),
        "",
        lambda to: Coalesce(_of_run(rows.annotate(rank=rank), "rank", to), 2),
        lanes,
        2,
    )


def _of_run(rows: "QuerySet[Any]", column: str, to: str) -> Any:
    return Subquery(rows.filter(run=OuterRef(f"{to}pk")).values(column)[:1])


def _column(sorting: Sorting) -> Key:
    """A column of the runs, or what is worked out from some."""
    whole: dict[str, Expression] = {
        "run_id": lambda to: F(f"{to}uid"),
        "run_name": lambda to: F(f"{to}display_name"),
        RUN_NAME: lambda to: F(f"{to}display_name"),
        "status": _status,
        "artifact_uri": artifact_uri,
    }
    if sorting.key == "start_time":
        return Key(sorting, lambda to: Coalesce(f"{to}started_at", f"{to}created_at"), EPOCH)
    if sorting.key in whole:
        return Key(sorting, whole[sorting.key], "")
    partly: dict[str, Expression] = {
        "end_time": lambda to: F(f"{to}ended_at"),
        "user_id": _user,
        NOTE: _note,
        PARENT: _parent,
    }
    held = partly[sorting.key]
    zero = EPOCH if sorting.key == "end_time" else ""
    field = DateTimeField() if sorting.key == "end_time" else TextField()
    return Key(
        sorting,
        lambda to: Coalesce(held(to), Value(zero, output_field=field), output_field=field),
        zero,
        lambda to: Cast(IsNull(held(to), True), IntegerField()),
    )


def _status(to: str) -> Any:
    names = sorted(set(STATUS.values()))
    shown = {name: [own for own, other in STATUS.items() if other == name] for name in names}
    whens = (When(**{f"{to}status__in": own}, then=Value(name)) for name, own in shown.items())
    return Case(*whens, default=Value(""), output_field=CharField())


def _user(to: str) -> Any:
    named = _of_run(Property.objects.filter(key=USER_ID).exclude(value=""), "value", to)
    tagged = NullIf(_of_run(Tag.objects.filter(key=USER), "value", to), Value(""))
    return Coalesce(named, tagged, f"{to}submitter__username", output_field=TextField())


def _note(to: str) -> Any:
    return _of_run(Description.objects.exclude(text=""), "text", to)


def _parent(to: str) -> Any:
    stored = _of_run(Tag.objects.filter(key=PARENT), "value", to)
    return Coalesce(stored, f"{to}parent__uid", output_field=TextField())


def lacks_row(key: Key) -> Q:
    """The runs that have no row in any lane of the key."""
    found = Q()
    for lane in key.lanes:
        for rows in lane.all_rows:
            found &= ~Q(Exists(rows.filter(run=OuterRef("pk"))))
    return found
