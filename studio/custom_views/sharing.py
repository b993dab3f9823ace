"""Who sees and edits a view, and what each person keeps of views for themselves: pins, defaults,
last use."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from studio.accounts.models import Membership, User, Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.custom_views.actions import locked, record
from studio.custom_views.finding import visible_views
from studio.custom_views.models import (
    Access,
    CustomView,
    DefaultView,
    Place,
    ViewGrant,
    ViewPin,
    ViewUse,
    list_key,
)
from studio.custom_views.rights import require_manage, require_see
from studio.runs.limits import Invalid, clean_text
from studio.runs.models import Experiment

MAX_GRANTS = 500
MAX_USER_NAME = 150
MAX_PINS = 30
# Opening a view again and again writes no more often.
USE_KEPT_TO_S = 60


def share_view(
    view: CustomView,
    *,
    everyone: str,
    people: Mapping[str, str],
    by: Actor,
    among: Collection[str] | None = None,
) -> CustomView:
    """Set who besides the owner may see or edit: `everyone` in the workspace, and `people` by user
    name, both as Access. What was granted before and is not named ends at once; with `among`, user
    names, only what was granted to these.

    Raises Invalid for an access there is not, a person who is no member, and a view that was
    deleted meanwhile; NotAllowed.
    """
    require_manage(by, view)
    if everyone not in Access.values:
        raise Invalid("everyone", "Everyone may see, edit, or neither.")
    with transaction.atomic():
        current = locked(view)
        require_manage(by, current)
        members = _members(current, people)
        before = sharing_of(current)
        current.everyone = everyone
        CustomView.objects.filter(pk=view.pk).update(everyone=everyone)
        granted = ViewGrant.objects.filter(view=view)
        if among is not None:
            granted = granted.filter(user__username__in={*among, *people})
        granted.delete()
        ViewGrant.objects.bulk_create(
            ViewGrant(view=view, user=members[name], access=access)
            for name, access in people.items()
            if access != Access.NONE
        )
        after = sharing_of(current)
        if before != after:
            record(current, "shared", by=by, before=before, after=after)
        if everyone == Access.NONE:
            _drop(DefaultView.objects.filter(view=view, user=None), by=by)
    view.everyone = everyone
    return view


def _members(view: CustomView, people: Mapping[str, str]) -> dict[str, User]:
    if len(people) > MAX_GRANTS:
        raise Invalid("people", f"At most {MAX_GRANTS} people can be named.")
    for name, access in people.items():
        clean_text(name, field="people", most=MAX_USER_NAME)
        if access not in Access.values:
            raise Invalid("people", f"{name[:80]} may see, edit, or neither.")
    members = Membership.objects.filter(workspace=view.workspace_id, user__username__in=people)
    found = {one.user.get_username(): one.user for one in members.select_related("user")}
    for name in people:
        if name not in found:
            raise Invalid("people", f"“{name[:80]}” is no member of this workspace.")
        if found[name].pk == view.owner_id:
            raise Invalid("people", f"{name[:80]} owns this view and may do everything with it.")
    return found


def sharing_of(view: CustomView) -> dict[str, object]:
    """Who may do what: {"everyone": access, "people": {user name: access}} (1 query)."""
    grants = view.grants.order_by("user__username").values_list("user__username", "access")
    return {"everyone": view.everyone, "people": dict(grants)}


def pin_view(view: CustomView, *, by: Actor, pinned: bool) -> None:
    """Put a view at the end of the person's sidebar, or take it away; again changes nothing. Raises
    Invalid for one pin too many, NotAllowed for a view that they can't see."""
    user = _person(by, view.workspace)
    if not pinned:
        ViewPin.objects.filter(view=view, user=user).delete()
        return
    require_see(by, view)
    with transaction.atomic():
        own = ViewPin.objects.filter(user=user, view__workspace=view.workspace_id)
        if own.filter(view=view).exists():
            return
        # Pins that are not shown (the view is gone, or no longer shared) can't be taken away.
        if own.filter(view__in=visible_views(view.workspace, by)).count() >= MAX_PINS:
            raise Invalid("pinned", f"{MAX_PINS} views are pinned. Unpin one first.")
        last = own.aggregate(last=Max("position"))["last"]
        place = 0 if last is None else last + 1
        ViewPin.objects.get_or_create(view=view, user=user, defaults={"position": place})


def order_pins(workspace: Workspace, uids: Sequence[str], *, by: Actor) -> None:
    """Put the person's pins in this order; those that are not named follow as they were."""
    user = _person(by, workspace)
    with transaction.atomic():
        own = ViewPin.objects.filter(user=user, view__workspace=workspace)
        pins = own.select_for_update(of=("self",)).select_related("view")
        wanted = {uid: at for at, uid in enumerate(dict.fromkeys(uids))}
        held = list(pins.order_by("position", "pk"))
        held.sort(key=lambda pin: wanted.get(pin.view.uid, len(wanted)))
        for position, pin in enumerate(held):
            pin.position = position
        ViewPin.objects.bulk_update(held, ["position"])


def set_default(view: CustomView, *, by: Actor, for_everyone: bool = False) -> None:
    """Open the view's list with it: for the person, or for everyone without a default of their own.

    Raises NotAllowed, and Invalid for a view that not everyone can see, whose experiment is gone,
    or that was deleted meanwhile.
    """
    if for_everyone:
        _require_workspace_views(by, view.workspace)
    else:
        user = _person(by, view.workspace)
        require_see(by, view)
    with transaction.atomic():
        current = locked(view)
        if current.place == Place.EXPERIMENT and current.experiment is None:
            raise Invalid("default", "The experiment of this view is gone.")
        if for_everyone:
            _set_for_everyone(current, by=by)
        else:
            DefaultView.objects.update_or_create(
                **_opens(current), user=user, defaults={"view": current}
            )


def _set_for_everyone(view: CustomView, *, by: Actor) -> None:
    if view.everyone == Access.NONE:
        raise Invalid("default", "Share the view with everyone in the workspace first.")
    held = DefaultView.objects.filter(**_opens(view), user=None)
    if held.filter(view=view).exists():
        return
    _drop(held, by=by)
    DefaultView.objects.create(**_opens(view), user=None, view=view)
    record(view, "default", by=by, before=None, after=view.place)


def _opens(view: CustomView) -> dict[str, Any]:
    return {"workspace": view.workspace, "opens": list_key(view.place, view.experiment)}


def _drop(held: QuerySet[DefaultView], *, by: Actor) -> None:
    """Take away defaults of the workspace; the views that they were remember it."""
    for one in held.select_related("view"):
        record(one.view, "default", by=by, before=one.view.place, after=None)
        one.delete()


def drop_default(
    workspace: Workspace,
    place: str,
    experiment: Experiment | None,
    *,
    by: Actor,
    for_everyone: bool = False,
) -> None:
    """Open a list as usual again."""
    if for_everyone:
        _require_workspace_views(by, workspace)
    user = None if for_everyone else _person(by, workspace)
    held = DefaultView.objects.filter(
        workspace=workspace, user=user, opens=list_key(place, experiment)
    )
    with transaction.atomic():
        if for_everyone:
            _drop(held, by=by)
        else:
            held.delete()


def note_use(view: CustomView, *, by: Actor) -> None:
    """Remember that the person opened the view now. Raises NotAllowed for one they can't see."""
    user, now = _person(by, view.workspace), timezone.now()
    require_see(by, view)
    used, is_new = ViewUse.objects.get_or_create(view=view, user=user, defaults={"at": now})
    if not is_new and (now - used.at).total_seconds() > USE_KEPT_TO_S:
        ViewUse.objects.filter(pk=used.pk).update(at=now)


def _person(by: Actor, workspace: Workspace) -> User:
    require(by, Permission.STAR, workspace)
    if by.user is None:
        raise NotAllowed("Only a person can have pins and defaults.")
    return by.user


def _require_workspace_views(by: Actor, workspace: Workspace) -> None:
    require(by, Permission.EDIT_WORKSPACE_VIEWS, workspace)
