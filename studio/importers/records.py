"""What a reader of another tracker's history yields: runs in plain values, free of any database.

A reader is a generator of `RunRecord`, `Unreadable` and `Note`. Everything large is read when it is
asked for: points as an iterator of pieces, files by an opener.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Points:
    """A piece of one metric: columns of equal length, in the order of the source.

    steps: whole numbers of 64 bits; times: seconds since 1970; values: floats (NaN and infinities
    are values), or what the `kind` of metrics.models demands. A metric may come in many pieces,
    also with pieces of others between them; a few thousand points a piece is a good size.
    """

    name: str
    steps: Sequence[int]
    times: Sequence[float]
    values: Sequence[Any]
    kind: str = "scalar"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a run; `open` gives its bytes from the start, and is called once at most.

    sha256: in hex when the source tells it without being read. Where it does not, a file of the
    same path and size as one that was stored before is taken for the same.
    """

    path: str
    n_bytes: int | None
    open: Callable[[], BinaryIO]
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something of the source that is no run, or a broken one, or a part of one: skipped and
    reported. `place` names where, such as a path below the source."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """What people should know of the import as a whole, such as what it can't bring; no problem."""

    text: str


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A data set that a run used. labels: what else is said of this use, by key (`lineage`);
    created_at: when it was first told of, None where that is not known."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that the run keeps. uid: `m-` and 32 hex digits. Its files are files of the run,
    below models/UID/. status: a value of lineage.models.ModelStatus. step: at which the run made
    it, None where the source tells that apart. The rest is what only a studio has."""

    uid: str
    name: str
    status: str
    created_at: datetime
    model_type: str = ""
    step: int | None = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    is_carried: bool = False
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of the source.

    origin: what names it there for ever (at most 300 characters): the same run read again has the
    same origin, and is not stored twice. status: a value of runs.status.Status; one that is not
    terminal says that the run was going on when it was read. Times are aware. parent: the origin
    of its parent, which the reader yields before its children. points and files: called once at
    most; on a run read again, a metric's points begin as they did before and go on.
    """

    origin: str
    experiment: str
    name: str
    status: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parent: str = ""
    # The run's id if the source's ids are fit to be kept and it is free here; "" for a new one.
    uid: str = ""
    description: str = ""
    submitter: str = ""
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    points: Callable[[], Iterable[Points | Unreadable]] = tuple
    files: Callable[[], Iterable[FileRecord | Unreadable]] = tuple
    datasets: Sequence[DatasetRecord] = ()
    models: Sequence[ModelRecord] = ()
    # Columns that only a run of a studio has (runs.actions.importing.PastRun.more), clean.
    more: Mapping[str, Any] = field(default_factory=dict)
    # What the reader could not read of this run, each a sentence.
    problems: tuple[str, ...] = ()
    # About how many bytes it holds, where that may be many: a group of runs holds so much less.
    weight: int = 0
    # Another text whenever anything of the run changed in the source: with the same one a run read
    # again is left alone unread. "" where that can't be told without reading it all.
    version: str = ""


class Reader(Protocol):
    """One source that is open.

    source: names the space in which origins are unique, at most 100 characters: where ids are
    unique in the world (MLflow) the kind alone, so that one run is the same by whatever way it
    comes; else the kind and what tells one source from another. label: what histories call it.
    """

    source: str
    label: str

    def count(self) -> int | None:
        """How many runs there are; None where counting would mean reading everything."""

    def read(self) -> Iterator[RunRecord | Unreadable | Note]:
        """Every run, the oldest first, a parent before its children: they are numbered so.

        Raises SourceError when the source as a whole can't be read.
        """


class SourceError(Exception):
    """The source can't be opened or read at all; says what to do."""
