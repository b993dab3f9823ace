"""Finding runs: the search grammar of the studio, as iterators."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.sdk.client import Client
from studio.sdk.errors import UserErrorException
from studio.wire import STATUSES

if TYPE_CHECKING:
    from studio.sdk.run import Run

PAGE = 500
SHOWN = 20


def find_runs(
    client: Client,
    *,
    tags: Any = None,
    properties: Any = None,
    status: Any = None,
    query: str | None = None,
    include_children: bool = False,
    **filters: Any,
) -> Iterator[dict[str, Any]]:
    """Records of the runs that match everything given, newest first; a page is asked for when
    the one before it is used up.

    tags, properties: a name that must exist, or a dict of required values; status: one or a list.
    `filters` are experiment, parent, ancestor, type, and `limit`: how many a page holds.
    """
    limit = min(PAGE, filters.pop("limit", PAGE))
    wanted_tags, wanted_properties = _wanted(tags, "tags"), _wanted(properties, "properties")
    statuses = _statuses(status)
    terms = [*_terms("tag", wanted_tags), *_terms("property", wanted_properties)]
    terms += [f"status:{'|'.join(statuses)}"] if statuses else []
    if query:
        terms.insert(0, f"({query})" if terms else query)
    found = client.items(
        "/runs",
        q=" ".join(terms) or None,
        children="true" if include_children else None,
        limit=limit,
        **filters,
    )
    folded = {name.casefold() for name in statuses}
    return (
        record
        for record in found
        if (not folded or str(record["status"]).casefold() in folded)
        and _has(record, "tags", wanted_tags)
        and _has(record, "properties", wanted_properties)
    )


class RunQuery:
    """The runs that match a search: iterate for Run objects (each time anew), take one after the
    other with `next`, or `to_pandas()`."""

    def __init__(self, client: Client, query: str, **filters: Any) -> None:
        self._client, self.query, self._filters = client, query, filters
        self._begun: Iterator[Run] | None = None

    def __next__(self) -> Run:
        if self._begun is None:
            self._begun = iter(self)
        return next(self._begun)

    def __iter__(self) -> Iterator[Run]:
        from studio.sdk.run import Run

        for record in self.records():
            yield Run._attached(self._client, record["uid"], record=record)

    def records(self) -> Iterator[dict[str, Any]]:
        """The matching runs as plain dicts."""
        return find_runs(self._client, query=self.query, **self._filters)

    def _repr_html_(self) -> str:
        """The first runs as a notebook shows them."""
        from studio.sdk.notebook import run_table

        return run_table(itertools.islice(self.records(), SHOWN))

    def to_pandas(self) -> Any:
        """A DataFrame: a row per run; tags, properties and parameters as columns "tag.<key>"."""
        try:
            import pandas  # type: ignore[import-untyped]
        except ImportError:
            raise UserErrorException("to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame([_flat(record) for record in self.records()])


class Runs:
    """`workspace.runs`: every run of a workspace."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def search(self, query: str = "", *, include_children: bool = False) -> RunQuery:
        """Runs that match a query such as `metric.loss<0.3 -status:failed`, newest first."""
        return RunQuery(self._client, query, include_children=include_children)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.search())

    def get(self, run_id: str) -> Run:
        """The run with this id; NotFoundException when there is none."""
        from studio.sdk.run import Run

        run = Run._attached(self._client, run_id)
        run._fetch()
        return run


def _statuses(status: Any) -> list[str]:
    given = [status] if isinstance(status, str) else list(status or [])
    for name in given:
        if str(name).casefold() not in {known.casefold() for known in STATUSES}:
            raise UserErrorException(f"there is no status {name!r}: {', '.join(STATUSES)}")
    return given


def _wanted(filters: Any, what: str) -> dict[str, Any]:
    if filters is None:
        return {}
    if isinstance(filters, str):
        return {filters: ...}
    if isinstance(filters, dict):
        return {str(k): v if v is None else str(v) for k, v in filters.items()}
    raise UserErrorException(f"{what} takes a name or a dict of names and values")


def _terms(key: str, wanted: dict[str, Any]) -> list[str]:
    """Search terms; a tag with the value None is one without a value, which `has:` finds."""
    return [
        f"has:{key}.{quoted(name)}" if value in (..., None) or value == ""
        else f"{key}.{quoted(name)}:{quoted(value)}"
        for name, value in wanted.items()
    ]  # fmt: skip


def quoted(text: str) -> str:
    """The text as one word of the search grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _has(record: dict[str, Any], field: str, wanted: dict[str, Any]) -> bool:
    """The exact check: the search compares words without case, a dict of values does not."""
    found = record.get(field) or {}
    return all(k in found and (v is ... or found[k] == v) for k, v in wanted.items())


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    flat = {k: v for k, v in record.items() if not isinstance(v, dict | list)}
    for field, prefix in (("tags", "tag"), ("properties", "property"), ("parameters", "param")):
        flat.update({f"{prefix}.{k}": v for k, v in (record.get(field) or {}).items()})
    return flat
