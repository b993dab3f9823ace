"""Custom views as pages and the API look for them: always only those that the person may see."""

import re
from typing import Any

from django.db.models import BigIntegerField, CharField, Q, QuerySet

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, Permission
from studio.custom_views.models import (
    UID_LENGTH,
    UID_LETTERS,
    Access,
    CustomView,
    CustomViewQuerySet,
    DefaultView,
    ViewPin,
    ViewRevision,
    list_key,
)
from studio.custom_views.rights import may_see, seeing
from studio.custom_views.state import Base
from studio.custom_views.stored import state_of
from studio.queries.fixed import fixed
from studio.runs.models import Experiment

_UID = re.compile(f"[{UID_LETTERS}]{{{UID_LENGTH}}}")


def visible_views(workspace: Workspace, actor: Actor) -> CustomViewQuerySet:
    """The views of the workspace that a person sees: none for who is no member, those of everyone
    for the token of a run (see rights.may_see)."""
    held = seeing(actor, workspace)
    if actor.user is None or Permission.SEE not in held:
        return CustomView.objects.none()
    here = CustomView.objects.of(workspace)
    if actor.run_uid:
        return here.exclude(everyone=Access.NONE)
    return here.visible_to(actor.user, is_owner=Permission.EDIT_WORKSPACE_VIEWS in held)


def find_view(workspace: Workspace, actor: Actor, address: str) -> CustomView | None:
    """The view of a permalink's last part or of a uid, with the facts for the person; None for one
    there is not, or not for them (1 query)."""
    uid = address.rpartition("-")[2]
    if actor.user is None or not _UID.fullmatch(uid):
        return None
    found = visible_views(workspace, actor).with_facts_for(actor.user).filter(uid=uid).first()
    if found is not None:
        found.workspace = workspace
    return found


def find_deleted_view(workspace: Workspace, actor: Actor, address: str) -> CustomView | None:
    """A deleted view that can be brought back, of those that the person saw; None for one there is
    not, or not for them (at most 3 queries)."""
    gone = CustomView.objects.filter(workspace=workspace, deleted_at__isnull=False)
    uid = address.rpartition("-")[2]
    found = gone.filter(uid=uid).first() if _UID.fullmatch(uid) else None
    if found is not None:
        found.workspace = workspace
    return found if found is not None and may_see(actor, found) else None


def base_of(view: CustomView, version: int | None = None) -> Base:
    """The state that an address of this view is told against: that of `version`, of the newest
    without one or for one there never was (1 query for an older one)."""
    if version is not None and version != view.version:
        older = ViewRevision.objects.filter(view=view, version=version).first()
        if older is not None:
            return Base(state_of(older.state), version, is_newest=False)
    return Base(state_of(view.state), view.version)


def default_view(
    workspace: Workspace, actor: Actor, place: str, experiment: Experiment | None
) -> CustomView | None:
    """The view that opens a list for this person: their own, else that of the workspace, else None
    (1 query, and 1 more where there is any). One that they may not see any more does not count."""
    if actor.user is None:
        return None
    # Most lists have none: then it need not be asked who sees what.
    held = dict(
        _opening(user=actor.user.pk, workspace=workspace.pk, opens=list_key(place, experiment))
    )
    if not held:
        return None
    seen = {view.pk: view for view in visible_views(workspace, actor).filter(pk__in=held.values())}
    own_first = sorted(held, key=lambda user_id: user_id is None)
    found = next((seen[held[one]] for one in own_first if held[one] in seen), None)
    if found is not None:
        found.workspace = workspace
    return found


@fixed(user=BigIntegerField(), workspace=BigIntegerField(), opens=CharField())
def _opening(user: Any, workspace: Any, opens: Any) -> "QuerySet[DefaultView, Any]":
    whose = Q(user=user) | Q(user=None)
    return DefaultView.objects.filter(whose, workspace=workspace, opens=opens).values_list(
        "user", "view"
    )


def pinned_views(workspace: Workspace, user: User, actor: Actor) -> list[CustomView]:
    """The person's pins in their order, each with its experiment (1 query, and 1 more where there
    is any)."""
    if not _any_pin(user=user.pk):
        return []
    found = visible_views(workspace, actor).filter(pins__user=user).select_related("experiment")
    return list(found.order_by("pins__position", "pk"))


@fixed(user=BigIntegerField())
def _any_pin(user: Any) -> "QuerySet[ViewPin, Any]":
    return ViewPin.objects.filter(user=user).values_list("pk", flat=True)[:1]


def kind_of_sharing(view: CustomView) -> str:
    """Who may see it, in a word: "private", "people" or "workspace"; needs `n_grants`."""
    if view.everyone != Access.NONE:
        return "workspace"
    return "people" if vars(view).get("n_grants") else "private"
