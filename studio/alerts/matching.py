"""From status news to firings: each event is looked at once, with the rules of its workspace."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission, can
from studio.alerts import facts
from studio.alerts.firing import Happening, fire
from studio.alerts.models import AlertRule
from studio.runs.models import Run, RunEvent, StatusNews
from studio.runs.querysets import RunQuerySet
from studio.search.apply import search
from studio.search.errors import SearchSyntaxError

logger = logging.getLogger(__name__)

ONE_TURN = 500
# So many firings are written in one transaction: on SQLite nobody else writes meanwhile.
ONE_WRITE = 500
# After a long time without any worker, what is older is history and no news.
NEWS_FOR = timedelta(days=7)
BROKEN = "The studio failed over it; its log says why."


def match_news(now: datetime | None = None) -> int:
    """Look at waiting news, 500 at a time, until none is left; returns how many were looked at.

    Rules are asked outside of any transaction. Then firings are written and their news deleted in
    one, so a worker that dies loses and doubles nothing. Several workers may come at once.
    """
    n_seen = 0
    while n := _one_turn(now or timezone.now()):
        n_seen += n
    return n_seen


def _one_turn(now: datetime) -> int:
    ids = list(StatusNews.objects.order_by("pk").values_list("pk", flat=True)[:ONE_TURN])
    if not ids:
        return 0
    happened: dict[int, list[Happening]] = {pk: [] for pk in ids}
    for one in _with_facts(_seen(ids, now)):
        if one.event is not None:
            happened[one.event.pk].append(one)
    return sum(_write(part, now) for part in _parts(happened))


def _seen(ids: list[int], now: datetime) -> list[Happening]:
    """What of the events any rule watches for."""
    if not AlertRule.objects.watching_status().exists():
        return []
    by_workspace: dict[int, list[RunEvent]] = defaultdict(list)
    for event in RunEvent.objects.filter(pk__in=ids, at__gt=now - NEWS_FOR).order_by("pk"):
        by_workspace[event.workspace_id].append(event)
    rules = AlertRule.objects.watching_status().filter(workspace__in=by_workspace)
    found: list[Happening] = []
    for rule in rules.select_related("workspace", "owner").order_by("pk"):
        found += _safely_seen(rule, by_workspace[rule.workspace_id])
    return found


def _parts(happened: dict[int, list[Happening]]) -> Iterator[dict[int, list[Happening]]]:
    """The news in parts of about ONE_WRITE happenings."""
    part: dict[int, list[Happening]] = {}
    n = 0
    for pk, of_event in happened.items():
        part[pk] = of_event
        n += len(of_event)
        if n >= ONE_WRITE:
            yield part
            part, n = {}, 0
    if part:
        yield part


def _write(happened: dict[int, list[Happening]], now: datetime) -> int:
    """Fire for the news that nobody else had meanwhile; returns how many those were."""
    with transaction.atomic():
        waiting = StatusNews.objects.filter(pk__in=happened)
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        held = list(waiting.values_list("pk", flat=True))
        fire([one for pk in held for one in happened[pk]], now)
        StatusNews.objects.filter(pk__in=held).delete()
    return len(held)


def _safely_seen(rule: AlertRule, events: list[RunEvent]) -> list[Happening]:
    """The same; a rule that breaks is switched off, so that it does not hold up all others."""
    try:
        return seen_by(rule, events)
    except (OperationalError, InterfaceError):
        raise  # the database is away: later
    except Exception:
        logger.exception("alert rule=%s failed", rule.uid)
        switch_off(rule, BROKEN)
        return []


def seen_by(rule: AlertRule, events: Iterable[RunEvent]) -> list[Happening]:
    """What of the events the rule watches for (1 query and those of its search, none when no
    status fits); each happening carries its event, and no facts yet."""
    wanted = [event for event in events if event.after in rule.statuses]
    if rule.run_id is not None:
        wanted = [event for event in wanted if event.run_id == rule.run_id]
    if not wanted or not hears(rule):
        return []
    runs = Run.objects.of(rule.workspace).filter(pk__in={event.run_id for event in wanted})
    found = chosen_by(rule, runs)
    if found is None:
        return []
    ids = set(found.values_list("pk", flat=True))
    wanted = [event for event in wanted if event.run_id in ids]
    return [Happening(rule, f"event:{event.pk}", event=event) for event in wanted[: _most(rule)]]


def _most(rule: AlertRule) -> int | None:
    return 1 if rule.once else None


def hears(rule: AlertRule) -> bool:
    """Whether the rule's owner may see the workspace (still); rules of the workspace always hear
    (2 queries)."""
    return rule.is_shared or can(Actor.of_user(rule.owner), Permission.SEE, rule.workspace)


def chosen_by(rule: AlertRule, runs: RunQuerySet) -> RunQuerySet | None:
    """Those of the runs that the rule's query means; None, and the rule is switched off, when it
    can't be read any more."""
    try:
        return search(runs, rule.query, user=rule.owner, workspace=rule.workspace)
    except SearchSyntaxError as error:
        switch_off(rule, f"Its query can't be read: {error.message}")
        return None


def switch_off(rule: AlertRule, trouble: str) -> None:
    """Stop a rule that can't work any more; its page says why."""
    logger.warning("alert rule=%s switched off because=%s", rule.uid, trouble)
    AlertRule.objects.filter(pk=rule.pk).update(is_enabled=False, trouble=trouble)


def _with_facts(happened: list[Happening]) -> list[Happening]:
    """The same with run and facts (2 queries)."""
    wanted = {one.event.pk for one in happened if one.event is not None}
    events = RunEvent.objects.filter(pk__in=wanted).select_related(
        "run__workspace", "run__experiment", "run__submitter", "run__parent", "run__root"
    )
    known = {event.pk: event for event in events}
    full = []
    for one in happened:
        event = known.get(one.event.pk) if one.event is not None else None
        if event is not None:
            full.append(
                Happening(
                    one.rule, one.key, run=event.run, event=event, facts=facts.of_event(event)
                )
            )
    return full
