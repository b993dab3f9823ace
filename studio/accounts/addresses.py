"""The e-mail address of an account: changed by its person alone, who gives the password again."""

import logging

from django.core.exceptions import ValidationError

from studio.accounts.models import User
from studio.accounts.passwords import TooManyTries, is_own_password
from studio.accounts.permissions import Actor, NotAllowed
from studio.accounts.sources import Source

logger = logging.getLogger(__name__)


class WrongAddress(Exception):
    """An address that can't be taken, or a wrong password; the text says why and what to do.

    `field`: "email" or "password".
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def change_email(user: User, address: str, *, password: str, by: Actor, source: Source) -> bool:
    """Send the person's mails to another address from now on, "" for no mails; False when it was
    this one (at most 5 queries). Raises NotAllowed for another person's account, WrongAddress.
    """
    if by.user is None or by.user.pk != user.pk or by.run_uid:
        raise NotAllowed("Only the person themself can change the e-mail address of an account.")
    known = User.objects.get(pk=user.pk)
    try:
        is_theirs = is_own_password(known, password, source=source)
    except TooManyTries as problem:
        raise WrongAddress("password", f"{problem} The address is as it was.") from problem
    if not is_theirs:
        raise WrongAddress("password", "This is not your password. The address is as it was.")
    wanted = clean_email(address)
    if wanted == known.email:
        return False
    User.objects.filter(pk=known.pk).update(email=wanted)
    logger.info("account user_id=%d changed its e-mail address", known.pk)
    user.email = wanted
    return True


def clean_email(text: str) -> str:
    """The address as it is stored; raises WrongAddress for what is none."""
    wanted = User.objects.normalize_email(text.strip())
    if not wanted:
        return ""
    try:
        User._meta.get_field("email").clean(wanted, None)
    except ValidationError as wrong:
        told = "This is no e-mail address. One looks like ana@example.org."
        raise WrongAddress("email", told) from wrong
    return wanted
