"""Changes to targets and their workers: made, set, disabled, drained, deleted. Each is one
transaction and one line of history.

A target of one workspace is changed by its owners; one that all share, by admins of the studio.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from studio.accounts.models import NAME_RULE as WORKSPACE_RULE
from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.compute import doorbell
from studio.compute.models import LOCAL_TARGET, Job, Target, TargetEvent, Worker

NAME_RULE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
MAX_DESCRIPTION = 1_000
DAY_S = 86_400.0
# Field -> (least, most, what it is called in a refusal).
WHOLE = {"max_runs": (1, 10_000, "runs at a time"), "max_attempts": (1, 100, "attempts")}
SECONDS = {"grace_s": (0.0, 7 * DAY_S), "lost_after_s": (0.0, 30 * DAY_S)}
SETTINGS = ("description", *SECONDS, *WHOLE)


class WrongTarget(Exception):
    """A change that can't be made as it was asked for; the text says why and what to do.

    `field`: the form field it is about, "" for none.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class TargetTaken(WrongTarget):
    """There is a target of that name already."""


class TargetInUse(WrongTarget):
    """It can't be deleted: something still points at it."""


def require_edit(is_shared: bool, workspace: Workspace, *, by: Actor) -> None:
    """Raise NotAllowed unless `by` may change such a target in `workspace`."""
    wanted = Permission.EDIT_SHARED_TARGETS if is_shared else Permission.EDIT_TARGETS
    require(by, wanted, workspace)


def make_target(
    workspace: Workspace, name: str, wanted: Mapping[str, Any], *, is_shared: bool, by: Actor
) -> Target:
    """A new target of the workspace, or one for all. `wanted`: any of SETTINGS.

    Raises NotAllowed, WrongTarget or TargetTaken.
    """
    require_edit(is_shared, workspace, by=by)
    return _made(None if is_shared else workspace, name, wanted, by=by)


def _made(owner: Workspace | None, name: str, wanted: Mapping[str, Any], *, by: Actor) -> Target:
    name, facts = name.strip(), _checked(wanted)
    if not re.fullmatch(NAME_RULE, name):
        raise WrongTarget(
            "name",
            f"“{name[:80]}” can't name a target: start with a letter or digit, then use letters, "
            "digits, “_” and “-” only, at most 63 characters.",
        )
    taken = TargetTaken("name", f"There is a target “{name}” already. Choose another name.")
    # Of one name in a workspace and for all, nobody would know which one is meant.
    same = Target.objects.filter(name=name)
    if owner is not None:
        same = same.filter(Q(workspace=None) | Q(workspace=owner))
    if same.exists():
        raise taken
    try:
        with transaction.atomic():
            target = Target.objects.create(name=name, workspace=owner, **facts)
            record(target, "made", by=by, after=facts)
    except IntegrityError as raced:
        raise taken from raced
    return target


def edit_target(
    target: Target, wanted: Mapping[str, Any], *, workspace: Workspace, by: Actor
) -> Target:
    """Set any of SETTINGS; what is not named stays, None is the studio's own. The same again
    changes nothing. Raises NotAllowed or WrongTarget."""
    require_edit(target.is_shared, workspace, by=by)
    facts = _checked(wanted)
    with transaction.atomic():
        locked = lock(target)
        before = {key: getattr(locked, key) for key in facts}
        changed = {key: value for key, value in facts.items() if value != before[key]}
        if changed:
            Target.objects.filter(pk=target.pk).update(**changed)
            record(
                locked, "set", by=by, before={key: before[key] for key in changed}, after=changed
            )
            transaction.on_commit(lambda: doorbell.ring_target(target.queue))
    target.refresh_from_db()
    return target


def enable_target(target: Target, *, enabled: bool, workspace: Workspace, by: Actor) -> Target:
    """Let it take new runs, or no more: those that wait then wait on, those that run go on."""
    require_edit(target.is_shared, workspace, by=by)
    with transaction.atomic():
        locked = lock(target)
        if locked.is_enabled != enabled:
            Target.objects.filter(pk=target.pk).update(is_enabled=enabled)
            record(locked, "enabled" if enabled else "disabled", by=by)
            transaction.on_commit(lambda: doorbell.ring_target(target.queue))
    target.is_enabled = enabled
    return target


def delete_target(target: Target, *, workspace: Workspace, by: Actor) -> None:
    """Remove a target that no run was ever submitted to and no worker serves.

    Raises NotAllowed or TargetInUse.
    """
    require_edit(target.is_shared, workspace, by=by)
    with transaction.atomic():
        locked = lock(target)
        if reason := why_not_delete(locked):
            raise TargetInUse("", reason)
        record(locked, "deleted", by=by, before={key: getattr(locked, key) for key in SETTINGS})
        locked.delete()


def why_not_delete(target: Target) -> str:
    """Why it can't be deleted, "" when it can (2 queries at most)."""
    if target.is_shared and target.name == LOCAL_TARGET:
        return "“local” is the studio's own target and always there. Disable it instead."
    if Job.objects.filter(target=target).exists():
        return f"Runs were submitted to “{target.name}” and name it. Disable it instead."
    if Worker.objects.live().filter(target=target).exists():
        return f"A worker serves “{target.name}”. Stop it first."
    return ""


def drain_worker(
    target: Target, node: str, *, draining: bool, workspace: Workspace, by: Actor
) -> Worker:
    """Let a live worker of the target take no more runs, or again; it ends those it has. A worker
    that is started anew takes runs. Raises NotAllowed or WrongTarget."""
    require_edit(target.is_shared, workspace, by=by)
    with transaction.atomic():
        # Claims hold this lock: after the commit there is none under way that does not know.
        lock(target)
        live = Worker.objects.live().filter(target=target, node=node)
        worker = live.order_by("-pk").first()
        if worker is None:
            raise WrongTarget("node", f"No live worker “{node[:80]}” serves “{target.name}”.")
        if worker.is_draining != draining:
            worker.drain_asked_at = timezone.now() if draining else None
            worker.drain_asked_by = by.name if draining else ""
            worker.save(update_fields=["drain_asked_at", "drain_asked_by"])
            kind = "drained" if draining else "undrained"
            record(target, kind, by=by, after={"node": worker.node})
            transaction.on_commit(lambda: doorbell.ring_target(target.queue))
    return worker


def target_to_serve(address: str, *, by: Actor) -> Target:
    """The target that a worker serves: `NAME` for all workspaces, or `WORKSPACE/NAME`; made when
    there is none. Raises WrongTarget."""
    room, slash, name = address.rpartition("/")
    owner = None
    if slash:
        owner = Workspace.objects.filter(name=room).first()
        if owner is None or not re.fullmatch(WORKSPACE_RULE, room):
            raise WrongTarget("target", f"There is no workspace “{room[:80]}”.")
    known = Target.objects.filter(name=name, workspace=owner).first()
    if known is not None:
        return known
    if owner is not None and owner.closed_at is not None:
        raise WrongTarget("target", f"There is no workspace “{room[:80]}”.")
    facts = {"description": "The studio's own worker"} if address == LOCAL_TARGET else {}
    try:
        return _made(owner, name, facts, by=by)
    except TargetTaken:
        # Two workers of a new target started at the same moment; or it is of another kind.
        raced = Target.objects.filter(name=name, workspace=owner).first()
        if raced is None:
            raise
        return raced


def lock(target: Target) -> Target:
    """The target as it is by now, held until the commit: claims and changes take turns. New runs
    that point at it pass. Raises WrongTarget when it was deleted."""
    found = Target.objects.select_for_update(no_key=True).filter(pk=target.pk).first()
    if found is None:
        raise WrongTarget("", f"The target “{target.name}” was deleted meanwhile.")
    return found


def record(
    target: Target, kind: str, *, by: Actor, before: object = None, after: object = None
) -> None:
    """One line of the history of targets."""
    TargetEvent.objects.create(
        workspace_id=target.workspace_id,
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        subject=target.name,
        before=before,
        after=after,
    )


def _checked(wanted: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(wanted) - set(SETTINGS)
    if unknown:
        raise TypeError(f"no settings of a target: {sorted(unknown)}")
    return {key: _value(key, value) for key, value in wanted.items()}


def _value(key: str, value: Any) -> Any:
    if key == "description":
        text = str(value or "").strip()
        if len(text) > MAX_DESCRIPTION:
            raise WrongTarget(key, f"A description has at most {MAX_DESCRIPTION:,} characters.")
        return text
    if value is None:
        return None
    if key in WHOLE:
        least, most, what = WHOLE[key]
        if not least <= value <= most:
            raise WrongTarget(key, f"Give {least} to {most:,} {what}, or nothing.")
        return int(value)
    return _seconds(key, float(value))


def _seconds(key: str, value: float) -> float:
    least, most = SECONDS[key]
    if key == "lost_after_s":
        least = settings.NOT_RESPONDING_AFTER_S
    if math.isfinite(value) and least <= value <= most:
        return value
    why = (
        f" A run counts as silent after {least:g} s, and can't be given up before."
        if key == "lost_after_s" and value < least
        else ""
    )
    raise WrongTarget(key, f"Give {least:g} to {most:g} seconds, or nothing.{why}")
