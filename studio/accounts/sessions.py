"""The browsers that somebody is signed in with, and their ends."""

from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from studio.accounts.models import BrowserSession, User
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source

MOST_SHOWN = 200
PER_DELETE = 500


def sessions_of(user: User) -> list[BrowserSession]:
    """The sessions that open the account, last seen first, at most MOST_SHOWN (1 query); not those
    that an other password ended."""
    held = user.get_session_auth_hash()
    found = BrowserSession.objects.of(user)[:MOST_SHOWN]
    return [
        one
        for one in found
        if constant_time_compare(one.get_decoded().get(HASH_SESSION_KEY, ""), held)
    ]


def end_session(user: User, handle: str, *, source: Source) -> bool:
    """End one session of the person's own from its next request on; False where there is none with
    this handle (3 queries)."""
    wanted = next((one for one in sessions_of(user) if one.handle == handle), None)
    if wanted is None:
        return False
    with transaction.atomic():
        BrowserSession.objects.filter(pk=wanted.pk).delete()
        record_sign_in("session-ended", user=user, detail="one session", source=source)
    return True


def end_sessions(user: User, *, but: str | None = None) -> int:
    """End all sessions of an account, but the one with this key; how many (1 query)."""
    others = BrowserSession.objects.filter(user=user)
    if but:
        others = others.exclude(pk=but)
    return others.delete()[0]


def end_other_sessions(user: User, *, but: str | None, source: Source) -> int:
    """As `end_sessions`, on the wish of the person, with its event (2 queries)."""
    with transaction.atomic():
        n_ended = end_sessions(user, but=but)
        record_sign_in("session-ended", user=user, detail="all other sessions", source=source)
    return n_ended


def note_new_password(
    user: User, *, but: str | None = None, actor: str = "", source: Source | None = None
) -> None:
    """What follows another password: all sessions of the account end but the one with this key, and
    the event is kept (2 queries). `actor`: who set it, if somebody else."""
    with transaction.atomic():
        end_sessions(user, but=but)
        record_sign_in("password-changed", user=user, actor=actor, source=source)


def forget_sessions() -> int:
    """Delete sessions that have run out; how many."""
    n_gone = 0
    old = BrowserSession.objects.filter(expire_date__lt=timezone.now())
    while keys := list(old.order_by("expire_date").values_list("pk", flat=True)[:PER_DELETE]):
        n_gone += BrowserSession.objects.filter(pk__in=keys).delete()[0]
    return n_gone
