"""The workspace a program asks about, together with what its actor may do there."""

from dataclasses import replace

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.queries.reading import columns, read

# Written out because most requests of programs pass here: built by the ORM it takes ten times
# longer (0.7 ms) than it runs.
WORKSPACE, WORKSPACE_COLUMNS = columns(Workspace, table="w")
WORKSPACE_AND_ROLE = f"""
SELECT {WORKSPACE_COLUMNS}, m.role FROM accounts_workspace w
LEFT JOIN accounts_membership m ON m.workspace_id = w.id AND m.user_id = %s
WHERE w.closed_at IS NULL AND
"""  # noqa: S608


def enter(actor: Actor, name: str) -> tuple[Workspace, Actor] | None:
    """The workspace called `name`, and the actor who knows its role there; None for an outsider,
    a closed one and a name that there is not (1 query for both)."""
    return _enter(actor, "w.name", name)


def enter_own(actor: Actor) -> tuple[Workspace, Actor] | None:
    """As `enter`, the workspace that the actor's token is for."""
    return _enter(actor, "w.id", actor.workspace_id)


def _enter(actor: Actor, column: str, value: str | int | None) -> tuple[Workspace, Actor] | None:
    user = actor.user
    asked = [user.pk if user else None, value]
    sql = f"{WORKSPACE_AND_ROLE} {column} = %s"
    for found, (role,) in read(Workspace, WORKSPACE, sql, asked):
        known = let_in(actor, found.pk, role)
        if known is not None:
            return found, known
    return None


def let_in(actor: Actor, workspace_id: int, role: str | None) -> Actor | None:
    """The actor with its role in the workspace noted for the rest of the request; None for one who
    may not see it. `role`: as the database has it, None for somebody who is no member."""
    if actor.workspace_id not in (None, workspace_id):
        return None
    is_admin = actor.user is None or actor.user.is_superuser
    if role is None or is_admin:
        return actor if is_admin else None
    return replace(actor, seen_role=(workspace_id, role))
