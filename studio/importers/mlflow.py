"""What the three sources of MLflow have in common: statuses, times, special tags. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from studio.importers.records import (
    DatasetRecord,
    FileRecord,
    ModelRecord,
    Points,
    RunRecord,
    Unreadable,
)
from studio.lineage.models import MODEL_UID_RULE, ModelStatus
from studio.runs.status import Status

# Run ids are unique in the world: a run is the same from a folder, a database and a server.
SOURCE = "mlflow"
RUN_NAME, NOTE = "mlflow.runName", "mlflow.note.content"
PARENT, USER = "mlflow.parentRunId", "mlflow.user"
# By name (servers, databases) and by number (folders).
STATUSES = {
    **dict.fromkeys(("RUNNING", "1"), Status.RUNNING),
    **dict.fromkeys(("SCHEDULED", "2"), Status.QUEUED),
    **dict.fromkeys(("FINISHED", "3"), Status.COMPLETED),
    **dict.fromkeys(("FAILED", "4"), Status.FAILED),
    **dict.fromkeys(("KILLED", "5"), Status.CANCELED),
}
MODEL_STATUSES = {
    **dict.fromkeys(("LOGGED_MODEL_PENDING", "1"), ModelStatus.PENDING),
    **dict.fromkeys(("LOGGED_MODEL_READY", "2"), ModelStatus.READY),
    **dict.fromkeys(("LOGGED_MODEL_UPLOAD_FAILED", "3"), ModelStatus.FAILED),
}
PIECE = 5_000
T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9_\-]{1,256}")


class WrongValue(ValueError):
    """A value of the source that is not what it should be."""


def moment(ms: object) -> datetime | None:
    """A time in milliseconds since 1970; None for none. Raises WrongValue."""
    if ms in (None, "", 0, "0"):
        return None
    try:
        return datetime.fromtimestamp(int(str(ms)) / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise WrongValue(f"“{str(ms)[:40]}” is no time in milliseconds.") from error


def status_of(value: object) -> str:
    """Raises WrongValue."""
    try:
        return STATUSES[str(value)]
    except KeyError as error:
        raise WrongValue(f"“{str(value)[:40]}” is no status of a run.") from error


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of `size`, the last one shorter."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part


def _nothing() -> Sequence[Points]:
    return ()


def _no_files() -> Sequence[FileRecord]:
    return ()


@dataclass(slots=True)
class Found:
    """A run as one of the sources has it. Times are in milliseconds since 1970."""

    run_id: str
    experiment: str
    status: object
    name: str = ""
    user: str = ""
    start_ms: object = None
    end_ms: object = None
    tags: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    datasets: list[DatasetRecord] = field(default_factory=list)
    models: list[ModelRecord] = field(default_factory=list)
    points: Callable[[], Iterable[Points | Unreadable]] = _nothing
    files: Callable[[], Iterable[FileRecord | Unreadable]] = _no_files
    problems: list[str] = field(default_factory=list)
    version: str = ""


def record_of(found: Found) -> RunRecord:
    """Raises WrongValue."""
    if not _ID.fullmatch(found.run_id):
        raise WrongValue(f"“{found.run_id[:80]}” is no id of a run.")
    own = {k: v for k, v in found.tags.items() if k not in {RUN_NAME, NOTE, PARENT}}
    started, ended = moment(found.start_ms), moment(found.end_ms)
    return RunRecord(
        origin=found.run_id,
        uid=found.run_id,
        experiment=found.experiment,
        name=found.name or found.tags.get(RUN_NAME, ""),
        status=status_of(found.status),
        created_at=started or ended or datetime.fromtimestamp(0, UTC),
        started_at=started,
        ended_at=ended,
        parent=found.tags.get(PARENT, ""),
        description=found.tags.get(NOTE, ""),
        submitter=found.user or found.tags.get(USER, ""),
        tags=own,
        parameters=found.parameters,
        points=found.points,
        files=found.files,
        datasets=tuple(found.datasets),
        models=tuple(found.models),
        problems=tuple(found.problems),
        version=found.version,
    )


def model_record(
    facts: Mapping[str, object], *, parameters: Mapping[str, str], tags: Mapping[str, str]
) -> ModelRecord:
    """A logged model by the names MLflow has in its files and answers. Raises WrongValue."""
    uid = str(facts.get("model_id", ""))
    if not re.fullmatch(MODEL_UID_RULE, uid):
        raise WrongValue(f"“{uid[:80]}” is no id of a model.")
    created = facts.get("creation_timestamp") or facts.get("creation_timestamp_ms")
    return ModelRecord(
        uid=uid,
        name=str(facts.get("name") or ""),
        status=MODEL_STATUSES.get(str(facts.get("status")), ModelStatus.READY),
        created_at=moment(created) or datetime.fromtimestamp(0, UTC),
        model_type=str(facts.get("model_type") or ""),
        parameters=parameters,
        tags=tags,
    )


def dataset_record(facts: Mapping[str, object], labels: Mapping[str, str]) -> DatasetRecord:
    """A data set by the names MLflow has in its files and answers."""

    def text(name: str) -> str:
        return str(facts.get(name) or "")

    return DatasetRecord(
        name=text("name"),
        digest=text("digest"),
        source_type=text("source_type"),
        source=text("source"),
        schema=text("schema"),
        profile=text("profile"),
        labels=labels,
    )
