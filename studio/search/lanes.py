"""How a column becomes something a database can sort by.

A column has one or two lanes. A run is in the first lane it has a value for: a parameter that is a
number stands among the numbers, another one among the texts behind them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import (
    Case,
    Exists,
    F,
    IntegerField,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.lookups import IsNull

from studio.accounts.models import User, Workspace
from studio.compute.models import Target
from studio.metrics.models import Metric
from studio.runs.models import Experiment, Parameter, Property, Star, Tag
from studio.search.blocks import Shared
from studio.search.columns import Column

# Columns with few values, each of very many runs.
SHARED = frozenset({"experiment", "submitter", "target", "status", "type"})


@dataclass(frozen=True, slots=True)
class Lane:
    """One sortable value of runs; None for a run without it.

    value: the expression, given the path from the queried table to the run ("" or "run__");
    present: the runs that have it; never_empty: whether all do. rows and column: the table whose
    index holds the values in order, when it is not the runs' own. shared: of a column with few
    values, how they are walked.
    """

    value: Callable[[str], Any]
    present: Q
    never_empty: bool = False
    rows: "QuerySet[Any] | None" = None
    column: str = ""
    shared: Shared | None = None


def lanes_of(column: Column, workspace: Workspace, user: User | None) -> tuple[Lane, ...]:
    """The lanes of a column that can sort; `user`: whose stars."""
    if column.family in _FIELDS:
        lane = _field(_FIELDS[column.family], never_empty=column.family not in _EMPTY)
        return (replace(lane, shared=_shared(column.family, workspace)),)
    if column.family == "star":
        return (_star(user),)
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
    "children": "n_children",
    "tags": "first_tag",
    "description": "description_start",
}
_EMPTY = frozenset({"started", "ended", "duration", "submitter", "target"})
_EMPTY |= {"children", "tags", "description"}


def _field(path: str, *, never_empty: bool) -> Lane:
    present = Q(**{f"{path.split('__')[0]}__isnull": False})
    return Lane(lambda to: F(to + path), present, never_empty)


def _shared(family: str, workspace: Workspace) -> Shared | None:
    """Where a column has few values, how they are walked."""
    if family == "experiment":
        return Shared("experiment", Experiment.objects.of(workspace), "name")
    if family == "submitter":
        return Shared("submitter", User.objects.all(), "username")
    if family == "target":
        return Shared("target", Target.objects.all(), "name")
    return Shared(family) if family in SHARED else None


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
