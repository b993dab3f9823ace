"""Custom views: a list's state under a name, its versions, who may see and edit it, pins and
defaults. Only `actions` and `sharing` write here."""

import secrets
from typing import Self

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.text import slugify

from studio.accounts.models import User, Workspace
from studio.runs.models import Experiment

MAX_NAME = 100
MAX_DESCRIPTION = 2_000
# Without what could be read as another: no l, 1, o, 0.
UID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
UID_LENGTH = 10
SLUG_LENGTH = 50


def new_uid() -> str:
    return "".join(secrets.choice(UID_LETTERS) for _ in range(UID_LENGTH))


class Place(models.TextChoices):
    """The list that a view is of."""

    RUNS = "runs", "All runs"
    EXPERIMENT = "experiment", "Experiment"
    PIPELINES = "pipelines", "Pipelines"


class Access(models.TextChoices):
    """What somebody else than the owner may do with a view."""

    NONE = "", "Nothing"
    SEE = "see", "May see"
    EDIT = "edit", "May see and edit"


class CustomViewQuerySet(models.QuerySet["CustomView"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace, deleted_at=None)

    def visible_to(self, user: User, *, is_owner: bool) -> Self:
        """Those that `user`, a member, may see: own, shared with everyone, shared by name. Views of
        an account that is gone are the owners' of the workspace (`is_owner`). Nobody else sees a
        private one, the instance admin neither."""
        granted = ViewGrant.objects.filter(view=models.OuterRef("pk"), user=user)
        seen = models.Q(owner=user) | ~models.Q(everyone=Access.NONE) | models.Exists(granted)
        return self.filter(seen | models.Q(owner=None) if is_owner else seen)

    def with_facts_for(self, user: User) -> Self:
        """Each with its owner, experiment and workspace, what was granted to `user`, their pin and
        last use, whether it is their default and the workspace's, and to how many people it is
        shared (1 query). `facts_of` is the key of `user`: to another person they do not apply."""

        def mine(model: type[models.Model], value: str) -> models.Subquery:
            own = model._default_manager.filter(view=models.OuterRef("pk"), user=user)
            return models.Subquery(own.values(value)[:1])

        opens = DefaultView.objects.filter(view=models.OuterRef("pk"))
        grants = ViewGrant.objects.filter(view=models.OuterRef("pk")).order_by().values("view")
        return self.select_related("owner", "experiment", "workspace").annotate(
            facts_of=models.Value(user.pk),
            granted=mine(ViewGrant, "access"),
            pin_position=mine(ViewPin, "position"),
            used_at=mine(ViewUse, "at"),
            is_my_default=models.Exists(opens.filter(user=user)),
            is_default=models.Exists(opens.filter(user=None)),
            n_grants=models.Subquery(grants.annotate(n=models.Count("pk")).values("n")),
        )


class CustomView(models.Model):
    """A list's state under a name. `state`: the parameters of its URL (custom_views.stored);
    `version` counts its revisions. `owner` None: the account is gone, and the owners of the
    workspace look after the view; `owner_name` remembers it. `experiment_name` remembers an
    experiment that is gone."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="custom_views", db_index=False
    )
    uid = models.CharField(max_length=16, unique=True, default=new_uid)
    name = models.CharField(max_length=MAX_NAME)
    description = models.TextField(blank=True, default="")
    place = models.CharField(max_length=12, choices=Place.choices, default=Place.RUNS)
    experiment = models.ForeignKey(
        Experiment, null=True, blank=True, on_delete=models.SET_NULL, related_name="custom_views"
    )
    experiment_name = models.CharField(max_length=255, blank=True, default="")
    state = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    everyone = models.CharField(
        max_length=4, choices=Access.choices, default=Access.NONE, blank=True
    )
    owner = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="custom_views"
    )
    owner_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=200)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = CustomViewQuerySet.as_manager()

    class Meta:
        constraints = [
            # Among a person's own only: a name taken by a private view of another would tell of it.
            models.UniqueConstraint(
                "workspace",
                "owner",
                Lower("name"),
                name="view_name_once",
                condition=models.Q(deleted_at=None),
            )
        ]
        indexes = [models.Index(fields=["workspace", "name", "id"], name="view_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        """The name as the readable part of an address, "view" for one without letters."""
        return slugify(self.name)[:SLUG_LENGTH].strip("-") or "view"

    @property
    def address(self) -> str:
        """The last part of its permalink; the uid alone decides."""
        return f"{self.slug}-{self.uid}"


class ViewRevision(models.Model):
    """What a view was in one version, and who made it so. Never edited."""

    view = models.ForeignKey(
        CustomView, on_delete=models.CASCADE, related_name="revisions", db_index=False
    )
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=MAX_NAME)
    description = models.TextField(blank=True, default="")
    state = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=200)
    # The version that was brought back, None for one that was made by hand.
    restored = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["view", "version"], name="view_version_once")
        ]

    def __str__(self) -> str:
        return f"version {self.version} of view {self.view_id}"


class ViewGrant(models.Model):
    """What a named member may do with a view that is not theirs. Ends with their membership: who
    is added again later begins without."""

    view = models.ForeignKey(
        CustomView, on_delete=models.CASCADE, related_name="grants", db_index=False
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="view_grants")
    access = models.CharField(max_length=4, choices=Access.choices, default=Access.SEE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["view", "user"], name="view_grant_once")]

    def __str__(self) -> str:
        return f"{self.user_id} may {self.access} view {self.view_id}"


class ViewPin(models.Model):
    """A view in a person's sidebar; `position` orders them, lowest first."""

    view = models.ForeignKey(CustomView, on_delete=models.CASCADE, related_name="pins")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="view_pins")
    position = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "view"], name="view_pin_once")]

    def __str__(self) -> str:
        return f"{self.user_id} pins view {self.view_id}"


class ViewUse(models.Model):
    """When a person last opened a view."""

    view = models.ForeignKey(CustomView, on_delete=models.CASCADE, related_name="uses")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="view_uses")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "view"], name="view_use_once")]

    def __str__(self) -> str:
        return f"{self.user_id} used view {self.view_id}"


class DefaultView(models.Model):
    """The view that opens a list: a person's own, or with `user` None the workspace's. `opens`: the
    list as `list_key` writes it."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    opens = models.CharField(max_length=40)
    view = models.ForeignKey(CustomView, on_delete=models.CASCADE, related_name="defaults")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "opens", "user"],
                name="default_view_of_person",
                condition=models.Q(user__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["workspace", "opens"],
                name="default_view_of_all",
                condition=models.Q(user=None),
            ),
        ]

    def __str__(self) -> str:
        return f"view {self.view_id} opens {self.opens} for {self.user_id or 'everyone'}"


def list_key(place: str, experiment: Experiment | None) -> str:
    """The list of a view as one text: `runs`, `pipelines`, `experiment:7`."""
    return f"{place}:{experiment.pk}" if experiment else place


class ViewEvent(models.Model):
    """One change of a view: who, when, before, after. Never edited; outlives the view."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    view = models.ForeignKey(
        CustomView, null=True, on_delete=models.SET_NULL, related_name="events"
    )
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"], name="view_event_newest")]

    def __str__(self) -> str:
        return f"{self.kind} of view {self.view_id} by {self.actor}"
