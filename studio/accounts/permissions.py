"""The one role table, and the one question every action asks: may this actor do this here?"""

from dataclasses import dataclass, replace
from enum import StrEnum, auto

from studio.accounts.models import ApiToken, Membership, Role, Scope, User, Workspace


class Permission(StrEnum):
    """What a person or program can be allowed to do in a workspace."""

    SEE = auto()
    SUBMIT_RUN = auto()
    LOG_TO_RUN = auto()
    EDIT_RUN = auto()
    CANCEL_RUN = auto()
    ARCHIVE_RUN = auto()
    DELETE_RUN = auto()
    EDIT_EXPERIMENT = auto()
    STAR = auto()
    EDIT_OWN_VIEWS = auto()
    EDIT_WORKSPACE_VIEWS = auto()
    EDIT_OWN_ALERTS = auto()
    EDIT_ALL_ALERTS = auto()
    EDIT_TARGETS = auto()
    EDIT_SHARED_TARGETS = auto()
    EDIT_MEMBERS = auto()
    START_WORK = auto()
    CANCEL_ALL_WORK = auto()
    PURGE = auto()


READER = frozenset(
    {Permission.SEE, Permission.STAR, Permission.START_WORK, Permission.EDIT_OWN_ALERTS}
)
CONTRIBUTOR = READER | {
    Permission.SUBMIT_RUN,
    Permission.LOG_TO_RUN,
    Permission.EDIT_RUN,
    Permission.CANCEL_RUN,
    Permission.ARCHIVE_RUN,
    Permission.DELETE_RUN,
    Permission.EDIT_EXPERIMENT,
    Permission.EDIT_OWN_VIEWS,
}
ROLES: dict[str, frozenset[Permission]] = {
    Role.READER: READER,
    Role.CONTRIBUTOR: CONTRIBUTOR,
    Role.OWNER: frozenset(Permission) - {Permission.EDIT_SHARED_TARGETS},
}
# What concerns every workspace: for admins of the studio alone, with no token of one workspace.
ADMIN = frozenset({Permission.EDIT_SHARED_TARGETS})
# What a token needs the scope “admin” for: it changes who or what is there, or can't be undone.
MANAGING = frozenset(
    {
        Permission.EDIT_MEMBERS,
        Permission.EDIT_TARGETS,
        Permission.EDIT_SHARED_TARGETS,
        Permission.PURGE,
    }
)
# What the token of one submitted run may do, and only to that run and its descendants.
RUN_TOKEN = frozenset(
    {
        Permission.SEE,
        Permission.SUBMIT_RUN,
        Permission.LOG_TO_RUN,
        Permission.EDIT_RUN,
        Permission.CANCEL_RUN,
    }
)


class NotAllowed(Exception):
    """The actor lacks a permission; the text says which and who could grant it."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a person, a program with a token, or the studio itself.

    `name` is what histories show. `run_uid` limits a run's own token to that run's tree.
    `work_uid` is the background work in which it asks; its events carry it.
    `seen_role` is (workspace id, role) when this very request has read it already.
    """

    name: str
    user: User | None = None
    scope: str = Scope.ADMIN
    workspace_id: int | None = None
    run_uid: str = ""
    seen_role: tuple[int, str] | None = None
    work_uid: str = ""

    @property
    def is_system(self) -> bool:
        return self.user is None

    @classmethod
    def of_user(cls, user: User) -> "Actor":
        return cls(name=user.get_username(), user=user)

    @classmethod
    def of_token(cls, token: ApiToken) -> "Actor":
        return cls(
            name=token.user.get_username(),
            user=token.user,
            scope=token.scope,
            workspace_id=token.workspace_id,
            run_uid=token.run_uid,
        )

    @classmethod
    def system(cls, part: str) -> "Actor":
        """The studio acting by itself; `part` says which part, such as "worker" or "reaper"."""
        return cls(name=f"studio ({part})")


def role_in(user: User, workspace: Workspace) -> str | None:
    """The user's role, or None for an outsider (1 query); the instance admin is an owner."""
    if user.is_superuser:
        return Role.OWNER
    return (
        Membership.objects.filter(user=user, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )


def permissions_of(actor: Actor, workspace: Workspace) -> frozenset[Permission]:
    """Everything `actor` may do in `workspace`; empty for an outsider and in a closed one, which
    the studio itself alone goes on with."""
    if actor.user is None:
        return frozenset(Permission)
    if workspace.closed_at is not None:
        return frozenset()
    if actor.workspace_id not in (None, workspace.pk) or not actor.user.is_active:
        return frozenset()
    if actor.seen_role and actor.seen_role[0] == workspace.pk:
        role: str | None = actor.seen_role[1]
    else:
        role = role_in(actor.user, workspace)
    if role is None:
        return frozenset()
    granted = ROLES[role]
    if actor.user.is_superuser and actor.workspace_id is None:
        granted |= ADMIN
    if actor.scope == Scope.READ:
        granted &= {Permission.SEE}
    elif actor.scope != Scope.ADMIN:
        granted -= MANAGING
    return granted & RUN_TOKEN if actor.run_uid else granted


def can(actor: Actor, permission: Permission, workspace: Workspace) -> bool:
    return permission in permissions_of(actor, workspace)


SENTENCES = {
    Permission.EDIT_TARGETS: "Only an owner of the workspace can change its compute targets.",
    Permission.EDIT_SHARED_TARGETS: (
        "All workspaces share this compute target: only an admin of the studio can change it."
    ),
    Permission.PURGE: "Only an owner of the workspace can purge runs.",
    Permission.EDIT_MEMBERS: "Only an owner of the workspace can change its members.",
    Permission.CANCEL_ALL_WORK: "Only who started it, or an owner of the workspace, can cancel it.",
}


def require(actor: Actor, permission: Permission, workspace: Workspace) -> None:
    """Raise NotAllowed unless `actor` holds `permission` in `workspace`."""
    if can(actor, permission, workspace):
        return
    if actor.scope == Scope.READ:
        raise NotAllowed("This token may only read. Use a token with the scope “write”.")
    if actor.scope != Scope.ADMIN and can(replace(actor, scope=Scope.ADMIN), permission, workspace):
        raise NotAllowed("This token may not manage. Use a token with the scope “admin”.")
    raise NotAllowed(
        SENTENCES.get(
            permission,
            f"Your role in “{workspace.name}” does not allow this. Ask an owner of the workspace.",
        )
    )
