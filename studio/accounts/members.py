"""Who is in a workspace, and as what. Each change is one transaction and one event; it holds from
the next request on, for pages and tokens alike."""

from dataclasses import replace

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.accounts.models import ApiToken, MemberEvent, Membership, Role, User, Workspace
from studio.accounts.permissions import Actor, Permission, require

LAST_OWNER = (
    "{name} is the last owner of “{workspace}”. Make somebody else an owner first: a workspace"
    " without one could not be managed any more."
)


class WrongMember(Exception):
    """A change that can't be made as it was asked for; the text says why and what to do.

    `field`: the form field it is about.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class LastOwner(WrongMember):
    """Nobody would be left to manage the workspace."""


class Taken(WrongMember):
    """The account, or the member, is there already."""


def add_member(workspace: Workspace, name: str, role: str, *, by: Actor) -> Membership:
    """Let the account called `name` in, with the role (8 queries).

    Raises NotAllowed before it looks for the account; WrongMember for a role or an active account
    there is not; Taken for a member.
    """
    with transaction.atomic():
        lock_for(workspace, by)
        known = _role(role)
        user = User.objects.filter(username=_username(name), is_active=True).first()
        if user is None:
            raise WrongMember("name", f"There is no active account “{name.strip()[:150]}”.")
        return _join(workspace, user, known, by=by, kind="added")


def create_member(
    workspace: Workspace, name: str, role: str, *, full_name: str = "", email: str = "", by: Actor
) -> User:
    """A new account without a password, a member with the role (8 queries). `welcome.new_link`
    gives the link with which the person sets one.

    Raises NotAllowed; WrongMember for a role or name that can't be; Taken for a name in use, also
    in other letter case: two names that differ by it alone are taken for each other.
    """
    with transaction.atomic():
        lock_for(workspace, by)
        known = _role(role)
        address = User.objects.normalize_email(email.strip())
        user = User(username=_username(name), first_name=full_name.strip(), email=address)
        user = _checked(user)
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError as raced:
            raise _taken(user.username) from raced
        _join(workspace, user, known, by=by, kind="created")
    return user


def change_role(workspace: Workspace, name: str, role: str, *, by: Actor) -> Membership:
    """Give a member another role; the same one again changes nothing (6 queries).

    Raises NotAllowed; WrongMember for a role or member there is not; LastOwner.
    """
    with transaction.atomic():
        lock_for(workspace, by)
        known, held = _role(role), find_member(workspace, name)
        if held.role == known:
            return held
        _keep_an_owner(held)
        before, held.role = held.role, known
        held.save(update_fields=["role"])
        record(workspace, "role", name, by=by, before=before, after=known)
    return held


def remove_member(workspace: Workspace, name: str, *, by: Actor) -> None:
    """Shut the workspace to a member and revoke their tokens for it. Their account,
    sessions and other workspaces stay, and so does what they made here.

    Raises NotAllowed; WrongMember for somebody who is no member; LastOwner.
    """
    with transaction.atomic():
        lock_for(workspace, by)
        _take_out(find_member(workspace, name), "removed", by=by)


def leave_workspace(workspace: Workspace, *, by: Actor) -> None:
    """Take oneself out, as `remove_member` does with others. Raises as that does."""
    with transaction.atomic():
        # What every member may do for themselves, but no token that reads only.
        lock_for(workspace, by, Permission.STAR)
        _take_out(find_member(workspace, by.name), "left", by=by)


def find_member(workspace: Workspace, name: str) -> Membership:
    """The membership of the person called `name`, with its user; raises WrongMember (1 query)."""
    members = Membership.objects.of(workspace).select_related("user")
    held = members.filter(user__username=_username(name)).first()
    if held is None:
        raise WrongMember("user", f"“{name[:150]}” is not a member of “{workspace.name}”.")
    held.workspace = workspace
    return held


def record(
    workspace: Workspace, kind: str, subject: str, *, by: Actor, before: object, after: object
) -> None:
    """One line of the history of members."""
    MemberEvent.objects.create(
        workspace=workspace,
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        subject=subject,
        before=before,
        after=after,
    )


def lock_for(
    workspace: Workspace, by: Actor, permission: Permission = Permission.EDIT_MEMBERS
) -> None:
    """Let one change of members go on at a time, then ask for the right as it is by now: of two
    owners who demote each other, the second is no owner any more. SQLite locks by itself; the lock
    of PostgreSQL lets those pass who only point at the workspace, such as new runs."""
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    require(replace(by, seen_role=None), permission, workspace)


def _join(workspace: Workspace, user: User, role: Role, *, by: Actor, kind: str) -> Membership:
    held, is_new = Membership.objects.get_or_create(
        user=user, workspace=workspace, defaults={"role": role}
    )
    if not is_new:
        raise Taken("name", f"{user.username} is a member already, as {held.get_role_display()}.")
    record(workspace, kind, user.username, by=by, before=None, after=role)
    return held


def _take_out(held: Membership, kind: str, *, by: Actor) -> None:
    _keep_an_owner(held)
    workspace, user, role = held.workspace, held.user, held.role
    held.delete()
    tokens = ApiToken.objects.not_revoked().filter(user=user, workspace=workspace)
    tokens.update(revoked_at=timezone.now())
    record(workspace, kind, user.username, by=by, before=role, after=None)


def _keep_an_owner(held: Membership) -> None:
    """Raise LastOwner when nobody but `held` owns the workspace."""
    others = Membership.objects.of(held.workspace).active_owners().exclude(pk=held.pk)
    if held.role == Role.OWNER and not others.exists():
        words = {"name": held.user.username, "workspace": held.workspace.name}
        raise LastOwner("role", LAST_OWNER.format(**words))


def _role(role: str) -> Role:
    if role not in Role.values:
        raise WrongMember("role", "Choose a role: Reader, Contributor or Owner.")
    return Role(role)


def _username(name: str) -> str:
    return User.normalize_username(name.strip())


def _checked(user: User) -> User:
    """The account as Django would take it, with no password; raises WrongMember or Taken."""
    if not user.username:
        raise WrongMember("name", "Give the account a user name.")
    user.set_unusable_password()
    try:
        user.clean_fields()
    except ValidationError as wrong:
        fields = wrong.message_dict
        names = {"username": "name", "email": "email"}
        field = next((names[one] for one in names if one in fields), "full_name")
        raise WrongMember(field, " ".join(next(iter(fields.values())))) from wrong
    if User.objects.filter(username__iexact=user.username).exists():
        raise _taken(user.username)
    return user


def _taken(name: str) -> Taken:
    return Taken("name", f"There is an account “{name}” already. Add it instead, if it is theirs.")
