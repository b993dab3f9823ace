"""The shapes of answers, for the OpenAPI document; a test compares real answers with them."""

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field


class Closed(Schema):
    """A schema that names every field."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(Schema):
    code: str
    message: str
    field: str | None = None


class Refusal(Schema):
    error: ErrorBody


class Cancel(Closed):
    by: str
    reason: str
    at: str


class RunError(Closed):
    code: str
    message: str
    traceback: str


class EndedBy(Closed):
    kind: str = Field(description="person, system, kernel, worker, outside, script or nobody")
    name: str


class LastMetric(Closed):
    name: str
    value: float | str | None
    step: int | None
    at: str | None


class LastLine(Closed):
    text: str
    at: str | None


class MemoryUsed(Closed):
    peak_bytes: int | None
    limit_bytes: int | None
    n_killed: int | None
    scope: str


class WorkerPlace(Closed):
    node: str
    host: str
    target: str


class LadderStep(Closed):
    step: str
    at: str
    after_s: float


class Evidence(Closed):
    """What is known of a run that did not end by itself, or that is silent."""

    ended_by: EndedBy
    last_heartbeat: str | None
    last_metric: LastMetric | None
    last_log_line: LastLine | None
    exit_code: int | None
    exit_signal: str | None
    out_of_memory: str = Field(description="proven, perhaps, no, or empty")
    memory: MemoryUsed | None
    worker: WorkerPlace | None
    ladder: list[LadderStep]
    ladder_s: float | None


class RunItem(Closed):
    uid: str
    number: int
    experiment: str
    workspace: str
    display_name: str
    type: str
    status: str
    status_at: str
    status_reason: str
    parent: str | None
    root: str
    submitter: str | None
    target: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    max_run_duration_s: float | None
    last_beat_at: str | None
    tags: dict[str, str | None]
    properties: dict[str, str]
    parameters: dict[str, str]
    description: str
    description_version: int
    script: str
    arguments: list[str]
    error: RunError | None
    exit_code: int | None
    exit_signal: int | None
    cancel: Cancel | None
    snapshot: str | None
    archived_at: str | None
    deleted_at: str | None
    definition: dict[str, Any] | None = Field(None, description="Left out in lists")
    evidence: Evidence | None = Field(
        None, description="Of an end that was not the script's own, and of silence; not in lists"
    )
    waiting_for: str | None = Field(None, description="Why it is still queued. Left out in lists")
    n_before: int | None = Field(
        None, description="Runs its target begins first, at most 1001. Left out in lists"
    )
    warnings: list[str]
    n_children: int
    starred: bool
    url: str
    notice: str | None = None


class RunPage(Closed):
    items: list[RunItem]
    next: str | None = None


class ExperimentItem(Closed):
    """`title` is what pages call it: the name that an MLflow client or another tracker gave, where
    that can't stand in an address; else `name`."""

    name: str
    title: str
    description: str
    description_version: int
    starred: bool
    created_at: str
    archived_at: str | None
    latest_run_at: str | None
    n_runs: int | None = None
    tags: dict[str, str | None]


class ExperimentPage(Closed):
    items: list[ExperimentItem]
    next: str | None


class EventItem(Closed):
    at: str
    kind: str
    actor: str
    before: Any
    after: Any
    message: str


class EventPage(Closed):
    items: list[EventItem]
    next: str | None


class Beat(Closed):
    status: str
    cancel: Cancel | None


class BatchAnswer(Beat):
    accepted: int
    duplicate: bool


Number = float | str | None


class MetricItem(Closed):
    name: str
    kind: str
    n_points: int
    last: Number
    last_step: int | None
    last_at: float | None
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None


class MetricPage(Closed):
    items: list[MetricItem]
    next: str | None


class PointsPage(Closed):
    name: str
    kind: str
    steps: list[int]
    times: list[float]
    values: list[Any]
    next: str | None


class Whoami(Closed):
    user: str
    workspace: str | None
    scope: str
    role: str | None
    run_uid: str | None
    version: str


class WorkspaceItem(Closed):
    name: str
    description: str
    role: str | None


def answers(schema: type[Schema], *, made: type[Schema] | None = None) -> dict[Any, Any]:
    """`response=` of an operation: what it gives, and how it may be refused."""
    found: dict[Any, Any] = {200: schema}
    if made is not None:
        found[201] = made
    return found | refusals(400, 401, 403, 404, 409, 413, 415, 422, 503)


def refusals(*codes: int) -> dict[Any, Any]:
    """The part of `response=` that names refusals. All have the shape of a Refusal, which the
    document says in one place: Ninja would make a class for each code of each operation, and that
    would take two thirds of a second of every start."""
    return dict.fromkeys(codes)
