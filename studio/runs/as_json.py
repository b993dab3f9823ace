"""A run as the JSON values of the contract: what the API answers, and what a page shows of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Expression

from studio.accounts.models import User
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.runs.waiting import wait_of

MAX_LISTED_DESCRIPTION = 1_000


def iso(at: datetime | None) -> str | None:
    """ "2026-11-21T04:00:00.123456Z", or None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def with_parts(runs: RunQuerySet, *, user: User | Expression | None) -> RunQuerySet:
    """The runs with all that `run_dict` reads: 4 queries, whatever their number."""
    runs = runs.select_related(
        *("workspace", "experiment", "submitter", "target", "parent", "root"),
        *("description_row", "definition"),
    )
    if user is not None:
        runs = runs.starred_by(user)
    return runs.prefetch_related("tags", "properties", "parameters")


@dataclass(frozen=True, slots=True)
class Parts:
    """What hangs on a run, as JSON values; description version 0: none was written yet."""

    tags: dict[str, str | None]
    properties: dict[str, str | None]
    parameters: dict[str, str | None]
    description: str = ""
    description_version: int = 0
    definition: Mapping[str, Any] = field(default_factory=dict)


def parts_of(run: Run) -> Parts:
    """The parts of a run that came out of `with_parts`."""
    description = run.description_row if hasattr(run, "description_row") else None
    return Parts(
        tags=_pairs(run.tags.all()),
        properties=_pairs(run.properties.all()),
        parameters=_pairs(run.parameters.all()),
        description=description.text if description else "",
        description_version=description.version if description else 0,
        definition=run.definition.facts if hasattr(run, "definition") else {},
    )


def listed_dict(run: Run) -> dict[str, Any]:
    """A run as an item of a list: without its definition, the description cut."""
    return run_dict(run, listed=True)


def run_dict(
    run: Run, *, parts: Parts | None = None, listed: bool = False, notice: str = ""
) -> dict[str, Any]:
    """A run that came out of `with_parts`, or whose `parts` are known, as JSON values (unless it is
    `listed`, the queries of `wait_of`)."""
    parts = parts or parts_of(run)
    text, parent = parts.description, run.parent
    found = {
        "uid": run.uid,
        "number": run.number,
        "experiment": run.experiment.name,
        "workspace": run.workspace.name,
        "display_name": run.display_name,
        "type": run.type,
        **_status_part(run),
        "parent": parent.uid if parent else None,
        "root": run.root.uid if run.root else run.uid,
        "submitter": run.submitter.get_username() if run.submitter else None,
        "target": run.target.name if run.target else None,
        "tags": parts.tags,
        "properties": parts.properties,
        "parameters": parts.parameters,
        "description": text[:MAX_LISTED_DESCRIPTION] if listed else text,
        "description_version": parts.description_version,
        "script": run.script,
        "arguments": run.arguments,
        "snapshot": run.snapshot or None,
        "archived_at": iso(run.archived_at),
        "deleted_at": iso(run.deleted_at),
        "warnings": run.warnings,
        "n_children": run.n_children or 0,
        "starred": bool(getattr(run, "is_starred", False)),
        "url": run.page_url,
    }
    if not listed:
        wait = wait_of(run)
        found["definition"] = parts.definition
        found["evidence"] = run.evidence
        found["waiting_for"] = wait.words if wait else None
        found["n_before"] = wait.n_before if wait else None
    return found | ({"notice": notice} if notice else {})


def _status_part(run: Run) -> dict[str, Any]:
    return {
        "status": run.status,
        "status_at": iso(run.status_at),
        "status_reason": run.status_reason,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "duration_s": run.elapsed_s(),
        "max_run_duration_s": run.max_duration_s,
        "last_beat_at": iso(run.last_beat_at),
        "error": run.error,
        "exit_code": run.exit_code,
        "exit_signal": run.exit_signal,
        "cancel": cancel_dict(run),
    }


def _pairs(rows: Iterable[Any]) -> dict[str, Any]:
    return {row.key: row.whole_value for row in sorted(rows, key=lambda row: row.key)}


def cancel_dict(run: Run) -> dict[str, Any] | None:
    """Who asked the run to stop, why and when."""
    if run.cancel_requested_at is None:
        return None
    return {
        "by": run.cancel_requested_by,
        "reason": run.cancel_reason,
        "at": iso(run.cancel_requested_at),
    }
