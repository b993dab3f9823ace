"""Rights that depend on the run: a run's own token reaches that run and its descendants only."""

from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs.models import Run


def require_on(actor: Actor, permission: Permission, run: Run) -> None:
    """Raise NotAllowed unless `actor` may do this to `run` (walks up the parents of a run token)."""
    require(actor, permission, run.workspace)
    if actor.run_uid and not in_tree_of(run, actor.run_uid):
        raise NotAllowed("The token of a run reaches that run and its child runs only.")


def in_tree_of(run: Run, uid: str) -> bool:
    """Whether `run` is the run called `uid` or lies below it."""
    node: Run | None = run
    while node is not None:
        if node.uid == uid:
            return True
        node = node.parent
    return False
