"""Messages that change many runs, or where runs and experiments are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from studio.wire import checks
from studio.wire.checks import array, choice, flag, integer, json_object, text
from studio.wire.messages import Message

MAX_SELECTED_UIDS = 10_000
MAX_QUERY = 8_000


@dataclass(frozen=True)
class SelectionFields(Message):
    """Runs by `uids`, or all that match `query` at the moment `at`: root runs, `children`: all; of
    the run `parent` its child runs, `children`: of all levels."""

    uids: tuple[str, ...] | None = field(
        default=None, metadata={"check": array(checks.uid, least=1, most=MAX_SELECTED_UIDS)}
    )
    query: str = field(default="", metadata={"check": text(most=MAX_QUERY)})
    experiment: str = field(default="", metadata={"check": text(most=checks.MAX_NAME)})
    children: bool = field(default=False, metadata={"check": flag})
    trash: bool = field(default=False, metadata={"check": flag})
    at: str = field(default="", metadata={"check": text(most=40)})
    parent: str = field(default="", metadata={"check": text(most=256)})


@dataclass(frozen=True)
class BulkRequest(Message):
    """One action on every run of a selection; `dry_run`: only tell what it would do."""

    selection: SelectionFields = field(metadata={"check": SelectionFields.parse})
    action: str = field(default="", metadata={"check": text(most=40)})
    arguments: dict[str, Any] = field(default_factory=dict, metadata={"check": json_object})
    dry_run: bool = field(default=False, metadata={"check": flag})


@dataclass(frozen=True)
class LogSearchRequest(Message):
    """Search the logs of the runs of a selection by query for every `log~` of that query."""

    selection: SelectionFields = field(metadata={"check": SelectionFields.parse})


@dataclass(frozen=True)
class ExperimentTags(Message):
    """Tags of an experiment to set (null: a tag without a value) and keys to remove."""

    set: dict[str, str | None] = field(default_factory=dict, metadata={"check": checks.tags})
    remove: tuple[str, ...] = field(
        default=(), metadata={"check": array(checks.key_text, most=1000)}
    )


@dataclass(frozen=True)
class DeleteRequest(Message):
    """Put a run in the trash; `cancel`: cancel it first if it is not finished."""

    cancel: bool = field(default=False, metadata={"check": flag})


@dataclass(frozen=True)
class ResubmitRequest(Message):
    """Submit a run again; what is left out stays as it was.

    `arguments`: those of the script, or the whole command of a run that was one. The client makes
    `uid`, so that a repeat is harmless."""

    uid: str | None = field(default=None, metadata={"check": checks.uid})
    display_name: str | None = field(default=None, metadata={"check": text(least=1, most=256)})
    experiment: str | None = field(
        default=None, metadata={"check": text(least=1, most=255, pattern=checks.EXPERIMENT)}
    )
    target: str | None = field(default=None, metadata={"check": checks.name})
    arguments: tuple[str, ...] | None = field(
        default=None, metadata={"check": array(checks.long_text, most=1000)}
    )
    # 0: no limit.
    max_run_duration_s: float | None = field(default=None, metadata={"check": checks.seconds})


@dataclass(frozen=True)
class NothingToSay(Message):
    """An empty object: the address says it all."""


@dataclass(frozen=True)
class DescriptionRestore(Message):
    """The version whose text comes back. `description_version` is the one the writer saw."""

    version: int = field(metadata={"check": integer()})
    description_version: int | None = field(default=None, metadata={"check": integer()})


@dataclass(frozen=True)
class ExperimentEdit(Message):
    """What to change of an experiment; what is left out stays. `description_version` is the one the
    writer saw."""

    name: str | None = field(default=None, metadata={"check": text(most=checks.MAX_NAME)})
    description: str | None = field(
        default=None, metadata={"check": text(most=checks.MAX_DESCRIPTION)}
    )
    description_version: int | None = field(default=None, metadata={"check": integer()})


@dataclass(frozen=True)
class StarRequest(Message):
    """Whether it is a favourite of the person who asks."""

    starred: bool = field(metadata={"check": flag})


@dataclass(frozen=True)
class TagRewriteRequest(Message):
    """What becomes of a tag on all runs: `rename` the key to `to` (`keep`, "target" or "source": of
    runs that carry both, whose value stays), `replace` the value `value` ("": none) by `to`,
    `delete` it (with `value` only where it has that); `dry_run`: only tell what it would do."""

    action: str = field(metadata={"check": choice("rename", "replace", "delete")})
    key: str = field(metadata={"check": checks.key_text})
    to: str = field(default="", metadata={"check": checks.long_text})
    value: str | None = field(default=None, metadata={"check": checks.long_text})
    keep: str = field(default="", metadata={"check": choice("", "target", "source")})
    dry_run: bool = field(default=False, metadata={"check": flag})
