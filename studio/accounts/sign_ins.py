"""The record of sign-ins, of changes to what opens an account, and of workspaces closed and
deleted: rows, and lines of the log.

Neither holds a secret; a name that can't be one is not kept, for it may be a password that was
typed into the wrong field.
"""

import logging
import re
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from studio.accounts.models import SignInEvent, User
from studio.accounts.sources import Source

logger = logging.getLogger(__name__)

HOW = {
    "password": "Signed in by password",
    "program": "Program signed in by password",
    "oidc": "Signed in by single sign-on",
    "asked-again": "Password asked for again",
    "linked": "Single sign-on linked",
    "signed-out": "Signed out",
    "session-ended": "Session ended",
    "password-changed": "Password changed",
    "password-set": "Password set by a link",
    "email-changed": "E-mail address changed",
    "token-made": "Token created",
    "token-revoked": "Token revoked",
    "switched-off": "Account switched off",
    "switched-on": "Account switched on",
    "room-closed": "Workspace closed",
    "room-reopened": "Workspace reopened",
    "room-deleting": "Deletion of workspace began",
    "room-deleted": "Workspace deleted",
}
USER_NAME = re.compile(r"[\w.@+-]{1,150}", re.ASCII)
NOT_A_NAME = "(no user name)"
PER_DELETE = 500


def record_sign_in(
    how: str,
    *,
    user: User | None = None,
    name: str = "",
    actor: str = "",
    succeeded: bool = True,
    detail: str = "",
    source: Source | None = None,
) -> None:
    """Keep one event, and log it (1 query). `name`: as typed, where no account is known; `actor`:
    who did it, if somebody else."""
    where = source or Source()
    shown = user.username if user is not None else name_as_kept(name)
    SignInEvent.objects.create(
        user=user,
        name=shown,
        actor=actor,
        how=how,
        succeeded=succeeded,
        detail=detail[:200],
        address=where.address,
        agent=where.agent,
    )
    logger.info(
        "sign-in how=%s user=%s succeeded=%s actor=%s address=%s detail=%r",
        *(how, shown, succeeded, actor or shown, where.address or "-", detail),
    )


def name_as_kept(typed: str) -> str:
    return typed if USER_NAME.fullmatch(typed) else NOT_A_NAME


def forget_sign_ins() -> int:
    """Delete events older than RECORD_DAYS; how many."""
    limit = timezone.now() - timedelta(days=settings.RECORD_DAYS)
    n_gone = 0
    old = SignInEvent.objects.filter(at__lt=limit).order_by("pk").values_list("pk", flat=True)
    while keys := list(old[:PER_DELETE]):
        n_gone += SignInEvent.objects.filter(pk__in=keys).delete()[0]
    return n_gone
