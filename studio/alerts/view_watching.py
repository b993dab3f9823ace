"""Rules on a custom view: which runs entered or left it, and how many it holds."""

from datetime import datetime
from typing import Any

from studio.accounts.permissions import Actor
from studio.alerts import facts
from studio.alerts.firing import Happening
from studio.alerts.matching import switch_off
from studio.alerts.models import AlertRule, Edge
from studio.custom_views.models import CustomView, Place
from studio.custom_views.rights import may_see
from studio.custom_views.scope import in_state
from studio.custom_views.state import ViewState
from studio.custom_views.stored import state_of
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import apply
from studio.search.errors import SearchSyntaxError
from studio.search.log_terms import NOT_IN_RULES, log_texts

# So many runs of a view are remembered to tell who came and went.
MOST_RUNS = 10_000
TOLD_BY_NAME = 20
TOO_MANY = f"The view holds more than {MOST_RUNS:,} runs: narrow it down, then switch the rule on."
NOT_SEEN = "The view is gone, or not shared with the rule's owner any more."


def runs_of(view: CustomView, state: ViewState, rule: AlertRule) -> RunQuerySet:
    """The runs that the view lists for the rule's owner. Raises SearchSyntaxError."""
    runs = Run.objects.of(rule.workspace)
    if view.place == Place.EXPERIMENT:
        runs = runs.filter(experiment=view.experiment)
    if view.place == Place.PIPELINES:
        runs = runs.filter(type="pipeline")
    node, owner = state.node, rule.owner
    runs = in_state(runs, state, node, user=owner)
    return apply(runs, node, user=owner, workspace=rule.workspace)


def looks_into_logs(view: CustomView) -> bool:
    """Whether the view's filters ask for what stands in logs."""
    try:
        return bool(log_texts(state_of(view.state).node))
    except SearchSyntaxError:
        return False  # told of where its runs are asked for


def happenings_of_view(
    rule: AlertRule, now: datetime
) -> tuple[list[Happening], dict[str, Any] | None]:
    """What changed since the rule looked last, and what it is to remember, None for the same as
    before; the first look only remembers."""
    view = rule.view
    if view is None or view.deleted_at is not None or not may_see(Actor.of_user(rule.owner), view):
        switch_off(rule, NOT_SEEN)
        return [], None
    if looks_into_logs(view):
        switch_off(rule, NOT_IN_RULES)
        return [], None
    try:
        found = runs_of(view, state_of(view.state), rule).order_by("pk")
        ids = list(found.values_list("pk", flat=True)[: MOST_RUNS + 1])
    except SearchSyntaxError as error:
        switch_off(rule, f"The view's query can't be read: {error.message}")
        return [], None
    if len(ids) > MOST_RUNS:
        switch_off(rule, TOO_MANY)
        return [], None
    state = {"version": view.version, "ids": ids}
    if rule.state == state:
        return [], None
    # Another version of the view is another set: who is in it did not enter.
    if rule.state.get("version") != view.version or "ids" not in rule.state:
        return [], state
    return _changes(rule, set(rule.state["ids"]), set(ids), now), state


def _changes(rule: AlertRule, before: set[int], after: set[int], now: datetime) -> list[Happening]:
    found: list[Happening] = []
    if rule.edge in (Edge.ENTER, Edge.BOTH) and after - before:
        found.append(_moved(rule, "entered", after - before, now))
    if rule.edge in (Edge.LEAVE, Edge.BOTH) and before - after:
        found.append(_moved(rule, "left", before - after, now))
    threshold = rule.threshold or 0
    if rule.edge == Edge.ABOVE and len(before) < threshold <= len(after):
        found.append(_counted(rule, len(after), now))
    if rule.edge == Edge.BELOW and len(after) < threshold <= len(before):
        found.append(_counted(rule, len(after), now))
    return found


def _moved(rule: AlertRule, verb: str, ids: set[int], now: datetime) -> Happening:
    some = sorted(ids, reverse=True)[:TOLD_BY_NAME]
    runs = list(facts.with_facts(Run.objects.of(rule.workspace).filter(pk__in=some)))
    told = facts.of_runs(runs, n=len(ids), what=f"{verb} the view “{_name(rule)}”")
    return Happening(rule, f"view:{verb}:{now.timestamp():.3f}", facts=told | _view(rule))


def _counted(rule: AlertRule, n: int, now: datetime) -> Happening:
    what = f"in the view “{_name(rule)}” now"
    told = facts.of_runs([], n=n, what=what)
    return Happening(rule, f"view:{rule.edge}:{now.timestamp():.3f}", facts=told | _view(rule))


def _name(rule: AlertRule) -> str:
    return rule.view.name if rule.view else ""


def _view(rule: AlertRule) -> dict[str, Any]:
    return {"workspace": rule.workspace.name, "view": rule.view.address if rule.view else ""}
