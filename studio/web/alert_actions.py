"""What the buttons and forms of alert rules do; each calls one action."""

from dataclasses import replace
from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from studio.alerts import actions
from studio.alerts.mail import destination_of
from studio.alerts.models import AlertRule, Delivery, Kind
from studio.custom_views.models import CustomView
from studio.runs.limits import Invalid
from studio.web.access import Request, action, find_run, public
from studio.web.alert_form import AlertForm
from studio.web.alert_rules import OFFERED, rule_or_404, show_form
from studio.web.render import back, done
from studio.web.run_actions import changed, not_done
from studio.web.views_found import found_view

MUTES = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}


def to_rule(request: Request, rule: AlertRule) -> HttpResponse:
    return done(request, reverse("alert-rule", args=[request.workspace.name, rule.uid]))


@action
def create(request: Request) -> HttpResponse:
    kind = request.POST.get("kind", "")
    known = {one.value for one in OFFERED}
    form = AlertForm.typed(request, kind=kind if kind in known else Kind.STATUS.value)
    try:
        rule = actions.create_rule(
            request.workspace, form.draft(), by=request.actor, is_shared=form.is_shared
        )
    except Invalid as invalid:
        return show_form(request, form.refused(invalid), status=422)
    messages.success(request, f"The rule “{rule.name}” watches from now on")
    return to_rule(request, rule)


@action
def change(request: Request, rule: str) -> HttpResponse:
    found = rule_or_404(request, rule)
    form = replace(AlertForm.typed(request, kind=found.kind), is_shared=found.is_shared)
    try:
        actions.change_rule(found, form.draft(), by=request.actor)
    except Invalid as invalid:
        return show_form(request, form.refused(invalid), rule=found, status=422)
    messages.success(request, "The rule is changed")
    return to_rule(request, found)


@action
def delete(request: Request, rule: str) -> HttpResponse:
    found = rule_or_404(request, rule)
    actions.delete_rule(found, by=request.actor)
    messages.success(request, f"The rule “{found.name}” is deleted")
    return done(request, reverse("alert-list", args=[request.workspace.name]))


@action
def enable(request: Request, rule: str) -> HttpResponse:
    """on=1: switch it on; else off."""
    found = rule_or_404(request, rule)
    on = request.POST.get("on") == "1"
    actions.enable_rule(found, on=on, by=request.actor)
    messages.success(request, "The rule is on" if on else "The rule is off")
    return to_rule(request, found)


@action
def mute(request: Request, rule: str) -> HttpResponse:
    """for: 1h, 1d or 7d; anything else ends the mute."""
    found = rule_or_404(request, rule)
    length = MUTES.get(request.POST.get("for", ""))
    until = timezone.now() + length if length else None
    actions.mute_rule(found, until, by=request.actor)
    messages.success(request, "The rule is muted" if until else "The rule tells again")
    return to_rule(request, found)


@action
def test(request: Request, rule: str) -> HttpResponse:
    found = rule_or_404(request, rule)
    actions.try_rule(found, by=request.actor)
    messages.success(request, "A test is on its way: see below what became of it")
    return to_rule(request, found)


@action
def retry(request: Request, rule: str) -> HttpResponse:
    """delivery: the id of one that was given up."""
    found, number = rule_or_404(request, rule), request.POST.get("delivery", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Http404("There is no such delivery.")
    delivery = Delivery.objects.filter(firing__rule=found, pk=int(number)).first()
    if delivery is None:
        raise Http404("There is no such delivery.")
    delivery.firing.rule = found
    again = actions.retry_delivery(delivery, by=request.actor)
    messages.success(request, "It is tried again" if again else "It was not given up")
    return to_rule(request, found)


@action
def notify(request: Request, uid: str) -> HttpResponse:
    """on=1: a mail when the run ends; else none."""
    run = find_run(request, uid)
    if request.POST.get("on") != "1":
        actions.stop_notifying(run, by=request.actor)
        return changed(request, run, notice="You will not be told when the run ends")
    try:
        actions.notify_at_end(run, by=request.actor)
    except Invalid as invalid:
        return not_done(request, run, str(invalid))
    return changed(request, run, notice="You get a mail when the run ends")


@action
def subscribe(request: Request, address: str) -> HttpResponse:
    """edge: enter, leave or both; anything else ends the subscription."""
    view = found_view(request, address)
    rule, edge = actions.subscription(view, by=request.actor), request.POST.get("edge", "")
    if edge:
        rule = _subscribed(request, view, edge)
    elif rule is not None:
        actions.delete_rule(rule, by=request.actor)
        messages.success(request, f"You are not told of “{view.name}” any more")
        rule = None
    where = reverse("view", args=[request.workspace.name, view.address])
    return to_rule(request, rule) if rule is not None else done(request, back(request, where))


def _subscribed(request: Request, view: CustomView, edge: str) -> AlertRule | None:
    try:
        rule = actions.subscribe(view, edge=edge, by=request.actor)
    except Invalid as invalid:
        messages.error(request, str(invalid))
        return None
    messages.success(request, f"You are told of runs in “{view.name}”")
    return rule


@public(reason="whoever has the mail may stop the mails; the link is signed and says nothing else")
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponseBase:
    """A button on GET, so that a mail scanner that opens links stops nothing; POST stops (also
    the one click of mail programs, which have no cookie)."""
    destination = destination_of(token)
    is_done = request.method == "POST" and actions.unsubscribe(token) is not None
    context = {"destination": destination, "is_done": is_done, "active": ""}
    return render(request, "alerts/unsubscribe.html", context, status=200 if destination else 404)
