"""Rules that no event wakes: metrics, silence, durations, views. Each is asked every 30 s, by one
worker at a time."""

import logging
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, Max, OuterRef, Q, Subquery
from django.utils import timezone

from studio.alerts import facts
from studio.alerts.firing import Happening, fire
from studio.alerts.matching import BROKEN, chosen_by, hears, switch_off
from studio.alerts.models import AlertRule, Firing, Kind
from studio.alerts.view_watching import happenings_of_view
from studio.metrics.models import Metric
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.runs.status import Status

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
# So many runs of one rule in one turn; the others have theirs 30 s later.
MOST_RUNS = 200
# What is read of a metric for each operator: a value crossed between two looks is not missed.
EXTREMES = {"<": "min__lt", "<=": "min__lte", ">": "max__gt", ">=": "max__gte"}


def watch(now: datetime | None = None) -> int:
    """Ask every rule whose turn has come; returns how many were asked."""
    now = now or timezone.now()
    waiting = AlertRule.objects.watching_by_time().filter(
        Q(checked_at=None) | Q(checked_at__lte=now - EVERY)
    )
    n_asked = 0
    for rule in waiting.select_related("workspace", "owner", "view", "run").order_by("pk"):
        if _is_ours(rule, now):
            _ask(rule, now)
            n_asked += 1
    return n_asked


def _is_ours(rule: AlertRule, now: datetime) -> bool:
    """Of several workers that come at once, one asks."""
    mine = AlertRule.objects.awake().filter(pk=rule.pk, checked_at=rule.checked_at)
    return bool(mine.update(checked_at=now))


def _ask(rule: AlertRule, now: datetime) -> None:
    try:
        # Asked outside of any transaction: on SQLite nobody else would write meanwhile.
        found, state = happenings_of(rule, now)
        with transaction.atomic():
            if state is not None:
                AlertRule.objects.filter(pk=rule.pk).update(state=state)
            fire(found, now)
    except (OperationalError, InterfaceError) as away:
        logger.warning("alert rule=%s put off because=%s", rule.uid, away)
        AlertRule.objects.filter(pk=rule.pk).update(checked_at=rule.checked_at)
    except Exception:
        logger.exception("alert rule=%s failed", rule.uid)
        switch_off(rule, BROKEN)


def happenings_of(rule: AlertRule, now: datetime) -> tuple[list[Happening], dict[str, Any] | None]:
    """What the rule watches for and was not told of yet; and what it is to remember of this look,
    None for nothing new."""
    if not hears(rule):
        return [], None
    if rule.kind == Kind.VIEW:
        return happenings_of_view(rule, now)
    runs = Run.objects.of(rule.workspace)
    if rule.run_id is not None:
        runs = runs.filter(pk=rule.run_id)
    looks = {Kind.METRIC: _crossing, Kind.SILENCE: _silent, Kind.DURATION: _too_long}
    found = chosen_by(rule, looks[Kind(rule.kind)](rule, runs, now))
    if found is None:
        return [], None
    keys = _keys(rule, found)
    chosen = list(facts.with_facts(Run.objects.filter(pk__in=keys)).order_by("pk"))
    values = _values(rule, chosen)
    return [_happening(rule, run, keys[run.pk], values) for run in chosen], None


def _keys(rule: AlertRule, found: RunQuerySet) -> dict[int, str]:
    """Up to MOST_RUNS runs with the key of what they did."""
    if rule.kind != Kind.SILENCE:
        ids = found.order_by("pk").values_list("pk", flat=True)[:MOST_RUNS]
        return {pk: f"run:{pk}" for pk in ids}
    # Heard again and silent again is another silence.
    silent = found.order_by("pk").values_list("pk", "heard_metric_at")  # type: ignore[misc]
    keys = {pk: f"run:{pk}:{at or 0:.0f}" for pk, at in silent}
    told = set(
        Firing.objects.filter(rule=rule, run__status=Status.RUNNING).values_list("key", flat=True)
    )
    return dict(islice(((pk, key) for pk, key in keys.items() if key not in told), MOST_RUNS))


def _values(rule: AlertRule, runs: list[Run]) -> dict[int, float | None]:
    """The newest values of the rule's metric by run (1 query, none for other kinds)."""
    if rule.kind != Kind.METRIC:
        return {}
    known = Metric.objects.filter(run__in=runs, name=rule.metric).values_list("run", "last")
    return dict(known)


def _happening(rule: AlertRule, run: Run, key: str, values: dict[int, float | None]) -> Happening:
    told = {**facts.of_run(run), "what": what_of(rule)}
    if rule.kind == Kind.METRIC:
        told |= {"metric": rule.metric, "value": values.get(run.pk)}
    return Happening(rule, key, run=run, facts=told)


def what_of(rule: AlertRule) -> str:
    """What the rule saw, in words."""
    minutes = f"{(rule.seconds or 0) / 60:g} min"
    if rule.kind == Kind.METRIC:
        return f"{rule.metric} {rule.operator} {rule.threshold:g}"
    if rule.kind == Kind.SILENCE:
        return f"no metric for {minutes}"
    return f"running for more than {minutes}"


def _unseen(rule: AlertRule, runs: RunQuerySet) -> RunQuerySet:
    """Without the runs that the rule fired for."""
    return runs.filter(~Exists(Firing.objects.filter(rule=rule, run=OuterRef("pk"))))


def _crossing(rule: AlertRule, runs: RunQuerySet, now: datetime) -> RunQuerySet:
    """Runs with a value on the other side of the threshold: those under way, and those that ended
    since the rule was made or last asked (with a minute for what arrives late)."""
    since = max(rule.created_at, (rule.checked_at or rule.created_at) - timedelta(minutes=1))
    crossed = Metric.objects.ordinary().filter(
        run=OuterRef("pk"), name=rule.metric, **{EXTREMES[rule.operator]: rule.threshold}
    )
    lately = Q(status__in=_under_way()) | Q(ended_at__gte=since)
    return _unseen(rule, runs.filter(lately)).filter(Exists(crossed))


def _under_way() -> list[Status]:
    return [Status.RUNNING, Status.FINALIZING, Status.CANCEL_REQUESTED, Status.NOT_RESPONDING]


def _silent(rule: AlertRule, runs: RunQuerySet, now: datetime) -> RunQuerySet:
    """Running runs whose newest point is older than the time; without any, by their start."""
    limit = now - timedelta(seconds=rule.seconds or 0)
    newest = Metric.objects.ordinary().filter(run=OuterRef("pk")).order_by().values("run")
    runs = runs.filter(status=Status.RUNNING, started_at__lt=limit)
    runs = runs.annotate(heard_metric_at=Subquery(newest.annotate(at=Max("last_at")).values("at")))
    return runs.filter(Q(heard_metric_at=None) | Q(heard_metric_at__lt=limit.timestamp()))


def _too_long(rule: AlertRule, runs: RunQuerySet, now: datetime) -> RunQuerySet:
    limit = now - timedelta(seconds=rule.seconds or 0)
    return _unseen(rule, runs.filter(status__in=_under_way(), started_at__lt=limit))
