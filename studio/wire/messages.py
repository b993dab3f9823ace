"""The messages of the HTTP API: frozen dataclasses with strict `parse` and plain `dump`."""

# ruff: noqa: RUF009 - the calls in dataclass bodies build field(), not values
from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self

from studio.wire import checks, columns
from studio.wire.checks import (
    Check,
    WireError,
    array,
    choice,
    flag,
    integer,
    json_object,
    label,
    mapping,
    scalar,
    seconds,
    text,
)

MAX_POINTS = 100_000
MAX_CHILDREN = 1_000
RUN_TYPES = ("interactive", "script", "pipeline", "step")


def _field(check: Check, **default: Any) -> Any:
    return field(metadata={"check": check}, **default)


def _optional(check: Check) -> Any:
    return field(metadata={"check": check}, default=None)


def _nested(cls: type[Message]) -> Check:
    return lambda value, path: cls.parse(value, path)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.dump()
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return value


@dataclass(frozen=True)
class Message:
    """Base of all messages: fields carry their checks, null and absent optional fields are one."""

    @classmethod
    def parse(cls, data: Any, path: str = "") -> Self:
        """The message in `data`; raises WireError at the first wrong, missing or unknown field."""
        if type(data) is not dict:
            raise WireError(path, f"must be an object, not {checks.kind_of(data)}")
        prefix, parsed = f"{path}." if path else "", {}
        for item in fields(cls):
            value = data.get(item.name)
            if value is not None:
                parsed[item.name] = item.metadata["check"](value, prefix + item.name)
            elif item.default is MISSING and item.default_factory is MISSING:
                raise WireError(prefix + item.name, "is required")
        if len(data) > len(parsed):
            for key in data.keys() - {item.name for item in fields(cls)}:
                raise WireError(prefix + str(key)[: checks.MAX_NAME], "is not a known field")
        return cls(**parsed)

    def dump(self) -> dict[str, Any]:
        """JSON-ready values; fields that are None are left out."""
        values = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: _plain(value) for name, value in values if value is not None}


@dataclass(frozen=True)
class Series(Message):
    """Points of one metric in columns of equal length; `steps` None: the server numbers on."""

    name: str = _field(checks.name)
    kind: str = _field(choice(*columns.KINDS))
    times: list[float] = _field(columns.times)
    values: list[Any] = _field(lambda value, path: value)
    steps: list[int] | None = _optional(columns.steps)

    @classmethod
    def parse(cls, data: Any, path: str = "") -> Self:
        """The series; columns are checked in bulk, scalar and list values come out as floats."""
        series = super().parse(data, path)
        values = series.values
        if type(values) is not list or not values or len(values) > MAX_POINTS:
            raise WireError(f"{path}.values", f"must be a list of 1 to {MAX_POINTS} values")
        for column in ("times", "steps"):
            other = getattr(series, column)
            if other is not None and len(other) != len(values):
                raise WireError(f"{path}.{column}", f"must have {len(values)} elements")
        parsed = columns.VALUES[series.kind](values, f"{path}.values", series.kind)
        return cls(series.name, series.kind, series.times, parsed, series.steps)

    def dump(self) -> dict[str, Any]:
        """The series as JSON columns; non-finite numbers become strings."""
        values = self.values
        if self.kind in ("scalar", "list"):
            values = columns.dump_numbers(values)
        head = {"name": self.name, "kind": self.kind, "steps": self.steps}
        return {**head, "times": self.times, "values": values}


@dataclass(frozen=True)
class Batch(Message):
    """What one POST of metrics carries; `batch` was fixed before the first send."""

    batch: str = _field(checks.batch_id)
    metrics: tuple[Series, ...] = _field(array(_nested(Series), most=20_000))

    @property
    def n_points(self) -> int:
        return sum(len(series.values) for series in self.metrics)

    @classmethod
    def parse(cls, data: Any, path: str = "") -> Self:
        """The batch; at most 100,000 points over all its series."""
        batch = super().parse(data, path)
        if batch.n_points > MAX_POINTS:
            raise WireError("metrics", f"has {batch.n_points} points, at most {MAX_POINTS} a batch")
        return batch


@dataclass(frozen=True)
class Environment(Message):
    """Where a submitted script runs: an interpreter (a path, or a name on the worker), or what is
    installed into an environment built on it: a requirements file of the source, and packages; and
    variables."""

    name: str | None = _optional(checks.name)
    python: str | None = _optional(checks.interpreter)
    requirements: str | None = _optional(label)
    packages: tuple[str, ...] | None = _optional(array(text(least=1, most=1_000), most=1000))
    variables: dict[str, str] = _field(checks.variables, default_factory=dict)


@dataclass(frozen=True)
class Submit(Message):
    """How a worker starts a run: a script with arguments, or a command, on a target."""

    snapshot: str = _field(text(least=1, most=256))
    target: str = _field(checks.name, default="local")
    script: str | None = _optional(label)
    arguments: tuple[str, ...] = _field(array(checks.long_text, most=1000), default=())
    command: tuple[str, ...] | None = _optional(array(checks.long_text, least=1, most=1000))
    environment: Environment = _field(_nested(Environment), default_factory=Environment)
    grace_s: float | None = _optional(seconds)

    @classmethod
    def parse(cls, data: Any, path: str = "") -> Self:
        """The submission; exactly one of `script` and `command` must be there."""
        submit = super().parse(data, path)
        if (submit.script is None) == (submit.command is None):
            raise WireError(f"{path}.script", "give either a script or a command")
        return submit


@dataclass(frozen=True)
class RunCreate(Message):
    """A new run; the client makes `uid`, so that sending it again creates nothing new."""

    uid: str = _field(checks.uid)
    experiment: str = _field(text(least=1, most=255, pattern=checks.EXPERIMENT))
    display_name: str | None = _optional(text(least=1, most=256))
    description: str | None = _optional(text(most=checks.MAX_DESCRIPTION))
    type: str | None = _optional(choice(*RUN_TYPES))
    parent: str | None = _optional(checks.uid)
    tags: dict[str, str | None] = _field(checks.tags, default_factory=dict)
    properties: dict[str, str] = _field(checks.properties, default_factory=dict)
    parameters: dict[str, Any] = _field(mapping(scalar), default_factory=dict)
    definition: dict[str, Any] = _field(json_object, default_factory=dict)
    start: bool = _field(flag, default=False)
    max_run_duration_s: float | None = _optional(seconds)
    submit: Submit | None = _optional(_nested(Submit))
    depends_on: tuple[str, ...] = _field(array(checks.uid, most=1000), default=())


@dataclass(frozen=True)
class WorkspaceCreate(Message):
    """A new workspace; `owner` is a user name, the sender's own if absent."""

    name: str = _field(text(least=1, most=63))
    owner: str | None = _optional(text(least=1, most=150))


@dataclass(frozen=True)
class RunPatch(Message):
    """Editable texts of a run; `description_version` is the one the writer saw."""

    display_name: str | None = _optional(text(least=1, most=256))
    description: str | None = _optional(text(most=checks.MAX_DESCRIPTION))
    description_version: int | None = _optional(integer())


@dataclass(frozen=True)
class ChildCreate(Message):
    """One of many children created in one call."""

    uid: str = _field(checks.uid)
    display_name: str | None = _optional(text(least=1, most=256))
    tags: dict[str, str | None] = _field(checks.tags, default_factory=dict)
    type: str | None = _optional(choice(*RUN_TYPES))
    depends_on: tuple[str, ...] = _field(array(checks.uid, most=1000), default=())


@dataclass(frozen=True)
class ChildrenCreate(Message):
    """Up to 1,000 children of one run, created in one transaction."""

    children: tuple[ChildCreate, ...] = _field(array(_nested(ChildCreate), most=MAX_CHILDREN))
    start: bool = _field(flag, default=True)


@dataclass(frozen=True)
class TagChange(Message):
    """Tags to set (null: a tag without a value) and keys to remove. `seen`: the values that the
    writer saw of keys it changes, `absent`: keys it saw no tag of; nothing is changed when they are
    not so any more."""

    set: dict[str, str | None] = _field(checks.tags, default_factory=dict)
    remove: tuple[str, ...] = _field(array(checks.key_text, most=1000), default=())
    seen: dict[str, str | None] = _field(checks.tags, default_factory=dict)
    absent: tuple[str, ...] = _field(array(checks.key_text, most=1000), default=())


@dataclass(frozen=True)
class PropertyChange(Message):
    """Properties to add; a key that exists with another value is refused as a whole."""

    set: dict[str, str] = _field(checks.properties)


@dataclass(frozen=True)
class ParameterChange(Message):
    """Parameters to set."""

    set: dict[str, Any] = _field(mapping(scalar))


@dataclass(frozen=True)
class ErrorInfo(Message):
    """Why a run failed."""

    code: str | None = _optional(text(most=checks.MAX_NAME))
    message: str | None = _optional(text(most=checks.MAX_TEXT))
    traceback: str | None = _optional(text(most=checks.MAX_DESCRIPTION))


@dataclass(frozen=True)
class FailRequest(Message):
    """Mark a run as failed."""

    error: ErrorInfo | None = _optional(_nested(ErrorInfo))
    reason: str | None = _optional(checks.long_text)


@dataclass(frozen=True)
class CancelRequest(Message):
    """Ask a run, and by default its children, to stop."""

    reason: str | None = _optional(checks.long_text)
    children: bool = _field(flag, default=True)


@dataclass(frozen=True)
class CanceledRequest(Message):
    """The program stops because it was asked to, or by itself; `children`: its unfinished child
    runs are asked to stop too."""

    reason: str | None = _optional(checks.long_text)
    children: bool = _field(flag, default=False)


@dataclass(frozen=True)
class Heartbeat(Message):
    """A sign of life, with what the client had to drop so far. `sender` names the process whose
    count it is: counts of several add up."""

    warning: str | None = _optional(checks.long_text)
    n_dropped: int | None = _optional(integer())
    sender: str | None = _optional(text(least=1, most=64, pattern=checks.SENDER))


@dataclass(frozen=True)
class FileEntry(Message):
    """One file of a snapshot."""

    path: str = _field(label)
    digest: str = _field(checks.digest)
    size: int = _field(integer())
    executable: bool = _field(flag, default=False)


@dataclass(frozen=True)
class SnapshotCreate(Message):
    """The files of a snapshot, all blobs uploaded before."""

    files: tuple[FileEntry, ...] = _field(array(_nested(FileEntry), most=20_000))


@dataclass(frozen=True)
class DigestList(Message):
    """Digests the client has and asks which of them the server lacks."""

    digests: tuple[str, ...] = _field(array(checks.digest, most=20_000))
