"""Changes to people: members and tokens."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from studio.accounts.models import (
    ApiToken,
    Membership,
    Role,
    Scope,
    User,
    Workspace,
    digest_of,
    new_token,
)
from studio.accounts.permissions import Actor, NotAllowed, Permission, require


def add_workspace(name: str, *, owner: User) -> Workspace:
    """Return the workspace of that name, made with `owner` as its owner if it was not there."""
    with transaction.atomic():
        workspace, created = Workspace.objects.get_or_create(name=name)
        if created:
            Membership.objects.create(user=owner, workspace=workspace, role=Role.OWNER)
    return workspace


def set_member(workspace: Workspace, user: User, role: Role, *, by: Actor) -> Membership:
    """Give `user` the role; it holds from the next request on."""
    require(by, Permission.EDIT_MEMBERS, workspace)
    membership, _ = Membership.objects.update_or_create(
        user=user, workspace=workspace, defaults={"role": role}
    )
    return membership


def make_token(
    user: User, *, name: str, scope: Scope, workspace: Workspace | None = None
) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which is shown this once."""
    if workspace and not Workspace.objects.visible_to(user).filter(pk=workspace.pk).exists():
        raise NotAllowed(f"{user} is not a member of “{workspace.name}”.")
    return new_token(user, name=name, scope=scope, workspace=workspace)


def find_token(secret: str, *, now: datetime | None = None) -> ApiToken | None:
    """The live token with this secret and an active user, else None (1 query).

    `last_used_at` is kept to the minute, so that a busy client does not write on each request.
    """
    now = now or timezone.now()
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(secret)).first()
    if token is None or not token.is_live(now) or not token.user.is_active:
        return None
    if token.last_used_at is None or (now - token.last_used_at).total_seconds() > 60:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_run_tokens(run_uid: str, workspace: Workspace) -> int:
    """End the tokens of one submitted run; returns how many were live."""
    live = ApiToken.objects.filter(run_uid=run_uid, workspace=workspace, revoked_at=None)
    return live.update(revoked_at=timezone.now())
