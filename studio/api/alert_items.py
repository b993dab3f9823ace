"""Alert rules and their deliveries as the JSON values of the contract."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from studio.accounts.models import Workspace
from studio.alerts.models import AlertRule, Delivery
from studio.alerts.rights import find_rule, may_edit
from studio.alerts.words import headline
from studio.api.access import NotFound, actor_of, workspace_of
from studio.api.schemas import Closed
from studio.api.serialize import iso


class AddressItem(Closed):
    channel: str
    user: str | None
    url: str | None
    secret: str | None


class AlertRuleItem(Closed):
    uid: str
    name: str
    kind: str
    shared: bool
    owner: str
    query: str
    statuses: list[str]
    metric: str
    operator: str
    threshold: float | None
    seconds: float | None
    edge: str
    run: str | None
    view: str | None
    once: bool
    digest: str
    enabled: bool
    muted_until: str | None
    trouble: str
    may_edit: bool
    addresses: list[AddressItem]
    created_at: str
    changed_at: str
    changed_by: str
    url: str


class AlertRulePage(Closed):
    items: list[AlertRuleItem]
    next: str | None


class DeliveryItem(Closed):
    id: int
    at: str
    headline: str
    run: str | None
    test: bool
    channel: str
    user: str | None
    state: str
    n_tries: int
    due_at: str
    sent_at: str | None
    trouble: str


class DeliveryPage(Closed):
    items: list[DeliveryItem]
    next: str | None


class EndNotice(Closed):
    """Whether the token's person gets a mail when the run ends."""

    on: bool
    rule: str | None


class SubscriptionItem(Closed):
    """What the token's person is told of a view: enter, leave, both or, for nothing, empty."""

    edge: str
    rule: str | None


def rule_of(request: HttpRequest, workspace: str, uid: str) -> AlertRule:
    """The rule if the token's person sees it (3 queries)."""
    found = find_rule(workspace_of(request, workspace), actor_of(request), uid)
    if found is None:
        raise NotFound(f"There is no alert rule “{uid[:80]}” in “{workspace[:80]}” that you see.")
    return found


def rule_item(request: HttpRequest, rule: AlertRule) -> dict[str, Any]:
    """A rule with its destinations (1 query unless prefetched); the addresses of webhooks, which
    are secrets too, for those who may change it."""
    edits = may_edit(actor_of(request), rule)
    plain = ("uid", "name", "kind", "query", "statuses", "metric", "operator", "threshold")
    return {
        **{name: getattr(rule, name) for name in (*plain, "seconds", "edge", "once", "digest")},
        "shared": rule.is_shared,
        "owner": rule.owner.get_username(),
        "run": rule.run.uid if rule.run else None,
        "view": rule.view.uid if rule.view else None,
        "enabled": rule.is_enabled,
        "muted_until": iso(rule.muted_until),
        "trouble": rule.trouble,
        "may_edit": edits,
        "addresses": [
            {
                "channel": one.channel,
                "user": one.user.get_username() if one.user else None,
                "url": one.url if edits and one.url else None,
                "secret": one.secret if edits and one.channel == "webhook" else None,
            }
            for one in rule.destinations.all()
        ],
        "created_at": iso(rule.created_at),
        "changed_at": iso(rule.changed_at),
        "changed_by": rule.changed_by,
        "url": f"{settings.STUDIO_BASE_URL}/w/{rule.workspace.name}/alerts/{rule.uid}",
    }


def rule_answer(
    request: HttpRequest, room: Workspace, rule: AlertRule, *, status: int = 200
) -> JsonResponse:
    """The rule as it is stored now."""
    stored = AlertRule.objects.select_related("owner", "run", "view")
    found = stored.prefetch_related("destinations__user").get(pk=rule.pk)
    found.workspace = room
    return JsonResponse(rule_item(request, found), status=status)


def delivery_item(delivery: Delivery) -> dict[str, Any]:
    """One message to one destination; with its firing, run and destination loaded, no query."""
    firing, to = delivery.firing, delivery.destination
    return {
        "id": delivery.pk,
        "at": iso(firing.at),
        "headline": headline(firing.facts),
        "run": firing.run.uid if firing.run else None,
        "test": firing.is_test,
        "channel": to.channel,
        "user": to.user.get_username() if to.user else None,
        "state": delivery.state,
        "n_tries": delivery.n_tries,
        "due_at": iso(delivery.due_at),
        "sent_at": iso(delivery.sent_at),
        "trouble": delivery.trouble,
    }
