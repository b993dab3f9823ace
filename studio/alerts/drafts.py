"""A rule as somebody wrote it, checked before it is stored."""

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from studio.accounts.models import Membership, User, Workspace
from studio.alerts.models import MAX_NAME, MAX_URL, AlertRule, Channel, Digest, Edge, Kind
from studio.alerts.outgoing import Refused, check
from studio.alerts.view_watching import MOST_RUNS
from studio.runs.limits import Invalid, clean_text
from studio.runs.status import Status
from studio.search.errors import SearchSyntaxError
from studio.search.log_terms import NOT_IN_RULES, log_texts
from studio.search.scanner import MAX_CHARACTERS
from studio.search.syntax import parse

OPERATORS = ("<", "<=", ">", ">=")
MAX_DESTINATIONS = 20
MAX_OWN_HOOKS = 3
LEAST_S, MOST_S = 60.0, 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where news go: `channel` email with the user name of a member, or a webhook with a url."""

    channel: str
    user: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """All that a person says of a rule; what its kind does not use is ignored. `view` is the uid
    of a custom view, `run` that of a run. Fields are those of models.AlertRule."""

    name: str
    kind: str = Kind.STATUS
    query: str = ""
    statuses: Sequence[str] = ()
    metric: str = ""
    operator: str = ""
    threshold: float | None = None
    seconds: float | None = None
    edge: str = ""
    digest: str = ""
    addresses: Sequence[Address] = field(default=(Address(Channel.EMAIL),))


def columns_of(draft: RuleDraft) -> dict[str, Any]:
    """The draft as columns of a rule, checked; those that its kind does not use are empty.

    Raises Invalid with the field's name and what to do.
    """
    if draft.kind not in Kind.values:
        raise Invalid("kind", f"kind must be one of {', '.join(Kind.values)}.")
    if draft.digest not in Digest.values:
        raise Invalid("digest", "digest must be empty (at once), hourly or daily.")
    empty: dict[str, Any] = {
        "name": clean_text(draft.name, field="name", most=MAX_NAME, allow_empty=False).strip(),
        "kind": draft.kind,
        "query": "" if draft.kind == Kind.VIEW else _query(draft.query),
        "digest": draft.digest,
        **{"statuses": [], "metric": "", "operator": "", "threshold": None},
        **{"seconds": None, "edge": ""},
    }
    own = {
        Kind.STATUS: _statuses,
        Kind.METRIC: _metric,
        Kind.SILENCE: _seconds,
        Kind.DURATION: _seconds,
        Kind.VIEW: _edge,
    }
    return empty | own[Kind(draft.kind)](draft)


def _query(text: str) -> str:
    query = clean_text(text, field="query", most=MAX_CHARACTERS).strip()
    try:
        node = parse(query)
    except SearchSyntaxError as error:
        raise Invalid("query", f"{error.message} Correct would be: {error.example}") from error
    if log_texts(node):
        raise Invalid("query", NOT_IN_RULES)
    return query


def _statuses(draft: RuleDraft) -> dict[str, Any]:
    chosen = list(dict.fromkeys(str(status) for status in draft.statuses))
    if not chosen:
        raise Invalid("statuses", "Choose at least one status to be told of.")
    if wrong := [status for status in chosen if status not in Status.values]:
        raise Invalid(
            "statuses", f"“{wrong[0][:50]}” is no status. {', '.join(Status.values)} are."
        )
    return {"statuses": chosen}


def _metric(draft: RuleDraft) -> dict[str, Any]:
    name = clean_text(draft.metric, field="metric", most=255, allow_empty=False).strip()
    if draft.operator not in OPERATORS:
        raise Invalid("operator", "Choose one of <, <=, > and >=.")
    return {"metric": name, "operator": draft.operator, "threshold": _number(draft.threshold)}


def _number(value: float | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid("threshold", "The value must be a number, such as 0.3.")
    return float(value)


def _seconds(draft: RuleDraft) -> dict[str, Any]:
    value = draft.seconds
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid("seconds", "Give the time as a number.")
    if not LEAST_S <= value <= MOST_S:
        raise Invalid("seconds", "The time must be between 1 minute and 30 days.")
    return {"seconds": float(value)}


def _edge(draft: RuleDraft) -> dict[str, Any]:
    if draft.edge not in Edge.values:
        raise Invalid("edge", f"edge must be one of {', '.join(Edge.values)}.")
    if draft.edge not in (Edge.ABOVE, Edge.BELOW):
        return {"edge": draft.edge}
    threshold = _number(draft.threshold)
    if not 1 <= threshold <= MOST_RUNS or threshold != int(threshold):
        raise Invalid("threshold", f"The number of runs must be from 1 to {MOST_RUNS:,}.")
    return {"edge": draft.edge, "threshold": threshold}


def destinations_of(
    draft: RuleDraft, workspace: Workspace, *, owner: User, is_shared: bool
) -> list[dict[str, Any]]:
    """The draft's addresses as columns of destinations, each once (1 query).

    Raises Invalid for somebody who is no member, for another person in one's own rule, and for a
    webhook that the studio would not send to.
    """
    if not 1 <= len(draft.addresses) <= MAX_DESTINATIONS:
        raise Invalid(
            "addresses", f"Choose whom to tell: 1 to {MAX_DESTINATIONS} people or webhooks."
        )
    names = {one.user or owner.get_username() for one in draft.addresses}
    found = User.objects.filter(username__in=names, is_active=True)
    people = {user.get_username(): user for user in found}
    made: dict[tuple[str, int | None, str], dict[str, Any]] = {}
    for address in draft.addresses:
        row = _destination(address, people, owner=owner, is_shared=is_shared)
        user = row.get("user")
        if user is not None and not _is_member(user, workspace):
            raise Invalid("addresses", f"“{user.get_username()}” is no member of the workspace.")
        made[row["channel"], user.pk if user else None, row.get("url", "")] = row
    n_hooks = sum(1 for channel, _, _ in made if channel != Channel.EMAIL)
    if not is_shared and n_hooks > MAX_OWN_HOOKS:
        raise Invalid(
            "addresses",
            f"A rule of your own has at most {MAX_OWN_HOOKS} webhooks; this has {n_hooks}.",
        )
    return list(made.values())


def _destination(
    address: Address, people: dict[str, User], *, owner: User, is_shared: bool
) -> dict[str, Any]:
    if address.channel not in Channel.values:
        raise Invalid("addresses", f"A channel is one of {', '.join(Channel.values)}.")
    if address.channel != Channel.EMAIL:
        return {"channel": address.channel, "url": _url(address.url)}
    name = address.user or owner.get_username()
    user = people.get(name)
    if user is None:
        raise Invalid("addresses", f"“{name[:150]}” is no member of the workspace.")
    if not is_shared and user.pk != owner.pk:
        raise Invalid(
            "addresses", "A rule of your own tells you alone. Rules of the workspace tell others."
        )
    return {"channel": Channel.EMAIL, "user": user}


def _url(text: str) -> str:
    url = clean_text(text, field="url", most=MAX_URL, allow_empty=False).strip()
    try:
        check(url)
    except (Refused, ipaddress.AddressValueError) as error:
        raise Invalid("url", str(error)) from error
    return url


def _host(url: str) -> str:
    return f"{'/'.join(url.split('/')[:3])}/…" if url else ""


def _is_member(user: User, workspace: Workspace) -> bool:
    return user.is_superuser or Membership.objects.filter(user=user, workspace=workspace).exists()


def draft_of(rule: AlertRule) -> RuleDraft:
    """What the rule says now, to be changed in parts (1 query)."""
    same = ("name", "kind", "query", "metric", "operator", "threshold", "seconds", "edge", "digest")
    return RuleDraft(
        **{name: getattr(rule, name) for name in same},
        statuses=tuple(rule.statuses),
        addresses=[
            Address(one.channel, one.user.get_username() if one.user else "", one.url)
            for one in rule.destinations.select_related("user").order_by("pk")
        ],
    )


def told(rule: AlertRule) -> dict[str, Any]:
    """The rule as histories keep it, with its destinations (1 query); no secrets: of a webhook's
    address only the host, since many are let in by what follows."""
    columns = ("name", "kind", "query", "statuses", "metric", "operator", "threshold", "seconds")
    addresses = [
        asdict(Address(one.channel, one.user.get_username() if one.user else "", _host(one.url)))
        for one in rule.destinations.select_related("user").order_by("pk")
    ]
    own = {name: getattr(rule, name) for name in (*columns, "edge", "digest", "is_shared")}
    return own | {"addresses": addresses}
