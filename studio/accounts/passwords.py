"""Passwords that are given with a request: by programs with each, by people for what matters most.

Looking at a password takes a tenth of a second by design, so one that a program had right is known
for a minute, in this process alone, as long as the account and its password stay as they are.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core.cache import cache

from studio.accounts.models import User
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source
from studio.accounts.tries import Tries

KNOWN_FOR_S = 60.0
TOLD_EVERY_S = 3600
WRONG, TOO_MANY = "wrong password or no such account", "too many tries"
PATIENCE = "Too many tries with a wrong password. Wait five minutes."
MOST_KNOWN = 1_000
_key = secrets.token_bytes(32)
# Digest of name and password -> (the stored hash that they fit, until when).
_known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()


class TooManyTries(Exception):
    """Wrong passwords came too often; no password is looked at for some minutes."""


def find_by_password(name: str, password: str, *, source: Source) -> User | None:
    """The active user with this name and password, else None. 1 query; when the password is looked
    at, 1 more to count tries and up to 2 to record. Raises TooManyTries."""
    user = User.objects.filter(username=name[:150]).first() if name and password else None
    digest = hmac.digest(_key, f"{name}\0{password}".encode(errors="replace"), hashlib.sha256)
    known = user is not None and user.is_active and _is_known(digest, user.password)
    if user is not None and known and settings.PASSWORD_SIGN_IN:
        return user
    if not settings.PASSWORD_SIGN_IN:
        return None
    tries = Tries(name, source.address)
    if tries.are_used_up:
        if tries.is_first_refusal:
            refused(name, user, "program", TOO_MANY, source)
        raise TooManyTries(PATIENCE)
    if not _fits(user, password):
        tries.count()
        refused(name, user, "program", WRONG, source)
        return None
    tries.forget()
    if user is not None:
        _tell(user, source)
        _remember(digest, user.password)
    return user


def is_own_password(user: User, password: str, *, source: Source) -> bool:
    """Whether somebody who is signed in knows the password of the account: a browser left open is
    no place to guess it. Each wrong one is counted and recorded (1 query, up to 2 more). Raises
    TooManyTries."""
    tries = Tries(user.username, source.address)
    if tries.are_used_up:
        if tries.is_first_refusal:
            refused(user.username, user, "asked-again", TOO_MANY, source)
        raise TooManyTries(PATIENCE)
    # Not User.check_password: that may write a new hash, which would end the person's sessions.
    if check_password(password, user.password):
        tries.forget()
        return True
    tries.count()
    refused(user.username, user, "asked-again", WRONG, source)
    return False


def refused(name: str, user: User | None, how: str, why: str, source: Source) -> None:
    """Record a password that opened nothing (1 query)."""
    record_sign_in(how, user=user, name=name, succeeded=False, detail=why, source=source)


def _tell(user: User, source: Source) -> None:
    """Record a program's sign-in, once an hour for each source: it signs in with each request."""
    if cache.add(f"program:{user.pk}:{source.address}", 1, TOLD_EVERY_S):
        record_sign_in("program", user=user, source=source)


def _fits(user: User | None, password: str) -> bool:
    """Takes as long for an account that there is not: the time tells nothing."""
    if user is None:
        make_password(password)
        return False
    # Not User.check_password: that may write a new hash, which would end the person's sessions.
    return check_password(password, user.password) and user.is_active


def _is_known(digest: bytes, stored: str) -> bool:
    found = _known.get(digest)
    return found is not None and found[0] == stored and time.monotonic() < found[1]


def _remember(digest: bytes, stored: str) -> None:
    _known[digest] = (stored, time.monotonic() + KNOWN_FOR_S)
    _known.move_to_end(digest)
    while len(_known) > MOST_KNOWN:
        _known.popitem(last=False)
