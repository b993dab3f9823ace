"""A rule in a person's words. Pure."""

from collections.abc import Callable

from studio.alerts.models import AlertRule, Edge, Kind
from studio.runs.status import Status


def sentence(rule: AlertRule, *, sees_view: bool) -> str:
    """What the rule watches, such as “Failed or Canceled, of runs that match status:failed”. The
    name of a view is for who sees the view (still)."""
    what_of: dict[Kind, Callable[[AlertRule], str]] = {
        Kind.STATUS: _statuses,
        Kind.METRIC: lambda one: f"{one.metric} {one.operator} {one.threshold:g}",
        Kind.SILENCE: lambda one: f"No metric for {time(one.seconds)}",
        Kind.DURATION: lambda one: f"Running for more than {time(one.seconds)}",
        Kind.VIEW: lambda one: _view(one, sees_view=sees_view),
    }
    what = what_of[Kind(rule.kind)](rule)
    if rule.run is not None:
        return f"{what}, of the run “{rule.run.display_name}”"
    if rule.kind == Kind.VIEW:
        return what
    return f"{what}, of runs that match {rule.query}" if rule.query else f"{what}, of any run"


def _statuses(rule: AlertRule) -> str:
    labels = [Status(status).label for status in rule.statuses if status in Status.values]
    return " or ".join(labels)


def _view(rule: AlertRule, *, sees_view: bool) -> str:
    name = f"the view “{rule.view.name}”" if rule.view and sees_view else "a view"
    if rule.edge in (Edge.ABOVE, Edge.BELOW):
        verb = "reaches" if rule.edge == Edge.ABOVE else "falls below"
        return f"The number of runs in {name} {verb} {rule.threshold:g}"
    return f"{Edge(rule.edge).label} {name}"


def time(seconds: float | None) -> str:
    """90 s as 1.5 min, 7,200 s as 2 h."""
    value = seconds or 0
    if value >= 86_400 and value % 86_400 == 0:
        return f"{value / 86_400:g} d"
    if value >= 3_600 and value % 3_600 == 0:
        return f"{value / 3_600:g} h"
    return f"{value / 60:g} min"
