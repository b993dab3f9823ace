"""Messages that make and change alert rules."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from studio.wire import checks
from studio.wire.checks import array, choice, flag, seconds, text
from studio.wire.messages import Message

CHANNELS = ("email", "webhook", "slack")
KINDS = ("status", "metric", "silence", "duration", "view")
MAX_ADDRESSES = 20


def _maybe(check: checks.Check) -> Any:
    return field(default=None, metadata={"check": check})


def number(value: Any, path: str) -> float:
    """A finite number."""
    if type(value) not in (int, float) or not abs(value) < 1e300:
        raise checks.WireError(path, "must be a number")
    return float(value)


@dataclass(frozen=True)
class AlertAddress(Message):
    """Where news go: `email` to the member `user` (left out: the rule's owner), or a webhook."""

    channel: str = field(metadata={"check": choice(*CHANNELS)})
    user: str = field(default="", metadata={"check": text(most=150)})
    url: str = field(default="", metadata={"check": text(most=2_000)})


@dataclass(frozen=True)
class AlertRuleEdit(Message):
    """What a rule says; what is left out stays, or is the usual of a new one.

    `statuses`: for rules of kind status; `metric`, `operator`, `threshold`: of kind metric;
    `seconds`: of the kinds silence and duration; `edge`: of kind view, with `threshold` for above
    and below; `digest`: empty, hourly or daily.
    """

    name: str | None = _maybe(text(least=1, most=100))
    query: str | None = _maybe(text(most=checks.MAX_TEXT))
    statuses: tuple[str, ...] | None = _maybe(array(text(most=30), most=20))
    metric: str | None = _maybe(text(most=255))
    operator: str | None = _maybe(choice("<", "<=", ">", ">="))
    threshold: float | None = _maybe(number)
    seconds: float | None = _maybe(seconds)
    edge: str | None = _maybe(choice("enter", "leave", "both", "above", "below"))
    digest: str | None = _maybe(choice("", "hourly", "daily"))
    addresses: tuple[AlertAddress, ...] | None = _maybe(
        array(AlertAddress.parse, most=MAX_ADDRESSES)
    )

    def said(self) -> dict[str, Any]:
        """What was named of the rule itself."""
        found = {item.name: getattr(self, item.name) for item in fields(AlertRuleEdit)}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class AlertRuleCreate(AlertRuleEdit):
    """A new rule: one's own or, when `shared`, one of the workspace. `run`: the id of the only run
    it is about; `view`: the id of the view that a rule of kind view watches."""

    kind: str = field(default="status", metadata={"check": choice(*KINDS)})
    shared: bool = field(default=False, metadata={"check": flag})
    run: str | None = _maybe(text(most=256))
    view: str | None = _maybe(text(most=64))


@dataclass(frozen=True)
class AlertMute(Message):
    """Tell nobody for so many seconds; without them, tell again."""

    seconds: float | None = _maybe(seconds)


@dataclass(frozen=True)
class AlertSwitch(Message):
    """Whether it is on."""

    on: bool = field(metadata={"check": flag})


@dataclass(frozen=True)
class ViewSubscription(Message):
    """What the token's person is told of a view: runs that enter or leave it, or both; empty:
    nothing any more."""

    edge: str = field(metadata={"check": choice("", "enter", "leave", "both")})
