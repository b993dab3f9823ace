"""What can be done to many runs at once: one Choice per action, with the right it needs, why a run
is left out (as conditions, so that a dry run counts a million), and the function that does it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, Permission
from studio.artifacts import purging
from studio.lineage.actions import move_models
from studio.runs.actions import cancel_runs, ensure_experiment, keeping, many
from studio.runs.families import PARENT_DELETED
from studio.runs.history import Outcome
from studio.runs.limits import MAX_REASON, Invalid, clean_key, clean_labels, clean_text
from studio.runs.models import EXPERIMENT_NAME_RULE, Run, Star, Tag
from studio.runs.status import ACTIVE, CANCELLABLE, Status

Arguments = dict[str, Any]
Reasons = list[tuple[str, Q]]
CANCEL_ASKED = "A cancel was requested already"


def _no_reasons(given: Arguments, user: User | None) -> Reasons:
    return []


@dataclass(frozen=True, slots=True)
class Choice:
    """One bulk action. `fields`: the arguments it takes, as (name, type)."""

    name: str
    permission: Permission
    apply: Callable[[Workspace, Sequence[Run], Arguments, Actor], Outcome]
    reasons: Callable[[Arguments, User | None], Reasons] = _no_reasons
    fields: Mapping[str, type] = field(default_factory=dict)
    clean: Callable[[Arguments], Arguments] = dict
    piece_size: int = 500
    in_trash: bool = False


def clean_arguments(choice: Choice, given: Arguments) -> Arguments:
    """The arguments as they will be kept. Raises Invalid."""
    for name, value in given.items():
        if name not in choice.fields:
            raise Invalid(f"arguments.{name[:80]}", f"“{choice.name}” takes no “{name[:80]}”.")
        if not isinstance(value, choice.fields[name]):
            kind = choice.fields[name].__name__
            raise Invalid(f"arguments.{name}", f"{name} must be a {kind}.")
    return choice.clean(given)


# ------------------------------------------------------------ cancel
def _why_not_cancelled(given: Arguments, user: User | None) -> Reasons:
    ended = [s for s in Status if s not in ACTIVE]
    asked = ACTIVE - CANCELLABLE
    return [(f"It is {s.value} already", Q(status=s)) for s in ended] + [
        (CANCEL_ASKED, Q(status__in=sorted(asked)))
    ]


def _clean_cancel(given: Arguments) -> Arguments:
    reason = clean_text(given.get("reason", ""), field="reason", most=MAX_REASON)
    return {"reason": reason, "children": given.get("children", True)}


def _cancel(room: Workspace, runs: Sequence[Run], given: Arguments, by: Actor) -> Outcome:
    cancel_runs(room, runs, by=by, reason=given["reason"], children=given["children"])
    return Outcome(done=list(runs))


# ------------------------------------------------------------ tags
def _clean_tags(given: Arguments) -> Arguments:
    put = clean_labels(given.get("set", {}), what="tag", nullable=True)
    gone = {clean_key(key, what="tag") for key in given.get("remove", [])} - set(put)
    if not put and not gone:
        raise Invalid("arguments", "Name at least one tag to set or to remove.")
    return {"set": put, "remove": sorted(gone)}


def _why_no_tags(given: Arguments, user: User | None) -> Reasons:
    tags = Tag.objects.filter(run=OuterRef("pk"))
    same = ~Q(Exists(tags.filter(key__in=given.get("remove", []))))
    for key, value in given.get("set", {}).items():
        row = (
            tags.filter(key=key, value__isnull=True)
            if value is None
            else tags.filter(key=key, value=value)
        )
        same &= Q(Exists(row))
    return [(many.UNCHANGED, same)] if given else []


def _tags(room: Workspace, runs: Sequence[Run], given: Arguments, by: Actor) -> Outcome:
    return many.change_tags_of(room, runs, by=by, put=given["set"], remove=given["remove"])


# ------------------------------------------------------------ star
def _why_no_star(given: Arguments, user: User | None) -> Reasons:
    starred = Q(Exists(Star.objects.filter(run=OuterRef("pk"), user=user)))
    if given.get("starred", True):
        return [("It is starred already", starred)]
    return [("It is not starred", ~starred)]


def _star(room: Workspace, runs: Sequence[Run], given: Arguments, by: Actor) -> Outcome:
    return many.star_runs(room, runs, by=by, starred=given["starred"])


# ------------------------------------------------------------ move
def _clean_move(given: Arguments) -> Arguments:
    name = given.get("experiment", "")
    if not re.fullmatch(EXPERIMENT_NAME_RULE, name):
        raise Invalid("arguments.experiment", "Name the experiment to move the runs to.")
    return {"experiment": name}


def _why_not_moved(given: Arguments, user: User | None) -> Reasons:
    child = (many.IS_CHILD, Q(parent__isnull=False))
    if "experiment" not in given:
        return [child]
    return [(many.IS_THERE, Q(experiment__name=given["experiment"])), child]


def _move(room: Workspace, runs: Sequence[Run], given: Arguments, by: Actor) -> Outcome:
    experiment, _ = ensure_experiment(room, given["experiment"], by=by)
    with transaction.atomic():
        outcome = many.move_runs(room, runs, by=by, experiment=experiment)
        move_models(experiment, outcome.done, by=by)
    return outcome


# ------------------------------------------------------------ archive, trash
def _why_not_deleted(given: Arguments, user: User | None) -> Reasons:
    if given.get("cancel"):
        return []
    below = Run.objects.filter(root=OuterRef("pk"), deleted_at=None).active()
    return [(keeping.IS_ACTIVE, Q(status__in=sorted(ACTIVE)) | Q(Exists(below)))]


def _delete(room: Workspace, runs: Sequence[Run], given: Arguments, by: Actor) -> Outcome:
    return keeping.delete_runs(room, runs, by=by, cancel=given["cancel"])


def _why_not_restored(given: Arguments, user: User | None) -> Reasons:
    return [
        (keeping.NOT_DELETED, Q(deleted_at=None)),
        (keeping.WENT_ALONG, ~Q(deleted_with=F("pk"))),
        (PARENT_DELETED, Q(parent__deleted_at__isnull=False)),
    ]


def _why_not_purged(given: Arguments, user: User | None) -> Reasons:
    below = Run.objects.filter(deleted_with=OuterRef("pk")).active()
    used = Run.objects.filter(parent__deleted_with=OuterRef("pk"), deleted_at=None)
    return [
        (purging.NOT_IN_TRASH, Q(deleted_at=None)),
        (purging.WENT_ALONG, ~Q(deleted_with=F("pk"))),
        (purging.CHILD_IS_USED, Q(Exists(used))),
        (purging.STILL_ENDING, Q(Exists(below))),
    ]


CHOICES = {
    choice.name: choice
    for choice in (
        Choice(
            "cancel",
            Permission.CANCEL_RUN,
            _cancel,
            _why_not_cancelled,
            fields={"reason": str, "children": bool},
            clean=_clean_cancel,
            piece_size=100,
        ),
        Choice(
            "tags",
            Permission.EDIT_RUN,
            _tags,
            _why_no_tags,
            fields={"set": dict, "remove": list},
            clean=_clean_tags,
        ),
        Choice(
            "star",
            Permission.STAR,
            _star,
            _why_no_star,
            fields={"starred": bool},
            clean=lambda given: {"starred": given.get("starred", True)},
        ),
        Choice(
            "move",
            Permission.EDIT_RUN,
            _move,
            _why_not_moved,
            fields={"experiment": str},
            clean=_clean_move,
            piece_size=200,
        ),
        Choice(
            "archive",
            Permission.ARCHIVE_RUN,
            lambda room, runs, given, by: keeping.archive_runs(room, runs, by=by),
            lambda given, user: [(keeping.IS_ARCHIVED, Q(archived_at__isnull=False))],
        ),
        Choice(
            "unarchive",
            Permission.ARCHIVE_RUN,
            lambda room, runs, given, by: keeping.unarchive_runs(room, runs, by=by),
            lambda given, user: [(keeping.NOT_ARCHIVED, Q(archived_at=None))],
        ),
        Choice(
            "delete",
            Permission.DELETE_RUN,
            _delete,
            _why_not_deleted,
            fields={"cancel": bool},
            clean=lambda given: {"cancel": given.get("cancel", False)},
            piece_size=200,
        ),
        Choice(
            "restore",
            Permission.DELETE_RUN,
            lambda room, runs, given, by: keeping.restore_runs(room, runs, by=by),
            _why_not_restored,
            in_trash=True,
        ),
        Choice(
            "purge",
            Permission.PURGE,
            lambda room, runs, given, by: purging.purge_runs(room, runs, by=by),
            _why_not_purged,
            piece_size=20,
            in_trash=True,
        ),
    )
}
