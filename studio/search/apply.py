"""From the search tree to a queryset of runs."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from django.db.models import Q
from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet, Shortlist
from studio.runs.searchtext import folded
from studio.runs.status import Status
from studio.search.fields import FIELDS
from studio.search.fulltext import body_q
from studio.search.plain_keys import begins, is_short_uid
from studio.search.scope import NOTHING, Scope, all_q, any_q
from studio.search.syntax import parse
from studio.search.tree import And, Node, Not, Op, Or, Term, Word, leaves

A_PAGE = 50
# Up to so many times longer, a list is looked for in the shortest quicker than run by run.
NEARLY_AS_SHORT = 6
Part = TypeVar("Part")


def search(
    queryset: RunQuerySet,
    text: str,
    *,
    user: User | None,
    now: datetime | None = None,
    workspace: Workspace | None = None,
) -> RunQuerySet:
    """Return the runs of `queryset` that match a query; all of them for an empty one.

    See `apply`. Raises SearchSyntaxError.
    """
    return apply(queryset, parse(text), user=user, now=now, workspace=workspace)


def apply(
    queryset: RunQuerySet,
    node: Node | None,
    *,
    user: User | None,
    now: datetime | None = None,
    workspace: Workspace | None = None,
) -> RunQuerySet:
    """Return the runs of `queryset` that match a tree.

    user: whose stars and runs `is:` means, and whose workspaces are looked in; None: nobody's,
    and all. now: aware, in the zone whose days the query means; None: now, in the active one.
    workspace: the only one `queryset` has runs of,
    when the caller knows. Archived runs are left in: see `asks_for_archived`.
    Queries: to find the better plan up to three per condition or word, 24 in all; one per
    condition on experiment, submitter or target; three more in all.
    Raises SearchSyntaxError.
    """
    if node is None:
        return queryset
    scope = Scope.of(user, now or timezone.localtime(), workspace)
    parts = sorted(node.children, key=_cost) if isinstance(node, And) else [node]
    return all_of(queryset, parts, scope, condition)


def all_of(
    runs: RunQuerySet, parts: Iterable[Part], scope: Scope, build: Callable[[Part, Scope], Q]
) -> RunQuerySet:
    """The runs that meet all parts of a search, each of which `build` makes a Q.

    Where walking the newest runs would look at more, reading begins at the shortest list that an
    index gives. Where another is hardly longer, runs that are in both are found before any is read.
    For the rest each run is asked: to make a set of the runs of a longer list, as a walk of unknown
    length does, would cost more than that.
    """
    built: list[tuple[Part, Q, list[Shortlist]]] = []
    uncounted: list[Shortlist] = []
    for part in parts:
        scope.forget_lists()
        made = build(part, scope)
        if isinstance(part, Or | And | Not):
            scope.forget_lists()
        known = list(scope.lists)
        uncounted += scope.uncounted
        built.append((part, made, known))
        scope.most = min([scope.most, *(NEARLY_AS_SHORT * one.n for one in known)])
    lists = [one for _, _, some in built for one in some]
    begun = _beginning(lists, n_others=sum(not some for _, _, some in built), scope=scope)
    # Without questions about the plan, each run is asked.
    scope.n_probes_left = 0
    found, shortest = runs, min(lists, key=lambda one: one.n, default=None)
    for part, made, some in built:
        if begun is None or not some:
            found = found.filter(made)
            continue
        own, both = some[0], None
        if own is not shortest and own.n < NEARLY_AS_SHORT * begun.n:
            both = begun.both(own)
            begun = both or begun
        is_met = own is shortest or both is not None
        if own.is_wider or not is_met:
            found = found.filter(build(part, scope))
    if begun is not None:
        found, shortest = found.filter(begun.runs), begun._replace(is_begun=True)
    if shortest is not None:
        found.shortlist = shortest
    if uncounted:
        found.uncounted = tuple(uncounted)
    found.searched = runs
    return found


def _cost(node: Node) -> int:
    """What is likely to be met by few runs, and quick to ask, comes first."""
    if isinstance(node, Term):
        return 0 if node.op is Op.EQ else 1
    return 2 if isinstance(node, Word) else 3


def _beginning(lists: list[Shortlist], *, n_others: int, scope: Scope) -> Shortlist | None:
    """The list to begin at, None for the newest runs.

    A page needs some 50 runs; a condition of which nothing is known is taken to hold for every
    second run. Reading a run from a list costs twice what looking at the next one does.
    """
    if not lists:
        return None
    shortest = min(lists, key=lambda one: one.n)
    share = 0.5**n_others * math.prod(min(1.0, one.n / scope.n_runs) for one in lists)
    return shortest if A_PAGE / share > 2 * shortest.n else None


def asks_for_archived(node: Node | None) -> bool:
    """Tell whether a query speaks of archived runs; the lists leave them out otherwise."""
    return any(
        isinstance(leaf, Term) and leaf.key.family == "is" and "archived" in leaf.values
        for leaf in leaves(node)
    )


def condition(node: Node, scope: Scope) -> Q:
    """Return a tree as a Q over runs, true or false for each and never unknown.

    Queries: see `apply`. Raises SearchSyntaxError.
    """
    match node:
        case And(children=children):
            return all_q(condition(child, scope) for child in children)
        case Or(children=children):
            return any_q(condition(child, scope) for child in children)
        case Not(child=child):
            return ~condition(child, scope)
        case Word(text=text):
            return _word_q(text, scope)
        case Term():
            return FIELDS[node.key.family].q(node, scope)


def _word_q(text: str, scope: Scope) -> Q:
    """Free text: in name, description or tags, or naming an experiment, person, status or id."""
    asked = folded(text)
    found = body_q(scope, text)
    others: list[Q] = []
    for column, rows in (("experiment", scope.experiments), ("submitter", scope.people)):
        ids = [row.pk for row in rows if any(asked in name for name in row.names)]
        if ids:
            others.append(Q(**{f"{column}__isnull": False, f"{column}__in": ids}))
    if statuses := named_statuses(asked):
        others.append(Q(status__in=statuses))
    if is_short_uid(text):
        others.append(_uid_q(text, scope))
    if others:
        scope.forget_lists()
    return any_q([found, *others])


def _uid_q(text: str, scope: Scope) -> Q:
    uids = Run.objects.filter(begins("uid", text.lower()), workspace__in=scope.workspace_ids)
    # Knowing that there is none keeps an OR out of the query, and the index in.
    if scope.may_ask() and not uids.exists():
        return NOTHING
    return Q(pk__in=uids.values("pk"))


def named_statuses(asked: str) -> list[Status]:
    """The statuses of which a word begins like `asked`: "fail", "requested", "not started"."""
    return [
        status
        for status in Status
        if any(
            name.startswith(asked)
            for name in (folded(status), folded(status.label), *folded(status.label).split())
        )
    ]
