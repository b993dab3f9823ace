"""Changes to alert rules: each asks for the right, checks, writes in one transaction, and leaves a
line of who changed what."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.alerts import facts
from studio.alerts.drafts import Address, RuleDraft, columns_of, destinations_of, told
from studio.alerts.firing import Happening, fire
from studio.alerts.mail import destination_of
from studio.alerts.models import (
    AlertRule,
    Channel,
    Delivery,
    Destination,
    Edge,
    Firing,
    Kind,
    RuleEvent,
    State,
)
from studio.alerts.rights import require_edit, require_new
from studio.alerts.view_watching import looks_into_logs
from studio.compute.doorbell import SEND_ALERTS, ring
from studio.custom_views.models import CustomView
from studio.custom_views.rights import may_see
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.status import TERMINAL
from studio.search.log_terms import NOT_IN_RULES

MAX_OWN_RULES = 100
MAX_MUTE = timedelta(days=365)


def create_rule(
    workspace: Workspace,
    draft: RuleDraft,
    *,
    by: Actor,
    is_shared: bool = False,
    subject: Run | CustomView | None = None,
) -> AlertRule:
    """A new rule: one's own, or (`is_shared`) one of the workspace. `subject`: the only run it is
    about, or the view of a rule of kind view. Raises NotAllowed or Invalid."""
    require_new(by, workspace, is_shared=is_shared)
    owner = _person(by)
    columns = columns_of(draft)
    run, view = _subject(columns["kind"], subject, by=by)
    rows = destinations_of(draft, workspace, owner=owner, is_shared=is_shared)
    with transaction.atomic():
        if AlertRule.objects.of(workspace).filter(owner=owner).count() >= MAX_OWN_RULES:
            raise Invalid("name", f"You have {MAX_OWN_RULES} rules here already: delete one first.")
        rule = AlertRule.objects.create(
            workspace=workspace,
            owner=owner,
            is_shared=is_shared,
            run=run,
            view=view,
            changed_by=by.name,
            **columns,
        )
        Destination.objects.bulk_create(Destination(rule=rule, **row) for row in rows)
        _record(rule, "created", by=by, after=told(rule))
    return rule


def _person(by: Actor) -> User:
    if by.user is None:
        raise NotAllowed("A rule belongs to a person.")
    return by.user


def _subject(
    kind: str, subject: Run | CustomView | None, *, by: Actor
) -> tuple[Run | None, CustomView | None]:
    view = subject if isinstance(subject, CustomView) else None
    if (kind == Kind.VIEW) != (view is not None):
        raise Invalid("view", "A rule on a view, and no other, needs a view.")
    if view is not None and not may_see(by, view):
        raise NotAllowed("There is no such view, or it is not shared with you.")
    if view is not None and looks_into_logs(view):
        raise Invalid("view", NOT_IN_RULES)
    return (subject if isinstance(subject, Run) else None), view


def change_rule(rule: AlertRule, draft: RuleDraft, *, by: Actor) -> AlertRule:
    """Replace what the rule says; run, view and whose it is stay. Webhooks that stay keep their
    secret. A rule that was switched off for a trouble is on again."""
    require_edit(by, rule)
    columns = columns_of(draft)
    _subject(columns["kind"], rule.view or rule.run, by=Actor.of_user(rule.owner))
    rows = destinations_of(draft, rule.workspace, owner=rule.owner, is_shared=rule.is_shared)
    with transaction.atomic():
        rule = AlertRule.objects.select_for_update(of=("self",)).get(pk=rule.pk)
        before = told(rule)
        now = timezone.now()
        again = {"trouble": "", "is_enabled": True} if rule.trouble else {}
        AlertRule.objects.filter(pk=rule.pk).update(
            **columns, **again, state={}, changed_at=now, changed_by=by.name
        )
        rule.refresh_from_db()
        _replace_destinations(rule, rows)
        _record(rule, "changed", by=by, before=before, after=told(rule))
    return rule


def _replace_destinations(rule: AlertRule, rows: list[dict[str, Any]]) -> None:
    kept = []
    for row in rows:
        wanted = {"channel": row["channel"], "user": row.get("user"), "url": row.get("url", "")}
        kept.append(Destination.objects.get_or_create(rule=rule, **wanted)[0].pk)
    rule.destinations.exclude(pk__in=kept).delete()


def delete_rule(rule: AlertRule, *, by: Actor) -> None:
    """The rule goes with all it was about to tell."""
    require_edit(by, rule)
    with transaction.atomic():
        _record(rule, "deleted", by=by, before=told(rule))
        rule.delete()


def enable_rule(rule: AlertRule, *, on: bool, by: Actor) -> AlertRule:
    """Switch the rule on or off; nothing changes for one that is so."""
    require_edit(by, rule)
    with transaction.atomic():
        changed = AlertRule.objects.filter(pk=rule.pk, is_enabled=not on).update(
            is_enabled=on, trouble="", state={}, changed_at=timezone.now(), changed_by=by.name
        )
        if changed:
            _record(rule, "enabled", by=by, before=not on, after=on)
    rule.refresh_from_db()
    return rule


def mute_rule(rule: AlertRule, until: datetime | None, *, by: Actor) -> AlertRule:
    """Tell nobody until then, now again with None; what happens meanwhile is listed, not sent."""
    require_edit(by, rule)
    if until is not None and not timezone.now() < until <= timezone.now() + MAX_MUTE:
        raise Invalid("until", "Mute it until some time in the next 365 days.")
    with transaction.atomic():
        before = rule.muted_until
        AlertRule.objects.filter(pk=rule.pk).update(muted_until=until)
        _record(rule, "muted", by=by, before=_iso(before), after=_iso(until))
    rule.refresh_from_db()
    return rule


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def try_rule(rule: AlertRule, *, by: Actor) -> Firing:
    """Send a test to every destination now, about the newest run there is."""
    require_edit(by, rule)
    newest = facts.with_facts(Run.objects.of(rule.workspace).newest())
    run = rule.run or newest.first()
    told_of = facts.of_run(run) if run else {"what": "A test", "experiment": "–", "name": "–"}
    key = f"test:{uuid.uuid4().hex}"
    with transaction.atomic():
        happening = Happening(rule, key, run=run, facts=told_of, is_test=True)
        (firing,) = fire([happening], timezone.now())
        _record(rule, "tested", by=by)
        transaction.on_commit(_ring)
    return firing


def retry_delivery(delivery: Delivery, *, by: Actor) -> bool:
    """Try a delivery that was given up once more; False for one that is not."""
    require_edit(by, delivery.firing.rule)
    again = Delivery.objects.filter(pk=delivery.pk, state=State.FAILED).update(
        state=State.WAITING, due_at=timezone.now(), n_tries=0
    )
    if again:
        _record(delivery.firing.rule, "retried", by=by, after=delivery.pk)
        transaction.on_commit(_ring)
    return bool(again)


def notify_at_end(run: Run, *, by: Actor) -> AlertRule:
    """One mail to this person when the run ends; asked twice, it is one rule.

    Raises Invalid for a run that has ended, or a person without an e-mail address.
    """
    require_new(by, run.workspace, is_shared=False)
    known = end_rule(run, by=by)
    if known is not None:
        return known
    if run.is_terminal:
        raise Invalid("run", f"The run is already {run.status}.")
    if not _person(by).email:
        raise Invalid("email", "You have no e-mail address. Enter one on your account page.")
    draft = RuleDraft(
        name=f"{run.display_name[:80]} ends",
        statuses=sorted(TERMINAL),
        addresses=[Address(Channel.EMAIL)],
    )
    rule = create_rule(run.workspace, draft, by=by, subject=run)
    AlertRule.objects.filter(pk=rule.pk).update(once=True)
    rule.refresh_from_db()
    return rule


def end_rule(run: Run, *, by: Actor) -> AlertRule | None:
    """This person's rule for the end of the run, None without one (1 query)."""
    own = AlertRule.objects.awake().filter(run=run, owner=by.user, kind=Kind.STATUS, once=True)
    return own.first()


def stop_notifying(run: Run, *, by: Actor) -> bool:
    """Undo `notify_at_end`; whether there was anything to undo."""
    rule = end_rule(run, by=by)
    if rule is None:
        require(by, Permission.SEE, run.workspace)
        return False
    delete_rule(rule, by=by)
    return True


def subscribe(view: CustomView, *, edge: str = Edge.ENTER, by: Actor) -> AlertRule:
    """Tell this person when runs enter (or leave) the view; asked again, the edge is changed."""
    known = subscription(view, by=by)
    draft = RuleDraft(name=f"View: {view.name}"[:100], kind=Kind.VIEW, edge=edge)
    if known is not None:
        return change_rule(known, draft, by=by)
    return create_rule(view.workspace, draft, by=by, subject=view)


def subscription(view: CustomView, *, by: Actor) -> AlertRule | None:
    """This person's own rule on the view, None without one (1 query)."""
    return AlertRule.objects.filter(view=view, owner=by.user, is_shared=False).first()


def unsubscribe(token: str) -> Destination | None:
    """Stop the mails that the token's link came with; None for a link that is no good (any more).

    Whoever has the mail may: no sign-in. One's own rule is switched off; a rule of the workspace
    goes on for the others.
    """
    destination = destination_of(token)
    if destination is None or destination.user is None:
        return None
    by, rule = Actor.of_user(destination.user), destination.rule
    with transaction.atomic():
        if rule.is_shared:
            _record(rule, "unsubscribed", by=by, before=destination.user.get_username())
            destination.delete()
        else:
            AlertRule.objects.filter(pk=rule.pk).update(is_enabled=False)
            _record(rule, "unsubscribed", by=by, before=True, after=False)
    return destination


def _ring() -> None:
    ring(SEND_ALERTS, queue="studio")


def _record(
    rule: AlertRule, kind: str, *, by: Actor, before: Any = None, after: Any = None
) -> None:
    RuleEvent.objects.create(
        workspace_id=rule.workspace_id,
        rule_uid=rule.uid,
        rule_name=rule.name,
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        before=before,
        after=after,
    )
