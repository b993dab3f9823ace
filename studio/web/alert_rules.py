"""Alert rules: all that one sees, one with what it told, and the form."""

from typing import Any

from django.db.models import Count, Max, Prefetch
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone

from studio.accounts.models import Membership
from studio.accounts.permissions import Permission
from studio.alerts.drafts import OPERATORS
from studio.alerts.models import AlertRule, Delivery, Digest, Edge, Firing, Kind
from studio.alerts.rights import find_rule, may_edit, visible_rules
from studio.alerts.words import headline
from studio.runs.status import Status
from studio.web.access import Request, page
from studio.web.alert_form import AlertForm
from studio.web.alert_words import sentence
from studio.web.frame import frame
from studio.web.render import render_page

MOST_RULES = 500
N_FIRINGS = 50
# A rule on a view is made on the view, one for the end of a run on the run.
OFFERED = (Kind.STATUS, Kind.METRIC, Kind.SILENCE, Kind.DURATION)


@page
def rule_list(request: Request) -> HttpResponse:
    """Own rules, then those of the workspace, then (for owners) others' (2 queries and the
    frame's)."""
    rules = visible_rules(request.workspace, request.actor).select_related("owner", "view", "run")
    rules = rules.annotate(n_fired=Count("firings"), fired_at=Max("firings__at"))
    rules = rules.prefetch_related("destinations__user").order_by("name", "pk")
    found = list(rules[:MOST_RULES])
    rows = [(rule, sentence(rule)) for rule in found]
    own = [row for row in rows if row[0].owner_id == request.user.pk and not row[0].is_shared]
    shared = [row for row in rows if row[0].is_shared]
    others = [row for row in rows if row not in own and row not in shared]
    context = {
        **frame(request, active="monitor"),
        "groups": [
            ("Your rules", own),
            ("Rules of the workspace", shared),
            ("Rules of others", others),
        ],
        "n_rules": len(rows),
        "kinds": [(kind.value, kind.label) for kind in OFFERED],
        "has_email": bool(request.user.email),
        "now": timezone.now(),
    }
    return render_page(request, "alerts/list.html", context)


def rule_or_404(request: Request, uid: str) -> AlertRule:
    found = find_rule(request.workspace, request.actor, uid)
    if found is None:
        raise Http404("There is no such alert rule, or it is not yours.")
    return found


@page
def rule_page(request: Request, rule: str) -> HttpResponse:
    """One rule: what it watches, whom it tells, and the newest 50 of what it told."""
    return show_rule(request, rule_or_404(request, rule))


def show_rule(request: Request, rule: AlertRule, *, status: int = 200) -> HttpResponse:
    """4 queries and the frame's."""
    deliveries = Delivery.objects.select_related("destination__user").order_by("pk")
    firings = Firing.objects.filter(rule=rule).order_by("-pk")
    firings = firings.prefetch_related(Prefetch("deliveries", queryset=deliveries))
    context = {
        **frame(request, active="monitor"),
        "rule": rule,
        "words": sentence(rule),
        "destinations": list(rule.destinations.select_related("user").order_by("pk")),
        "firings": [(firing, headline(firing.facts)) for firing in firings[:N_FIRINGS]],
        "n_shown": N_FIRINGS,
        "may_edit": may_edit(request.actor, rule),
        "now": timezone.now(),
    }
    return render_page(
        request, "alerts/rule.html", context, part="alerts/_firings.html", status=status
    )


@page
def new_rule(request: Request) -> HttpResponse:
    """The form for a rule of the kind in the address."""
    kind = request.GET.get("kind", "")
    form = AlertForm(kind=kind if kind in {one.value for one in OFFERED} else Kind.STATUS.value)
    query = request.GET.get("q", "")
    return show_form(request, AlertForm(kind=form.kind, query=query) if query else form)


@page
def edit_rule(request: Request, rule: str) -> HttpResponse:
    found = rule_or_404(request, rule)
    return show_form(request, AlertForm.of_rule(found), rule=found)


def show_form(
    request: Request, form: AlertForm, *, rule: AlertRule | None = None, status: int = 200
) -> HttpResponse:
    """The form of a new rule, or of `rule` (2 queries and the frame's)."""
    names = ("alert-change", "alert-rule") if rule else ("alert-create", "alert-list")
    arguments = [request.workspace.name, *([rule.uid] if rule else [])]
    context = {
        **frame(request, active="monitor"),
        **choices(),
        "form": form,
        "rule": rule,
        "may_edit": rule is None or may_edit(request.actor, rule),
        "post_url": reverse(names[0], args=arguments),
        "back_url": reverse(names[1], args=arguments),
        "members": list(Membership.objects.of(request.workspace).by_name()),
        "may_share": Permission.EDIT_ALL_ALERTS in request.permissions,
        "has_email": bool(request.user.email),
    }
    return render_page(request, "alerts/form.html", context, status=status)


def choices() -> dict[str, Any]:
    """What the selects of the form offer."""
    return {
        "kinds": [(kind.value, kind.label) for kind in OFFERED],
        "statuses": Status.choices,
        "operators": [(sign, sign) for sign in OPERATORS],
        "edges": Edge.choices,
        "digests": Digest.choices,
        "units": [("min", "minutes"), ("h", "hours"), ("d", "days")],
    }
