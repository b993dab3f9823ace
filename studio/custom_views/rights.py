"""Who may do what with a custom view: the role in the workspace and the grants of the view."""

from dataclasses import dataclass, replace

from studio.accounts.models import Scope, User, Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, permissions_of
from studio.custom_views.models import Access, CustomView, ViewGrant

READER = "Your role in this workspace may look at views and pin them. Ask an owner for more."
NOT_SHARED = "{owner} lets you see this view, not edit it. Use Save as."
# A refusal because the owner has a view of that name would tell of one that may be private.
NOT_RENAMED = "Only {owner} can rename this view."
NOT_MANAGED = "Only {owner} can do this with the view."
ONLY_READS = "This token may only read. Use a token with the scope “write”."
NOT_THERE = "There is no such view, or it is not shared with you."


@dataclass(frozen=True, slots=True)
class Rights:
    """What a person may do with a view they see; `why_not_…`: sentences, "" where they may. Editing
    is saving state and description, managing is sharing and deleting; only owners rename, and of a
    view without one who looks after it."""

    is_own: bool
    why_not_edit: str
    why_not_manage: str
    why_not_rename: str

    @property
    def may_edit(self) -> bool:
        return not self.why_not_edit

    @property
    def may_manage(self) -> bool:
        return not self.why_not_manage


def seeing(actor: Actor, workspace: Workspace) -> frozenset[Permission]:
    """What the role of `actor` allows in the workspace: a token that may only read sees as much as
    the person."""
    return permissions_of(replace(actor, scope=Scope.ADMIN), workspace)


def may_see(actor: Actor, view: CustomView) -> bool:
    """Whether the view, deleted or not, is one of those that a person sees; as many queries as
    `rights`. The token of a run sees what everyone does: its code need not be the person's."""
    held = seeing(actor, view.workspace)
    if actor.user is None or Permission.SEE not in held:
        return False
    if view.everyone != Access.NONE:
        return True
    if actor.run_uid:
        return False
    looks_after = view.owner_id is None and Permission.EDIT_WORKSPACE_VIEWS in held
    is_own = view.owner_id == actor.user.pk
    return is_own or looks_after or granted_to(actor.user, view) != Access.NONE


def rights(actor: Actor, view: CustomView) -> Rights:
    """The rights of `actor` in a view they see. Queries: at most 2; none for a view that has the
    facts of CustomViewQuerySet.with_facts_for, and an actor who knows the role."""
    held = permissions_of(actor, view.workspace)
    is_own = actor.user is not None and view.owner_id == actor.user.pk
    if Permission.EDIT_OWN_VIEWS not in held:
        why = ONLY_READS if actor.scope == Scope.READ else READER
        return Rights(is_own, why, why, why)
    words = {"owner": "an owner of the workspace" if view.owner_id is None else view.owner_name}
    not_renamed = NOT_RENAMED.format(**words)
    looks_after = Permission.EDIT_WORKSPACE_VIEWS in held and (
        view.owner_id is None or view.everyone != Access.NONE
    )
    if is_own or looks_after:
        return Rights(is_own, "", "", "" if is_own or view.owner_id is None else not_renamed)
    not_managed = NOT_MANAGED.format(**words)
    if Access.EDIT in (view.everyone, granted_to(actor.user, view)):
        return Rights(False, "", not_managed, not_renamed)
    not_shared = NOT_SHARED.format(owner=view.owner_name)
    return Rights(False, not_shared, not_managed, not_shared)


def granted_to(user: User | None, view: CustomView) -> str:
    """What was granted to a person by name."""
    if user is not None and vars(view).get("facts_of") == user.pk:
        return vars(view)["granted"] or Access.NONE
    found = ViewGrant.objects.filter(view=view, user=user).values_list("access", flat=True)
    return found.first() or Access.NONE


def require_see(actor: Actor, view: CustomView) -> None:
    if not may_see(actor, view):
        raise NotAllowed(NOT_THERE)


def require_edit(actor: Actor, view: CustomView) -> None:
    if why := rights(actor, view).why_not_edit:
        raise NotAllowed(why)


def require_rename(actor: Actor, view: CustomView) -> None:
    if why := rights(actor, view).why_not_rename:
        raise NotAllowed(why)


def require_manage(actor: Actor, view: CustomView) -> None:
    if why := rights(actor, view).why_not_manage:
        raise NotAllowed(why)
