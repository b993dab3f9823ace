"""Rights that depend on the run: a run's own token reaches that run and its descendants; to the
runs above it, it may only log points."""

from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs.models import Run


def require_on(actor: Actor, permission: Permission, run: Run, *, upwards: bool = False) -> None:
    """Raise NotAllowed unless `actor` may do this to `run` (walks up the parents of a run token).

    `upwards`: the token of a child may do it to the runs above it too.
    """
    require(actor, permission, run.workspace)
    if actor.run_uid and not in_tree_of(run, actor.run_uid):
        if upwards and _is_above(run, actor.run_uid):
            return
        raise NotAllowed("The token of a run reaches that run and its child runs only.")


def _is_above(run: Run, uid: str) -> bool:
    """Whether `run` is a parent, at any height, of the run called `uid`: a child logs to it."""
    own = Run.objects.filter(workspace=run.workspace_id, uid=uid).first()
    return own is not None and in_tree_of(own, run.uid)


def in_tree_of(run: Run, uid: str) -> bool:
    """Whether `run` is the run called `uid` or lies below it."""
    node: Run | None = run
    while node is not None:
        if node.uid == uid:
            return True
        node = node.parent
    return False
