"""Starting and cancelling background work."""

from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.compute.doorbell import ring
from studio.work.models import OPEN, State, Work

RUN_WORK = "studio.run_work"


class AlreadyUnderWay(Exception):
    """The same work is open already; carries it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        super().__init__("This is being done already. Wait for it, or cancel it first.")


def start_work(
    workspace: Workspace, kind: str, arguments: dict[str, Any], *, by: Actor, once: str = ""
) -> Work:
    """Note the work and ring a worker once that is committed.

    Rights to what the work does are checked by the caller now and by the work again later.
    once: while a work with this key is open, another one raises AlreadyUnderWay.
    """
    require(by, Permission.START_WORK, workspace)
    if by.run_uid:
        raise NotAllowed("The token of a run can't start background work. Use one of a person.")
    try:
        with transaction.atomic():
            work = Work.objects.create(
                workspace=workspace,
                kind=kind,
                arguments=arguments,
                once=once or None,
                actor=by.name,
                actor_user=by.user,
                by_system=by.is_system,
            )
    except IntegrityError as error:
        other = Work.objects.filter(once=once).first() if once else None
        if other is None:
            raise
        raise AlreadyUnderWay(other) from error
    transaction.on_commit(partial(ring_worker, work.pk))
    return work


def ring_worker(work_id: int) -> None:
    """Tell any worker that there is work; `running.ring_forgotten` makes up for a lost ring."""
    ring(RUN_WORK, queue="studio", work_id=work_id)


def cancel_work(work: Work, *, by: Actor) -> Work:
    """Stop after the piece under way; what was done stays done. Ended work stays as it is.

    One's own work needs START_WORK, that of others CANCEL_ALL_WORK.
    """
    require(by, Permission.START_WORK, work.workspace)
    if by.user is not None and by.user.pk != work.actor_user_id:
        require(by, Permission.CANCEL_ALL_WORK, work.workspace)
    now = timezone.now()
    asked = {"cancel_requested_at": now, "cancel_requested_by": by.name}
    mine = Work.objects.filter(pk=work.pk)
    never_began = mine.filter(state=State.WAITING, lease="")
    if not never_began.update(state=State.CANCELED, ended_at=now, once=None, **asked):
        mine.filter(state__in=OPEN, cancel_requested_at=None).update(**asked)
    work.refresh_from_db()
    return work
