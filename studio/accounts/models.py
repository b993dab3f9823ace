"""People and who may do what: users, workspaces, memberships, API tokens."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

TOKEN_PREFIX = "studio_"
NAME_RULE = r"^[a-z0-9][a-z0-9\-]{0,62}$"


class User(AbstractUser):
    """A person who signs in; `is_superuser` is the instance admin."""


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def open(self) -> Self:
        """Those that are not closed: to everybody the others are not there."""
        return self.filter(closed_at=None)

    def visible_to(self, user: User) -> Self:
        """The open workspaces `user` is a member of; the instance admin sees all open ones."""
        if user.is_superuser:
            return self.open()
        return self.of_member(user)

    def of_member(self, user: "User | models.Expression") -> Self:
        return self.open().filter(memberships__user=user)


class Workspace(models.Model):
    """A team's room: everything else lives in exactly one workspace.

    `closed_at` set: to people and programs it is not there (docs/adr/0055). `deletion_began_at`
    set: it can't be opened again.
    """

    name = models.SlugField(max_length=63, unique=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=200, null=True, blank=True)
    deletion_began_at = models.DateTimeField(null=True, blank=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    READER = "reader", "Reader"
    CONTRIBUTOR = "contributor", "Contributor"
    OWNER = "owner", "Owner"


class MembershipQuerySet(models.QuerySet["Membership"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def by_name(self) -> Self:
        """Each with its user, in the order of user names."""
        return self.select_related("user").order_by(Lower("user__username"), "user__username")

    def behind(self, name: str) -> Self:
        """Those whose user names come after one, which need not be that of a member any more."""
        folded = Lower(models.Value(name))
        later = models.Q(folded__gt=folded) | models.Q(folded=folded, user__username__gt=name)
        return self.annotate(folded=Lower("user__username")).filter(later)

    def who_can_enter(self) -> Self:
        """Without those whose account is switched off."""
        return self.filter(user__is_active=True)

    def active_owners(self) -> Self:
        """Owners who can sign in: one of them must always be left."""
        return self.filter(role=Role.OWNER, user__is_active=True)


class Membership(models.Model):
    """A user's role in a workspace. `since` None: from before it was kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    since = models.DateTimeField(null=True, blank=True, default=timezone.now)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_known_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.workspace}"


class MemberEventQuerySet(models.QuerySet["MemberEvent"]):
    def newest(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace).order_by("-pk")


class MemberEvent(models.Model):
    """One change of who is in a workspace: who, when, before, after. Never edited. `subject`: the
    user name of whom it is about; `before` and `after`: roles, None for no member."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="member_events", db_index=False
    )
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    subject = models.CharField(max_length=150)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    objects = MemberEventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"], name="member_event_newest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject} by {self.actor}"


class BrowserSessionQuerySet(models.QuerySet["BrowserSession"]):
    def of(self, user: User) -> Self:
        """Those of a person that have not run out, last seen first."""
        live = self.filter(user=user, expire_date__gt=timezone.now())
        return live.order_by("-seen_at", "-began_at")


class BrowserSession(AbstractBaseSession):
    """One browser that is signed in, or on its way. `session_key` is the secret in its cookie."""

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    agent = models.CharField(max_length=300, blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    began_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = BaseSessionManager.from_queryset(BrowserSessionQuerySet)()

    @property
    def handle(self) -> str:
        """What a form calls it by: the key itself would open it."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:32]

    @classmethod
    def get_session_store_class(cls) -> type:
        from studio.accounts.session_store import SessionStore

        return SessionStore


class OidcIdentity(models.Model):
    """Who somebody is at the provider of single sign-on: the account they come in to."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class SignInEventQuerySet(models.QuerySet["SignInEvent"]):
    def about(self, user: User) -> Self:
        return self.filter(user=user)

    def before(self, key: int | None) -> Self:
        """Newest first, from behind the event with this key on."""
        older = self if key is None else self.filter(pk__lt=key)
        return older.order_by("-pk")


class SignInEvent(models.Model):
    """One sign-in that was tried, or one change of what opens an account. Never edited. `name`: as
    it was typed, or of the account; `how`: a key of `sign_ins.HOW`."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    name = models.CharField(max_length=150)
    actor = models.CharField(max_length=150, blank=True, default="")
    how = models.CharField(max_length=20)
    succeeded = models.BooleanField()
    detail = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=45, blank=True, default="")
    agent = models.CharField(max_length=300, blank=True, default="")

    objects = SignInEventQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="sign_in_of_user")]

    def __str__(self) -> str:
        return f"{self.how} of {self.name}: {'yes' if self.succeeded else 'no'}"


class WrongPassword(models.Model):
    """One password that did not fit. `account`: the SHA-256 of the name as typed, in hex, whether
    there is such an account or not; `forgiven`: the right one came from there afterwards."""

    at = models.DateTimeField(default=timezone.now)
    account = models.CharField(max_length=64)
    address = models.CharField(max_length=45, blank=True)
    forgiven = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["account", "at"], name="wrong_password_of_account"),
            models.Index(fields=["address", "at"], name="wrong_password_from"),
        ]

    def __str__(self) -> str:
        return f"{self.account[:12]} from {self.address}"


class KeptAnswer(models.Model):
    """What the API answered to a change that came with an idempotency key. `address` and `body`:
    SHA-256 in hex of what was asked, and with what; `code`: the HTTP status."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    address = models.CharField(max_length=64)
    body = models.CharField(max_length=64)
    code = models.PositiveSmallIntegerField()
    answer = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key", "address"], name="kept_answer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.user}: {self.code}"


class Scope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"
    ADMIN = "admin", "Read, write and manage"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def not_revoked(self) -> Self:
        return self.filter(revoked_at=None)

    def made_by_hand(self, user: User) -> Self:
        """The tokens `user` made and did not revoke, newest first, each with its workspace, which
        may be closed: opened again it would take them again. Those of submitted runs come and go
        with them."""
        own = self.not_revoked().filter(user=user, run_uid="")
        return own.select_related("workspace").order_by("-pk")

    def end_all(self, user: User) -> int:
        """Revoke every token of an account; how many (1 query)."""
        return self.not_revoked().filter(user=user).update(revoked_at=timezone.now())


class ApiToken(models.Model):
    """A secret that lets a program act as `user`; only its SHA-256 is stored.

    `workspace` empty: every workspace of the user. `run_uid` set: the token of one submitted run,
    which may write to that run and its descendants only.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    workspace = models.ForeignKey(
        Workspace, null=True, blank=True, on_delete=models.CASCADE, related_name="tokens"
    )
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope.choices)
    run_uid = models.CharField(max_length=256, blank=True, default="")
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def digest_of(secret: str) -> str:
    """SHA-256 in hex: enough for a random secret of 256 bits (no salt or stretching needed)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token(
    user: User,
    *,
    name: str,
    scope: Scope,
    workspace: Workspace | None = None,
    run_uid: str = "",
    lifetime: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """Store a new token; return it with its secret, which can't be read again."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        workspace=workspace,
        name=name,
        scope=scope,
        run_uid=run_uid,
        digest=digest_of(secret),
        hint=secret[len(TOKEN_PREFIX) :][:4],
        expires_at=timezone.now() + lifetime if lifetime else None,
    )
    return token, secret
