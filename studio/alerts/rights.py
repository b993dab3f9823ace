"""Who may see and change which rule."""

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, permissions_of, require
from studio.alerts.models import AlertRule, AlertRuleQuerySet

NOT_YOURS = "Only {owner} and owners of the workspace can change this rule."
NO_RUN_TOKEN = "The token of a run can't have alert rules. Use one of a person."


def visible_rules(workspace: Workspace, actor: Actor) -> AlertRuleQuerySet:
    """The rules of the workspace that a person sees: own ones and those of the workspace; its
    owners see those of others too, but not what they watch in views."""
    held = permissions_of(actor, workspace)
    if actor.user is None or actor.run_uid or Permission.SEE not in held:
        return AlertRule.objects.none()
    sees_all = Permission.EDIT_ALL_ALERTS in held
    return AlertRule.objects.of(workspace).visible_to(actor.user, sees_all=sees_all)


def find_rule(workspace: Workspace, actor: Actor, uid: str) -> AlertRule | None:
    """The rule of that uid, None for one there is not, or not for them (2 queries)."""
    found = visible_rules(workspace, actor).filter(uid=uid)
    return found.select_related("workspace", "owner", "view", "run", "run__experiment").first()


def require_new(actor: Actor, workspace: Workspace, *, is_shared: bool) -> None:
    """Raise NotAllowed unless they may have such a rule here."""
    if actor.run_uid or actor.user is None:
        raise NotAllowed(NO_RUN_TOKEN)
    wanted = Permission.EDIT_ALL_ALERTS if is_shared else Permission.EDIT_OWN_ALERTS
    require(actor, wanted, workspace)


def may_edit(actor: Actor, rule: AlertRule) -> bool:
    """Whether they may change the rule: its owner, unless it is the workspace's, and owners of the
    workspace."""
    held = permissions_of(actor, rule.workspace)
    if actor.run_uid or actor.user is None:
        return False
    if Permission.EDIT_ALL_ALERTS in held:
        return True
    return (
        not rule.is_shared and rule.owner_id == actor.user.pk and Permission.EDIT_OWN_ALERTS in held
    )


def require_edit(actor: Actor, rule: AlertRule) -> None:
    if may_edit(actor, rule):
        return
    require_new(actor, rule.workspace, is_shared=rule.is_shared)
    raise NotAllowed(NOT_YOURS.format(owner=rule.owner.get_username()))
