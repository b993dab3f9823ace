"""Making a workspace for somebody: by an admin of the studio, or on the server's command line."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from studio.accounts.members import record
from studio.accounts.models import Membership, Role, User, Workspace
from studio.accounts.permissions import Actor
from studio.accounts.switching import require_admin

CLOSED = (
    "The name “{}” is that of a closed workspace. Take another name, or reopen or delete that one"
    " with manage.py workspace."
)


class WrongWorkspace(Exception):
    """A workspace that can't be made; the text says why. field: "name" or "owner"."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def new_workspace(name: str, owner: str, *, by: Actor) -> Workspace:
    """As `found_workspace`, for an admin of the studio; raises NotAllowed besides."""
    require_admin(by)
    return found_workspace(name, owner, by=by)


def found_workspace(name: str, owner: str, *, by: Actor | None = None) -> Workspace:
    """A workspace called `name` with the user called `owner` as its only member (4 queries).

    by: who is told to have made it, the owner without one. Whether they may is the caller's to
    know. Raises WrongWorkspace.
    """
    name, owner = name.strip(), owner.strip()
    try:
        Workspace._meta.get_field("name").clean(name, None)
    except ValidationError as wrong:
        rule = "take 1 to 63 letters, digits, “-” and “_”, no spaces"
        raise WrongWorkspace("name", f"“{name[:80]}” can't be a name: {rule}.") from wrong
    user = User.objects.filter(username=owner[:150], is_active=True).first()
    if user is None:
        raise WrongWorkspace("owner", f"There is no active user “{owner[:150]}”.")
    try:
        with transaction.atomic():
            made = Workspace.objects.create(name=name)
            give_owner(made, user, by=by)
    except IntegrityError as taken:
        is_closed = Workspace.objects.filter(name=name, closed_at__isnull=False).exists()
        told = CLOSED if is_closed else "There is a workspace “{}”. Take another name."
        raise WrongWorkspace("name", told.format(name)) from taken
    return made


def give_owner(workspace: Workspace, user: User, *, by: Actor | None = None) -> None:
    """The first member of a new workspace, as its history tells."""
    Membership.objects.create(user=user, workspace=workspace, role=Role.OWNER)
    by = by or Actor.of_user(user)
    record(workspace, "made", user.username, by=by, before=None, after=Role.OWNER)
