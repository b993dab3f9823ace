"""Changes to people: members and tokens."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from studio.accounts.members import add_member, change_role
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
from studio.accounts.new_workspaces import CLOSED, give_owner
from studio.accounts.permissions import Actor, NotAllowed
from studio.queries.reading import columns, read

MAX_TOKEN_NAME = 100


class WorkspaceClosed(Exception):
    """The name is that of a workspace that is closed; the text says what to do."""


def add_workspace(name: str, *, owner: User) -> Workspace:
    """Return the workspace of that name, made with `owner` as its owner if it was not there.
    Raises WorkspaceClosed."""
    with transaction.atomic():
        workspace, created = Workspace.objects.get_or_create(name=name)
        if workspace.closed_at is not None:
            raise WorkspaceClosed(CLOSED.format(name))
        if created:
            give_owner(workspace, owner)
    return workspace


def set_member(workspace: Workspace, user: User, role: Role, *, by: Actor) -> Membership:
    """Give `user` the role, as a new member or one who is there; raises as `members` does."""
    is_member = Membership.objects.filter(user=user, workspace=workspace).exists()
    give = change_role if is_member else add_member
    return give(workspace, user.username, role, by=by)


class WrongToken(Exception):
    """A token can't be made as it was asked for; the text says why."""


def make_token(
    user: User,
    *,
    name: str,
    scope: Scope,
    workspace: Workspace | None = None,
    lifetime: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """A new token of `user` and its secret, which is shown this once.

    Raises NotAllowed for a workspace the user can't see, WrongToken for a name that can't be.
    """
    if not name.strip() or len(name) > MAX_TOKEN_NAME:
        raise WrongToken(f"Give the token a name of at most {MAX_TOKEN_NAME} characters.")
    if workspace and not Workspace.objects.visible_to(user).filter(pk=workspace.pk).exists():
        raise NotAllowed(f"{user} is not a member of “{workspace.name}”.")
    return new_token(user, name=name, scope=scope, workspace=workspace, lifetime=lifetime)


def revoke_token(token: ApiToken, *, by: Actor) -> None:
    """End a token of one's own from the next request on; again changes nothing (1 query). When is
    kept in `revoked_at`. Raises NotAllowed for a token of somebody else."""
    if by.user is None or by.user.pk != token.user_id:
        raise NotAllowed("This token belongs to somebody else.")
    ApiToken.objects.not_revoked().filter(pk=token.pk).update(revoked_at=timezone.now())


def find_token(secret: str, *, now: datetime | None = None) -> ApiToken | None:
    """The live token with this secret and an active user, else None (1 query).

    `last_used_at` is kept to the minute, so that a busy client does not write on each request.
    """
    now = now or timezone.now()
    token = _token_of(digest_of(secret))
    if token is None or not token.is_live(now) or not token.user.is_active:
        return None
    if token.last_used_at is None or (now - token.last_used_at).total_seconds() > 60:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


# Written out because every request of a program passes here: building and compiling the same query
# with the ORM costs 0.3 ms each time. Other columns of the user are loaded when asked for.
TOKEN, TOKEN_COLUMNS = columns(ApiToken, table="t")
TOKEN_AND_USER = f"""
SELECT {TOKEN_COLUMNS}, u.username, u.is_active, u.is_superuser
FROM accounts_apitoken t JOIN accounts_user u ON u.id = t.user_id
WHERE t.digest = %s
"""  # noqa: S608


def _token_of(digest: str) -> ApiToken | None:
    for token, (username, is_active, is_superuser) in read(
        ApiToken, TOKEN, TOKEN_AND_USER, [digest]
    ):
        token.user = User.from_db(
            connection.alias,
            # In the order of the model's columns: `from_db` goes by that, not by these names.
            ["id", "is_superuser", "username", "is_active"],
            [token.user_id, bool(is_superuser), username, bool(is_active)],
        )
        return token
    return None


def revoke_run_tokens(run_uid: str, workspace: Workspace) -> int:
    """End the tokens of one submitted run; returns how many were live."""
    live = ApiToken.objects.filter(run_uid=run_uid, workspace=workspace, revoked_at=None)
    return live.update(revoked_at=timezone.now())
