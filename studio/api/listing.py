"""What the list of runs takes and gives beside the runs themselves: order and columns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import JsonResponse
from ninja import Schema
from pydantic import Field

from studio.accounts.models import User
from studio.api.errors import error
from studio.api.paging import DEFAULT_LIMIT, MAX_LIMIT
from studio.api.schemas import RunItem, RunPage
from studio.api.serialize import iso, listed_dict
from studio.runs.models import Run
from studio.runs.rollup import Rollup
from studio.search.column_values import Cell, values_for
from studio.search.columns import EXAMPLES, Column
from studio.search.errors import SearchSyntaxError

_ORDER = (
    "`newest`, or the columns to sort by, separated by commas, each with a minus before it to go "
    "down. Runs without a value come last either way; equal ones follow each other by id."
)
_COLUMNS = (
    "Columns whose values each item gets as `columns`, separated by commas: an attribute, "
    "`tag.KEY`, `property.KEY`, `param.KEY`, `metric.NAME` (last), `metric.NAME:min`, "
    "`metric.NAME:max`, `metric.NAME:at-min(OTHER)` or `:at-max(OTHER)`: the value at the step "
    "where the metric OTHER was lowest or highest."
)


class RunFilter(Schema):
    """Which runs a list shows; a page is cut by `cursor` and `limit`."""

    q: str = ""
    experiment: str = ""
    parent: str = ""
    ancestor: str = ""
    children: bool = False
    type: str = ""
    order: str = Field("newest", description=_ORDER, examples=[EXAMPLES["order"]])
    columns: str = Field("", description=_COLUMNS, examples=[EXAMPLES["columns"]])
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
            item["columns"] = {str(column): _json(cells[column]) for column in columns}
    return items


def _json(value: Cell) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Rollup):
        return {
            "n": value.n,
            "completed": value.n_completed,
            "failed": value.n_failed,
            "canceled": value.n_canceled,
        }
    return value


def wrong_list(problem: SearchSyntaxError) -> JsonResponse:
    """The answer to columns or an order that can't be read: what is wrong, where, and how else."""
    facts = {"position": problem.position, "length": problem.length, "example": problem.example}
    return error(422, "invalid", problem.message, field=problem.field, **facts)
