"""The link with which a person sets the password of an account: good once, for a week, or for an
hour where the account has a password already."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.utils import timezone
from django.utils.encoding import force_bytes, force_str
from django.utils.http import base36_to_int, urlsafe_base64_decode, urlsafe_base64_encode

from studio.accounts.members import WrongMember, find_member, lock_for, record
from studio.accounts.models import MemberEvent, Membership, User, Workspace
from studio.accounts.permissions import Actor, NotAllowed
from studio.accounts.sessions import end_sessions
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import Source

# A new person may be on holiday; who lost a password asks for the link and waits for it.
RESET_WITHIN = timedelta(hours=1)
ADMIN_ONLY = (
    "Only an admin of the studio can make a password link for {name}: the account has a password or"
    " single sign-on, is used in other workspaces, or was not created here."
)


class Tokens(PasswordResetTokenGenerator):
    """Signed over the account's password and last sign-in, so that setting one ends the link.
    `settings.PASSWORD_RESET_TIMEOUT` says for how long it is good, RESET_WITHIN for who has one."""

    key_salt = "studio.accounts.welcome"

    def __init__(self, now: datetime | None = None) -> None:
        super().__init__()
        self.now = now

    def check_token(self, user: User | None, token: str | None) -> bool:
        if user is None or not token or not super().check_token(user, token):
            return False
        age_s = self._num_seconds(self._now()) - base36_to_int(token.split("-")[0])
        return not user.has_usable_password() or age_s <= RESET_WITHIN.total_seconds()

    def _now(self) -> datetime:
        # In one zone for all: who makes the link and who opens it may be in two.
        return timezone.make_naive(self.now or timezone.now(), UTC)


def link_parts(user: User) -> tuple[str, str]:
    """(uidb64, token) of a link for `user`."""
    return urlsafe_base64_encode(force_bytes(user.pk)), Tokens().make_token(user)


def user_of_link(uidb64: str, token: str, *, now: datetime | None = None) -> User | None:
    """The active account of a link that is still good, else None (at most 1 query)."""
    try:
        pk = int(force_str(urlsafe_base64_decode(uidb64)))
    except (ValueError, OverflowError):
        return None
    if not 0 < pk < 2**63:
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    return user if user is not None and Tokens(now).check_token(user, token) else None


def use_link(
    uidb64: str, token: str, password: str, *, source: Source | None = None
) -> User | None:
    """Set the password by a link that is still good, else None; the caller has checked what a
    password must be. Sessions end. Of two who use a link at once, one sets it (4 queries)."""
    user = user_of_link(uidb64, token)
    if user is None:
        return None
    as_signed = User.objects.filter(pk=user.pk, password=user.password)
    with transaction.atomic():
        if not as_signed.update(password=make_password(password)):
            return None
        end_sessions(user)
        record_sign_in("password-set", user=user, source=source)
    return user


def new_link(workspace: Workspace, name: str, *, by: Actor) -> User:
    """Let a member set a password by a new link, and say so in the history; earlier links to an
    account without a password end (9 queries). `link_parts` of the answer is the link.

    An owner may do this only for accounts made here that nothing opens yet, neither a password nor
    single sign-on, and that are in no other workspace: else the link would open
    what is not the owner's. Raises NotAllowed, WrongMember.
    """
    with transaction.atomic():
        lock_for(workspace, by)
        user = find_member(workspace, name).user
        if not (by.user and by.user.is_superuser) and not _is_only_ours(user, workspace):
            raise NotAllowed(ADMIN_ONLY.format(name=user.username))
        if not user.is_active:
            raise WrongMember("user", f"The account {user.username} is switched off.")
        if not user.has_usable_password():
            # Another unusable one: it is what earlier links are signed over.
            user.set_unusable_password()
            user.save(update_fields=["password"])
        record(workspace, "link", user.username, by=by, before=None, after=None)
    return user


def _is_only_ours(user: User, workspace: Workspace) -> bool:
    if user.has_usable_password() or user.is_superuser or user.identities.exists():
        return False
    if Membership.objects.filter(user=user).exclude(workspace=workspace).exists():
        return False
    events = MemberEvent.objects.filter(workspace=workspace, kind="created")
    return events.filter(subject=user.username).exists()
