"""Which account somebody comes in to whom the provider of single sign-on vouches for."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from studio.accounts.actions import set_member
from studio.accounts.models import ApiToken, OidcIdentity, Role, User, Workspace
from studio.accounts.permissions import Actor
from studio.accounts.sessions import end_sessions
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source

logger = logging.getLogger(__name__)
NOT_IN_NAMES = re.compile(r"[^\w.@+-]", re.ASCII)
BY = Actor.system("single sign-on")


class SignInRefused(Exception):
    """Somebody who may not come in; the text says why and what to do. `user`: whose account it
    would have been."""

    def __init__(self, text: str, user: User | None = None) -> None:
        super().__init__(text)
        self.user = user


@dataclass(frozen=True, slots=True)
class Person:
    """What a checked ID token says. `email`: verified by the provider, in lower case."""

    issuer: str
    subject: str
    email: str
    full_name: str


def person_of(claims: Mapping[str, Any]) -> Person:
    """The person of a checked ID token. Raises SignInRefused for one who may not come in."""
    email, subject = claims.get("email"), claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise SignInRefused("The provider does not say who you are.")
    # Only true itself: a provider that sends words for it is not one to trust with it.
    if claims.get("email_verified") is not True or not isinstance(email, str) or "@" not in email:
        raise SignInRefused("The provider has not verified your e-mail address.")
    domain = email.rpartition("@")[2].lower()
    if settings.OIDC_DOMAINS and domain not in settings.OIDC_DOMAINS:
        raise SignInRefused("Your e-mail address is of a domain that may not come in here.")
    if settings.OIDC_CLAIM and not _has_claim(claims):
        raise SignInRefused("You are in no group that may come in here.")
    name = claims.get("name")
    full_name = name[:150] if isinstance(name, str) else ""
    return Person(settings.OIDC_ISSUER, subject, email.lower()[:254], full_name)


def _has_claim(claims: Mapping[str, Any]) -> bool:
    key, _, wanted = settings.OIDC_CLAIM.partition("=")
    held = claims.get(key.strip())
    values = held if isinstance(held, list) else [held]
    allowed = {part.strip() for part in wanted.split(",")}
    return any(isinstance(value, str) and value in allowed for value in values)


def account_of(person: Person, *, signed_in: User | None, source: Source) -> User:
    """The account of the person, linked or made if need be (at most 12 queries).

    `signed_in`: who asks to link the account they are in. Raises SignInRefused.
    """
    with transaction.atomic():
        known = OidcIdentity.objects.select_related("user").filter(
            issuer=person.issuer, subject=person.subject
        )
        identity = known.first()
        user = identity.user if identity else _by_email(person, signed_in, source)
        if signed_in is not None and user.pk != signed_in.pk:
            raise SignInRefused("This sign-in is linked to another account.", user)
    if not user.is_active:
        raise SignInRefused("This account can't sign in. Ask an admin of the studio.", user)
    return user


def _by_email(person: Person, signed_in: User | None, source: Source) -> User:
    found = list(User.objects.filter(email__iexact=person.email).order_by("pk")[:2])
    if len(found) > 1:
        raise SignInRefused("Several accounts have your e-mail address. Ask an admin.")
    if signed_in is not None and [one.pk for one in found] != [signed_in.pk]:
        raise SignInRefused("The provider knows you by another e-mail address than this account.")
    user = found[0] if found else _new_account(person)
    if found and user.is_active:
        _check_link(user, signed_in, source)
    if user.is_active:
        OidcIdentity.objects.create(user=user, issuer=person.issuer, subject=person.subject)
        record_sign_in("linked", user=user, source=source)
    return user


def _check_link(user: User, signed_in: User | None, source: Source) -> None:
    """Anybody can write any address into their own account, to be joined by whom it belongs to. So
    an account that opens by a password is linked by who is in it; of others, what opened them
    before ends. One that another person of the provider opens already is no account of theirs,
    whatever address it has."""
    if signed_in is not None:
        return
    if user.identities.filter(issuer=settings.OIDC_ISSUER).exists():
        raise SignInRefused(
            "The account here with your e-mail address is linked to somebody else. Ask an admin"
            " of the studio.",
            user,
        )
    if user.has_usable_password() and settings.PASSWORD_SIGN_IN:
        raise SignInRefused(
            "Your account here has a password. Sign in with it once, then link single sign-on"
            " under “Your account”.",
            user,
        )
    user.set_unusable_password()
    user.save(update_fields=["password"])
    end_sessions(user)
    ApiToken.objects.end_all(user)


def _new_account(person: Person) -> User:
    if not (settings.OIDC_DOMAINS or settings.OIDC_CLAIM):
        raise SignInRefused("There is no account with your e-mail address. Ask an owner for one.")
    wanted = NOT_IN_NAMES.sub("", person.email.partition("@")[0])[:140] or "person"
    taken = User.objects.filter(username__istartswith=wanted).values_list("username", flat=True)
    names = {name.casefold() for name in taken}
    free = (f"{wanted}{end}" for end in ("", *(f"-{n}" for n in range(2, len(names) + 3))))
    name = next(one for one in free if one.casefold() not in names)
    user = User(username=name, first_name=person.full_name, email=person.email)
    user.set_unusable_password()
    user.save(force_insert=True)
    _let_in(user)
    return user


def _let_in(user: User) -> None:
    """Into the one workspace that the settings name for new people, if they do."""
    if not settings.OIDC_WORKSPACE:
        return
    name, _, role = settings.OIDC_WORKSPACE.partition(":")
    room = Workspace.objects.open().filter(name=name).first()
    if room is None:
        logger.error("STUDIO_OIDC_WORKSPACE names no open workspace: %s", name)
        return
    set_member(room, user, Role(role or Role.READER), by=BY)
