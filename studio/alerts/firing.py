"""Writing down that rules fired, and to whom that is to be told. In the caller's transaction."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from studio.alerts.models import (
    DIGEST_EVERY,
    AlertRule,
    Delivery,
    Destination,
    Digest,
    Firing,
    State,
)
from studio.runs.models import Run, RunEvent

MUTED = "The rule was muted"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that `rule` watched for; `key` names it among all that the rule ever saw."""

    rule: AlertRule
    key: str
    run: Run | None = None
    event: RunEvent | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    is_test: bool = False


def fire(happenings: Iterable[Happening], now: datetime) -> list[Firing]:
    """Write a firing for each, once for its key, and a delivery for each destination of its rule
    (at most 5 queries). Rules that fire once are switched off."""
    wanted = {(one.rule.pk, one.key): one for one in happenings}
    rules = {one.rule.pk: one.rule for one in wanted.values()}
    known = Firing.objects.filter(rule__in=rules, key__in={key for _, key in wanted})
    for seen in known.values_list("rule_id", "key"):
        wanted.pop(seen, None)
    if not wanted:
        return []
    fired = Firing.objects.bulk_create(
        Firing(
            rule=one.rule,
            run=one.run,
            event=one.event,
            key=one.key,
            at=now,
            facts=one.facts,
            is_test=one.is_test,
        )
        for one in wanted.values()
    )
    _address(fired, now)
    once = [firing.rule_id for firing in fired if firing.rule.once and not firing.is_test]
    if once:
        AlertRule.objects.filter(pk__in=once).update(is_enabled=False)
    return fired


def _address(fired: list[Firing], now: datetime) -> None:
    destinations: dict[int, list[Destination]] = {}
    for one in Destination.objects.filter(rule__in={firing.rule_id for firing in fired}):
        destinations.setdefault(one.rule_id, []).append(one)
    Delivery.objects.bulk_create(
        _delivery(firing, destination, now)
        for firing in fired
        for destination in destinations.get(firing.rule_id, [])
    )


def _delivery(firing: Firing, destination: Destination, now: datetime) -> Delivery:
    if firing.rule.is_muted(now) and not firing.is_test:
        return Delivery(
            firing=firing, destination=destination, state=State.DROPPED, due_at=now, trouble=MUTED
        )
    due_at = now if firing.is_test else next_digest(firing.rule.digest, now)
    return Delivery(firing=firing, destination=destination, due_at=due_at)


def next_digest(digest: str, now: datetime) -> datetime:
    """When what happens now is told: at once, at the next full hour, or at 7:00 UTC."""
    if digest == Digest.HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + DIGEST_EVERY[Digest.HOURLY]
    if digest == Digest.DAILY:
        morning = now.replace(hour=7, minute=0, second=0, microsecond=0)
        return morning if morning > now else morning + timedelta(days=1)
    return now
