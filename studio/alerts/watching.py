"""Rules that no event wakes: metrics, silence, durations, views. Each is asked every 30 s, by one
worker at a time."""

import logging
from datetime import datetime, timedelta

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
        with transaction.atomic():
            fire(happenings_of(rule, now), now)
    except (OperationalError, InterfaceError) as away:
        logger.warning("alert rule=%s put off because=%s", rule.uid, away)
        AlertRule.objects.filter(pk=rule.pk).update(checked_at=rule.checked_at)
    except Exception:
        logger.exception("alert rule=%s failed", rule.uid)
        switch_off(rule, BROKEN)


def happenings_of(rule: AlertRule, now: datetime) -> list[Happening]:
    """What the rule watches for and was not told of yet; a rule on a view remembers what it saw."""
    if not hears(rule):
        return []
    if rule.kind == Kind.VIEW:
        return happenings_of_view(rule, now)
    runs = Run.objects.of(rule.workspace)
    if rule.run_id is not None:
        runs = runs.filter(pk=rule.run_id)
    looks = {Kind.METRIC: _crossing, Kind.SILENCE: _silent, Kind.DURATION: _too_long}
    found = chosen_by(rule, looks[Kind(rule.kind)](rule, runs, now))
    if found is None:
        return []
    return [_happening(rule, run) for run in facts.with_facts(found.order_by("pk"))[:MOST_RUNS]]


def _happening(rule: AlertRule, run: Run) -> Happening:
    told = {**facts.of_run(run), "what": what_of(rule)}
    key = f"run:{run.pk}"
    if rule.kind == Kind.SILENCE:
        # Heard again and silent again is another silence.
        key += f":{run.heard_metric_at or 0:.0f}"  # type: ignore[attr-defined]
    if rule.kind == Kind.METRIC:
        known = Metric.objects.filter(run=run, name=rule.metric).first()
        told |= {"metric": rule.metric, "value": known.last if known else None}
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
    heard = Q(heard_metric_at=None) | Q(heard_metric_at__lt=limit.timestamp())
    told = Firing.objects.filter(rule=rule, run=OuterRef("pk"), at__gt=limit)
    return runs.filter(heard).filter(~Exists(told))


def _too_long(rule: AlertRule, runs: RunQuerySet, now: datetime) -> RunQuerySet:
    limit = now - timedelta(seconds=rule.seconds or 0)
    return _unseen(rule, runs.filter(status__in=_under_way(), started_at__lt=limit))
