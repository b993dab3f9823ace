"""How a column becomes something a database can sort by.

A column has one or two lanes. A run is in the first lane it has a value for: a parameter that is a
number stands among the numbers, another one among the texts behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Concat, Substr
from django.db.models.lookups import IsNull

from studio.accounts.models import User, Workspace
from studio.metrics.models import Metric
from studio.runs.models import Description, Parameter, Property, Run, Star, Tag
from studio.search.columns import Column

LONGEST_SORTED = 200


@dataclass(frozen=True, slots=True)
class Lane:
    """One sortable value of runs; None for a run without it.

    value: the expression, given the path from the queried table to the run ("" or "run__");
    present: the runs that have it; never_empty: whether all do. rows and column: the table whose
    index holds the values in order, when it is not the runs' own.
    """

    value: Callable[[str], Any]
    present: Q
    never_empty: bool = False
    rows: "QuerySet[Any] | None" = None
    column: str = ""


def lanes_of(column: Column, workspace: Workspace, user: User | None) -> tuple[Lane, ...]:
    """The lanes of a column that can sort; `user`: whose stars."""
    if column.family in _FIELDS:
        return (_field(_FIELDS[column.family], never_empty=column.family not in _EMPTY),)
    if column.family == "star":
        return (_star(user),)
    if column.family in _COMPUTED:
        return (_COMPUTED[column.family](workspace),)
    rows = _MODELS[column.family]._default_manager.filter(workspace=workspace)
    if column.family == "metric":
        rows = rows.filter(name=column.name)
        if column.stat:
            return (_named(rows, column.stat),)
        text = rows.filter(last__isnull=True).exclude(last_text="")
        return _named(rows, "last"), _named(text, "last_text")
    rows = rows.filter(key=column.name)
    if column.family == "param":
        # The sum keeps the planner from the index of numbers, after which it would have to sort.
        texts = rows.filter(IsNull(F("number") + Value(0.0), True))
        return _named(rows, "number"), _named(texts, "value")
    return (_named(rows, "value"),)


_MODELS: dict[str, type[Model]] = {
    "tag": Tag,
    "property": Property,
    "param": Parameter,
    "metric": Metric,
}
_FIELDS = {
    "name": "display_name",
    "experiment": "experiment__name",
    "status": "status",
    "submitted": "created_at",
    "started": "started_at",
    "ended": "ended_at",
    "duration": "duration_s",
    "submitter": "submitter__username",
    "target": "target__name",
    "type": "type",
    "number": "number",
    "uid": "uid",
}
_EMPTY = frozenset({"started", "ended", "duration", "submitter", "target"})


def _field(path: str, *, never_empty: bool) -> Lane:
    present = Q(**{f"{path.split('__')[0]}__isnull": False})
    return Lane(lambda to: F(to + path), present, never_empty)


def _named(rows: "QuerySet[Any]", column: str) -> Lane:
    """A tag, property, parameter or metric: each run has one row of `rows` at most."""
    full = rows.filter(**{f"{column}__isnull": False})

    def value(to: str) -> Any:
        return Subquery(rows.filter(run=OuterRef(f"{to}pk")).values(column)[:1])

    return Lane(value, Q(Exists(full.filter(run=OuterRef("pk")))), rows=full, column=column)


def _star(user: User | None) -> Lane:
    stars = Star.objects.filter(user=user) if user else Star.objects.none()

    def value(to: str) -> Any:
        starred = Exists(stars.filter(run=OuterRef(f"{to}pk")))
        return Case(When(starred, then=Value(1)), output_field=IntegerField())

    return Lane(value, Q(pk__in=stars.values("run")))


def _children(workspace: Workspace) -> Lane:
    """The number of child runs; none is no value."""
    children = Run.objects.filter(workspace=workspace, parent__isnull=False, deleted_at=None)

    def value(to: str) -> Any:
        of_run = children.filter(parent=OuterRef(f"{to}pk")).order_by().values("parent")
        return Subquery(of_run.annotate(n=Count("pk")).values("n"), output_field=IntegerField())

    return Lane(value, Q(pk__in=children.order_by().values("parent")))


def _description(workspace: Workspace) -> Lane:
    rows = Description.objects.exclude(text="")

    def value(to: str) -> Any:
        begins = Substr("text", 1, LONGEST_SORTED)
        return Subquery(rows.filter(run=OuterRef(f"{to}pk")).values(begin=begins))

    return Lane(value, Q(Exists(rows.filter(run=OuterRef("pk")))))


def _tags(workspace: Workspace) -> Lane:
    """The first tag by its key."""
    rows = Tag.objects.order_by("key")

    def value(to: str) -> Any:
        held = Coalesce("value", Value(""), output_field=TextField())
        whole = Concat("key", Value(": "), held, output_field=TextField())
        text = Substr(whole, 1, LONGEST_SORTED)
        return Subquery(rows.filter(run=OuterRef(f"{to}pk")).values(text=text)[:1])

    return Lane(value, Q(Exists(Tag.objects.filter(run=OuterRef("pk")))))


_COMPUTED: dict[str, Callable[[Workspace], Lane]] = {
    "children": _children,
    "description": _description,
    "tags": _tags,
}
