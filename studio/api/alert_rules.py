"""Alert rules: who is told what of runs, and what became of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from ninja import Path, Router

from studio.alerts import actions
from studio.alerts.drafts import Address, RuleDraft, draft_of
from studio.alerts.models import Delivery
from studio.alerts.rights import require_edit, require_new, visible_rules
from studio.api.access import NotFound, actor_of, run_of, workspace_of
from studio.api.alert_items import (
    AlertRuleItem,
    AlertRulePage,
    DeliveryItem,
    DeliveryPage,
    EndNotice,
    SubscriptionItem,
    delivery_item,
    rule_answer,
    rule_item,
    rule_of,
)
from studio.api.body import documented, read_body
from studio.api.events import row_id
from studio.api.paging import Limit, page
from studio.api.schemas import answers
from studio.api.view_items import view_of, view_to_change
from studio.custom_views.models import CustomView
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.wire.alert_changes import (
    AlertMute,
    AlertRuleCreate,
    AlertRuleEdit,
    AlertSwitch,
    ViewSubscription,
)
from studio.wire.changes import NothingToSay

router = Router(tags=["alert rules"])
RULE = "/alert-rules/{rule}"
MADE = {
    code: shape for code, shape in answers(AlertRuleItem, made=AlertRuleItem).items() if code != 200
}


def said(asked: AlertRuleEdit) -> dict[str, Any]:
    """What was asked for as fields of a draft."""
    found = asked.said()
    if asked.addresses is not None:
        found["addresses"] = [Address(one.channel, one.user, one.url) for one in asked.addresses]
    return found


@router.get("/alert-rules", response=answers(AlertRulePage))
def list_alert_rules(
    request: HttpRequest, workspace: Path[str], cursor: str = "", limit: int = Limit
) -> Any:
    """Own rules and those of the workspace, newest first; owners see those of others too."""
    room = workspace_of(request, workspace)
    found = visible_rules(room, actor_of(request)).select_related("owner", "run", "view")
    found = found.prefetch_related("destinations__user").order_by("-pk")
    if cursor:
        found = found.filter(pk__lt=row_id("cursor", cursor))
    rules = list(found[: limit + 1])
    for rule in rules:
        rule.workspace = room
    return page(
        rules,
        limit=limit,
        item=lambda rule: rule_item(request, rule),
        cursor=lambda rule: str(rule.pk),
    )


@router.post("/alert-rules", response=MADE, openapi_extra=documented(AlertRuleCreate))
def create_alert_rule(request: HttpRequest, workspace: Path[str]) -> Any:
    """Make a rule (201): of one's own, or with `shared` of the workspace (owners)."""
    room, by = workspace_of(request, workspace), actor_of(request)
    require_new(by, room, is_shared=False)
    asked = read_body(request, AlertRuleCreate)
    if asked.name is None:
        raise Invalid("name", "Give the rule a name.")
    draft = RuleDraft(**{"kind": asked.kind, **said(asked)})
    subject = _subject(request, workspace, asked)
    made = actions.create_rule(room, draft, by=by, is_shared=asked.shared, subject=subject)
    return rule_answer(request, room, made, status=201)


def _subject(
    request: HttpRequest, workspace: str, asked: AlertRuleCreate
) -> Run | CustomView | None:
    if asked.view and asked.run:
        raise Invalid("run", "A rule is about a run or a view, not both.")
    if asked.view:
        return view_of(request, workspace, asked.view)
    return run_of(request, workspace, asked.run) if asked.run else None


@router.get(RULE, response=answers(AlertRuleItem))
def get_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """One rule. Addresses and secrets of webhooks are given to those who may change it."""
    found = rule_of(request, workspace, rule)
    return rule_answer(request, found.workspace, found)


@router.patch(RULE, response=answers(AlertRuleItem), openapi_extra=documented(AlertRuleEdit))
def edit_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """Change what the rule says; its kind, run, view and whose it is stay."""
    found, by = rule_of(request, workspace, rule), actor_of(request)
    require_edit(by, found)
    draft = replace(draft_of(found), **said(read_body(request, AlertRuleEdit)))
    actions.change_rule(found, draft, by=by)
    return rule_answer(request, found.workspace, found)


@router.delete(RULE, response=answers(AlertRuleItem))
def delete_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """Delete the rule with all that it told and was about to tell."""
    found = rule_of(request, workspace, rule)
    item = rule_item(request, found)
    actions.delete_rule(found, by=actor_of(request))
    return JsonResponse(item)


@router.post(RULE + "/mute", response=answers(AlertRuleItem), openapi_extra=documented(AlertMute))
def mute_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """Tell nobody for `seconds` from now, or tell again; what happens meanwhile is listed."""
    found, asked = rule_of(request, workspace, rule), read_body(request, AlertMute)
    until = None
    if asked.seconds is not None:
        until = timezone.now() + timedelta(seconds=min(asked.seconds, 1e9))
    actions.mute_rule(found, until, by=actor_of(request))
    return rule_answer(request, found.workspace, found)


@router.post(
    RULE + "/enable", response=answers(AlertRuleItem), openapi_extra=documented(AlertSwitch)
)
def enable_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """Switch the rule on or off."""
    found, asked = rule_of(request, workspace, rule), read_body(request, AlertSwitch)
    actions.enable_rule(found, on=asked.on, by=actor_of(request))
    return rule_answer(request, found.workspace, found)


@router.post(RULE + "/test", response=answers(DeliveryPage))
def test_alert_rule(request: HttpRequest, workspace: Path[str], rule: str) -> Any:
    """Send a test to every destination; the answer lists its deliveries, not sent yet."""
    found = rule_of(request, workspace, rule)
    firing = actions.try_rule(found, by=actor_of(request))
    made = _deliveries().filter(firing=firing).order_by("pk")
    return JsonResponse({"items": [delivery_item(one) for one in made], "next": None})


@router.get(RULE + "/deliveries", response=answers(DeliveryPage))
def list_deliveries(
    request: HttpRequest, workspace: Path[str], rule: str, cursor: str = "", limit: int = Limit
) -> Any:
    """What the rule told to whom, newest first, with the last answer of who was to take it."""
    found = _deliveries().filter(firing__rule=rule_of(request, workspace, rule)).order_by("-pk")
    if cursor:
        found = found.filter(pk__lt=row_id("cursor", cursor))
    return page(
        list(found[: limit + 1]), limit=limit, item=delivery_item, cursor=lambda one: str(one.pk)
    )


@router.post(
    RULE + "/deliveries/{delivery}/retry",
    response=answers(DeliveryItem),
    openapi_extra=documented(NothingToSay),
)
def retry_delivery(request: HttpRequest, workspace: Path[str], rule: str, delivery: str) -> Any:
    """Try a message that was given up once more; another one stays as it is."""
    of = rule_of(request, workspace, rule)
    read_body(request, NothingToSay)
    known = delivery.isascii() and delivery.isdecimal() and len(delivery) < 19
    found = _deliveries().filter(firing__rule=of, pk=delivery).first() if known else None
    if found is None:
        raise NotFound(f"There is no delivery “{delivery[:80]}” of this rule.")
    found.firing.rule = of
    actions.retry_delivery(found, by=actor_of(request))
    return JsonResponse(delivery_item(_deliveries().get(pk=found.pk)))


def _deliveries() -> Any:
    return Delivery.objects.select_related("firing__run", "destination__user")


@router.post(
    "/runs/{uid}/notify", response=answers(EndNotice), openapi_extra=documented(AlertSwitch)
)
def notify_at_end(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """One mail to the token's person when the run ends, or none."""
    run, by = run_of(request, workspace, uid), actor_of(request)
    require_new(by, run.workspace, is_shared=False)
    if not read_body(request, AlertSwitch).on:
        actions.stop_notifying(run, by=by)
        return JsonResponse({"on": False, "rule": None})
    return JsonResponse({"on": True, "rule": actions.notify_at_end(run, by=by).uid})


@router.post(
    "/views/{view}/subscribe",
    response=answers(SubscriptionItem),
    openapi_extra=documented(ViewSubscription),
)
def subscribe_to_view(request: HttpRequest, workspace: Path[str], view: str) -> Any:
    """Tell the token's person of runs that enter or leave the view, or no longer."""
    found, by = view_to_change(request, workspace, view), actor_of(request)
    edge = read_body(request, ViewSubscription).edge
    if edge:
        rule = actions.subscribe(found, edge=edge, by=by)
        return JsonResponse({"edge": rule.edge, "rule": rule.uid})
    known = actions.subscription(found, by=by)
    if known is not None:
        actions.delete_rule(known, by=by)
    return JsonResponse({"edge": "", "rule": None})
