"""Rows of tags and parameters, whose values may be longer than an index takes."""

from typing import Any

from django.db.models import QuerySet

from studio.runs.limits import as_number, split_value, whole_value
from studio.runs.models import Parameter, Run, Tag
from studio.runs.rows import Row

# What a row is made of besides its run and key; all of it is written when a value changes.
OF_TAG = ["value", "rest"]
OF_PARAMETER = ["value", "rest", "number"]


# The columns of new labels, in the order in which the functions below give their values.
COLUMNS_OF_TAG = ("run_id", "workspace_id", "key", "value", "rest")
COLUMNS_OF_PROPERTY = ("run_id", "workspace_id", "key", "value")
COLUMNS_OF_PARAMETER = ("run_id", "workspace_id", "key", "value", "rest", "number")


def tag_values(run: Run, key: str, value: str | None) -> Row:
    return (run.pk, run.workspace_id, key, *split_value(key, value))


def parameter_values(run: Run, key: str, value: str) -> Row:
    head, rest = split_value(key, value)
    number = None if rest else as_number(value)
    return (run.pk, run.workspace_id, key, head or "", rest, number)


def tag_row(run: Run, key: str, value: str | None) -> Tag:
    return Tag(**dict(zip(COLUMNS_OF_TAG, tag_values(run, key, value), strict=True)))


def parameter_row(run: Run, key: str, value: str) -> Parameter:
    values = parameter_values(run, key, value)
    return Parameter(**dict(zip(COLUMNS_OF_PARAMETER, values, strict=True)))


def by_key(rows: QuerySet[Any]) -> dict[str, Any]:
    """The whole values of rows of one run, in their order (1 query)."""
    found = rows.values_list("key", "value", "rest")
    return {key: whole_value(value, rest) for key, value, rest in found}
