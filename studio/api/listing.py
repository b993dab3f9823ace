"""What the list of runs takes, and gives beside the runs themselves: filters, order, columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from studio.accounts.models import User
from studio.api.access import actor_of, experiment_of, run_of, workspace_of
from studio.api.paging import DEFAULT_LIMIT, MAX_LIMIT
from studio.api.schemas import RunItem, RunPage
from studio.api.serialize import listed_dict
from studio.exports.json_lines import json_value
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import apply, asks_for_archived
from studio.search.column_values import values_for
from studio.search.columns import EXAMPLES, Column, parse_columns
from studio.search.order import Order, parse_order
from studio.search.syntax import parse

_ORDER = (
    "`newest`, or the columns to sort by, separated by commas, each with a minus before it to go "
    "down. Runs without a value come last either way; equal ones follow each other by id."
)
_COLUMNS = (
    "Columns, separated by commas, whose values are given: an attribute, "
    "`tag.KEY`, `property.KEY`, `param.KEY`, `metric.NAME` (last), `metric.NAME:min`, "
    "`metric.NAME:max`, `metric.NAME:at-min(OTHER)` or `:at-max(OTHER)`: the value at the step "
    "where the metric OTHER was lowest or highest."
)


class RunChoice(Schema):
    """Which runs a list shows, in which order, with which columns."""

    q: str = ""
    experiment: str = ""
    parent: str = ""
    ancestor: str = ""
    children: bool = False
    type: str = ""
    order: str = Field("newest", description=_ORDER, examples=[EXAMPLES["order"]])
    columns: str = Field("", description=_COLUMNS, examples=[EXAMPLES["columns"]])


class RunFilter(RunChoice):
    """Runs by page, which `cursor` and `limit` cut."""

    cursor: str = ""
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class ListedRun(RunItem):
    columns: dict[str, Any] | None = Field(
        None, description="Column -> value, null for none; only for the columns asked for"
    )


class ListedRunPage(RunPage):
    items: list[ListedRun]  # type: ignore[assignment]


def listed(
    runs: Sequence[Run], columns: Sequence[Column], *, user: User | None
) -> list[dict[str, Any]]:
    """The items of a page; with columns, each with its values (a query for each kind of them)."""
    items = [listed_dict(run) for run in runs]
    if columns:
        values = values_for(runs, columns, user=user)
        for run, item in zip(runs, items, strict=True):
            cells = values[run.pk]
            item["columns"] = {str(column): json_value(cells[column]) for column in columns}
    return items


class ChosenRuns(NamedTuple):
    """The runs of a list in no order yet, their order and their columns."""

    runs: RunQuerySet
    order: Order
    columns: tuple[Column, ...]


def chosen_runs(request: HttpRequest, workspace: str, wanted: RunChoice) -> ChosenRuns:
    """What was asked for. Raises SearchSyntaxError, NotFound."""
    room, user = workspace_of(request, workspace), actor_of(request).user
    node = parse(wanted.q)
    order = Order(parse_order(wanted.order), room, user)
    columns = parse_columns(wanted.columns)
    runs = Run.objects.of(room)
    if not asks_for_archived(node):
        runs = runs.listed()
    if wanted.experiment:
        runs = runs.filter(experiment=experiment_of(room, wanted.experiment))
    if wanted.type:
        runs = runs.filter(type=wanted.type)
    runs = apply(_placed(request, runs, workspace, wanted), node, user=user, workspace=room)
    return ChosenRuns(runs, order, columns)


def _placed(
    request: HttpRequest, runs: RunQuerySet, workspace: str, wanted: RunChoice
) -> RunQuerySet:
    """The runs at the wanted place of the tree."""
    if wanted.parent:
        return runs.filter(parent=run_of(request, workspace, wanted.parent))
    if wanted.ancestor:
        return runs & Run.objects.descendants_of(run_of(request, workspace, wanted.ancestor))
    return runs if wanted.children else runs.roots()
