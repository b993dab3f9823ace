"""Rows of tags and parameters, whose values may be longer than an index takes."""

from typing import Any

from django.db.models import QuerySet

from studio.runs.limits import as_number, split_value, whole_value
from studio.runs.models import Parameter, Run, Tag

# What a row is made of besides its run and key; all of it is written when a value changes.
OF_TAG = ["value", "rest"]
OF_PARAMETER = ["value", "rest", "number"]


def tag_row(run: Run, key: str, value: str | None) -> Tag:
    head, rest = split_value(key, value)
    return Tag(run=run, workspace_id=run.workspace_id, key=key, value=head, rest=rest)


def parameter_row(run: Run, key: str, value: str) -> Parameter:
    head, rest = split_value(key, value)
    return Parameter(
        run=run,
        workspace_id=run.workspace_id,
        key=key,
        value=head or "",
        rest=rest,
        number=None if rest else as_number(value),
    )


def by_key(rows: QuerySet[Any]) -> dict[str, Any]:
    """The whole values of rows of one run, in their order (1 query)."""
    found = rows.values_list("key", "value", "rest")
    return {key: whole_value(value, rest) for key, value, rest in found}
