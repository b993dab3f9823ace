"""Messages that make and change compute targets."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from studio.wire import checks
from studio.wire.checks import array, choice, flag, integer, seconds, text
from studio.wire.messages import Message

NUMBERS = ("grace_s", "lost_after_s", "max_runs", "max_attempts")


def _maybe(check: checks.Check) -> Any:
    return field(default=None, metadata={"check": check})


@dataclass(frozen=True)
class TargetSettings(Message):
    """What can be set of a target; what is left out stays, or is the studio's own of a new one.

    `grace_s`: seconds a cancelled run has to stop by itself; `lost_after_s`: seconds of silence
    after which a run is given up; `max_runs`: at a time, over all workers; `max_attempts`: how
    often a run is begun whose worker died before it could start.
    """

    description: str | None = _maybe(text(most=checks.MAX_DESCRIPTION))
    grace_s: float | None = _maybe(seconds)
    lost_after_s: float | None = _maybe(seconds)
    max_runs: int | None = _maybe(integer())
    max_attempts: int | None = _maybe(integer())

    def settings(self) -> dict[str, Any]:
        """Those that were named."""
        found = {item.name: getattr(self, item.name) for item in fields(TargetSettings)}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class TargetCreate(TargetSettings):
    """A new target of the workspace or, when `shared`, for all workspaces."""

    name: str = field(default="", metadata={"check": text(most=checks.MAX_NAME)})
    shared: bool = field(default=False, metadata={"check": flag})


@dataclass(frozen=True)
class TargetEdit(TargetSettings):
    """Changes of a target. `reset`: names of numbers that are to be the studio's own again;
    `enabled`: whether it begins runs and takes new ones."""

    enabled: bool | None = _maybe(flag)
    reset: tuple[str, ...] = field(
        default=(), metadata={"check": array(choice(*NUMBERS), most=len(NUMBERS))}
    )

    def settings(self) -> dict[str, Any]:
        return super().settings() | dict.fromkeys(self.reset)


@dataclass(frozen=True)
class WorkerDrain(Message):
    """Whether the worker `node` takes no more runs, and ends those it has."""

    node: str = field(metadata={"check": text(least=1, most=200)})
    draining: bool = field(default=True, metadata={"check": flag})
