"""Alert rules: all that one sees, one with what it told, and the form."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Prefetch
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone

from studio.accounts.models import Membership
from studio.accounts.permissions import Permission
from studio.alerts.drafts import OPERATORS
from studio.alerts.models import AlertRule, Delivery, Digest, Edge, Firing, Kind, State
from studio.alerts.rights import find_rule, may_edit, require_edit, visible_rules
from studio.alerts.words import headline
from studio.custom_views.finding import visible_views
from studio.custom_views.rights import may_see
from studio.runs.status import Status
from studio.web.access import Request, page
from studio.web.alert_form import AlertForm
from studio.web.alert_words import sentence
from studio.web.frame import frame
from studio.web.render import render_page
from studio.web.typed import storable

MOST_RULES = 500
N_FIRINGS = 50
# Deliveries due so soon are waited for.
SOON = timedelta(minutes=2)
# What a list is limited to besides its query, and the keys of the search that say so.
LIMITS = {"experiment": "experiment", "type": "type"}
# A rule on a view is made on the view, one for the end of a run on the run.
OFFERED = (Kind.STATUS, Kind.METRIC, Kind.SILENCE, Kind.DURATION)


@page
def rule_list(request: Request) -> HttpResponse:
    """Own rules, then those of the workspace, then (for owners) others' (2 queries, one more
    for views, and the frame's)."""
    rules = visible_rules(request.workspace, request.actor).select_related("owner", "view", "run")
    rules = rules.annotate(n_fired=Count("firings"), fired_at=Max("firings__at"))
    rules = rules.prefetch_related("destinations__user").order_by("name", "pk")
    found = list(rules[:MOST_RULES])
    views = {rule.view_id for rule in found if rule.view_id}
    seen = visible_views(request.workspace, request.actor).filter(pk__in=views)
    sees = set(seen.values_list("pk", flat=True)) if views else set()
    rows = [(rule, sentence(rule, sees_view=rule.view_id in sees)) for rule in found]
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
    found = list(firings[:N_FIRINGS])
    destinations = list(rule.destinations.select_related("user").order_by("pk"))
    context = {
        **frame(request, active="monitor"),
        "rule": rule,
        "words": sentence(rule, sees_view=_sees_view(request, rule)),
        "people": [one.user for one in destinations if one.user],
        "hooks": [one for one in destinations if not one.user],
        "firings": [(firing, headline(firing.facts)) for firing in found],
        "n_shown": N_FIRINGS,
        "is_under_way": _is_under_way(found),
        "may_edit": may_edit(request.actor, rule),
        "now": timezone.now(),
    }
    return render_page(
        request, "alerts/rule.html", context, part="alerts/_firings.html", status=status
    )


def _sees_view(request: Request, rule: AlertRule) -> bool:
    return rule.view is not None and may_see(request.actor, rule.view)


def _is_under_way(firings: list[Firing]) -> bool:
    """Whether a delivery is being sent, or soon will be; a digest of tomorrow is not."""
    soon = timezone.now() + SOON
    return any(
        one.state == State.SENDING or (one.state == State.WAITING and one.due_at < soon)
        for firing in firings
        for one in firing.deliveries.all()
    )


@page
def new_rule(request: Request) -> HttpResponse:
    """The form for a rule of the kind in the address, about the runs of the list it came from."""
    kind = request.GET.get("kind", "")
    return show_form(
        request,
        AlertForm(
            kind=kind if kind in {one.value for one in OFFERED} else Kind.STATUS.value,
            query=query_of_list(request),
        ),
    )


def query_of_list(request: Request) -> str:
    """What a list shows as one query: what was searched for, in an experiment, of a type, one's
    own."""
    told = {name: storable(request.GET.get(name, "").strip()) for name in ("q", *LIMITS)}
    limits = [f"{key}:{told[name]}" for name, key in LIMITS.items() if told[name]]
    limits += ["is:mine"] if request.GET.get("mine") == "1" else []
    query = told["q"]
    if query and limits and re.search(r"\bor\b", query, re.IGNORECASE):
        query = f"({query})"
    return " ".join([*limits, query]).strip()


@page
def edit_rule(request: Request, rule: str) -> HttpResponse:
    """The form with all that the rule says, for those who may change it: it names webhooks."""
    found = rule_or_404(request, rule)
    require_edit(request.actor, found)
    return show_form(request, AlertForm.of_rule(found), rule=found)


@page
def confirm_delete(request: Request, rule: str) -> HttpResponse:
    """The question, as a dialog or as a page (2 queries and the frame's)."""
    found = rule_or_404(request, rule)
    require_edit(request.actor, found)
    waiting = Delivery.objects.unfinished().filter(firing__rule=found)
    context = {
        **frame(request, active="monitor"),
        "rule": found,
        "n_waiting": waiting.count(),
    }
    return render_page(request, "alerts/confirm.html", context, part="alerts/_dialog.html")


def show_form(
    request: Request, form: AlertForm, *, rule: AlertRule | None = None, status: int = 200
) -> HttpResponse:
    """The form of a new rule, or of `rule` (2 queries and the frame's)."""
    owner = rule.owner if rule else request.user
    names = ("alert-change", "alert-rule") if rule else ("alert-create", "alert-list")
    arguments = [request.workspace.name, *([rule.uid] if rule else [])]
    context = {
        **frame(request, active="monitor"),
        **choices(),
        "kinds": _kinds(request, form),
        "form": form,
        "rule": rule,
        "post_url": reverse(names[0], args=arguments),
        "back_url": reverse(names[1], args=arguments),
        "members": list(Membership.objects.of(request.workspace).by_name()),
        "may_share": Permission.EDIT_ALL_ALERTS in request.permissions,
        "mine": "Me" if owner.pk == request.user.pk else owner.get_username(),
        "has_email": bool(owner.email),
    }
    return render_page(request, "alerts/form.html", context, status=status)


def _kinds(request: Request, form: AlertForm) -> list[tuple[str, str, bool]]:
    """What a new rule may watch, each the address of its form with the same query."""
    base = reverse("alert-new", args=[request.workspace.name])
    query = {"q": form.query} if form.query else {}
    return [
        (one.label, f"{base}?{urlencode({'kind': one.value, **query})}", one.value == form.kind)
        for one in OFFERED
    ]


def choices() -> dict[str, Any]:
    """What the selects of the form offer."""
    return {
        "statuses": Status.choices,
        "operators": [(sign, sign) for sign in OPERATORS],
        "edges": Edge.choices,
        "digests": Digest.choices,
        "units": [("min", "minutes"), ("h", "hours"), ("d", "days")],
    }
