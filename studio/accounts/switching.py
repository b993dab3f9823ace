"""Switching an account off, and on again: for admins of the studio."""

from django.db import transaction

from studio.accounts.models import ApiToken, OidcIdentity, Scope, User
from studio.accounts.permissions import Actor, NotAllowed
from studio.accounts.sessions import end_sessions
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source

ADMINS_ONLY = "Only an admin of the studio can do this."


class WrongSwitch(Exception):
    """An account that can't be switched; the text says why."""


def require_admin(by: Actor) -> None:
    """Raise NotAllowed for everybody but an admin of the studio: signed in, or with a token of
    scope admin for all workspaces."""
    is_admin = by.user is not None and by.user.is_superuser and by.scope == Scope.ADMIN
    if not is_admin or by.run_uid or by.workspace_id is not None:
        raise NotAllowed(ADMINS_ONLY)


def switch_account(name: str, *, on: bool, by: Actor, source: Source | None = None) -> User:
    """Let an account in again, or no longer: then its sessions, its tokens, those of its unfinished
    runs too, and its links to single sign-on end at once (6 queries). Again
    changes nothing. Raises NotAllowed, WrongSwitch."""
    require_admin(by)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=name[:150]).first()
        if user is None:
            raise WrongSwitch(f"There is no account “{name[:150]}”.")
        if by.user is not None and user.pk == by.user.pk:
            raise WrongSwitch("You can't switch your own account off. Another admin can.")
        if user.is_active == on:
            return user
        user.is_active = on
        user.save(update_fields=["is_active"])
        # When it comes back, nothing from before opens it: each sign-in is a new one.
        end_sessions(user)
        ApiToken.objects.end_all(user)
        OidcIdentity.objects.filter(user=user).delete()
        how = "switched-on" if on else "switched-off"
        record_sign_in(how, user=user, actor=by.name, source=source)
    return user
