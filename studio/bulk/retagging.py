"""One tag renamed, merged, given another value, or removed on all runs of a workspace."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.bulk.acting import piece_of
from studio.runs.actions import many
from studio.runs.limits import Invalid, clean_key, clean_labels
from studio.runs.models import Run, Tag
from studio.runs.querysets import COUNTED_TO
from studio.work.actions import start_work
from studio.work.kinds import Piece, Problem
from studio.work.models import Work

RETAG = "retag"
RENAME, REPLACE, DELETE = "rename", "replace", "delete"
ACTIONS = (RENAME, REPLACE, DELETE)
# Where a run carries both keys: the value of the key that goes on, or of the one that is renamed.
TARGET, SOURCE = "target", "source"
TAGS_PER_PIECE = 500
IN_TRASH = "It is in the trash"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of the tag `key` on every run that carries it.

    rename: `to` is its key from now on; where a run has that too, `keep` says whose value stays.
    replace: those with the value `value` ("": none) have the value `to` instead. delete: it goes,
    with `value` only where it has that.
    """

    action: str
    key: str
    to: str = ""
    value: str | None = None
    keep: str = ""

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        return cls(**data)

    def carries_both(self, tags: many.Tags) -> bool:
        """Whether a rename has to give up one of two different values of this run."""
        if self.action != RENAME or self.key not in tags or self.to not in tags:
            return False
        return (tags[self.key] or "") != (tags[self.to] or "")

    def rewrite(self, tags: many.Tags) -> many.Tags:
        """The tags of a run as they will be; the same when it does not carry the tag (any more),
        and when it got both keys after the preview: nobody said whose value stays."""
        if self.key not in tags or self.value not in (None, tags[self.key] or ""):
            return tags
        rest = {key: value for key, value in tags.items() if key != self.key}
        if self.carries_both(tags) and not self.keep:
            return tags
        if self.action == RENAME:
            is_kept = self.to in tags and self.keep != SOURCE
            return rest | {self.to: tags[self.to] if is_kept else tags[self.key]}
        return rest | {self.key: self.to or None} if self.action == REPLACE else rest


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rewrite would do. n_runs: that it touches, 10,001 for more than 10,000; n_both: of
    those that were counted, how many carry both keys with different values; n_in_trash: left out;
    `is_merge`: what it is to be called is there already."""

    n_runs: int
    n_both: int
    n_in_trash: int
    is_merge: bool

    @property
    def is_exact(self) -> bool:
        return self.n_runs + self.n_in_trash <= COUNTED_TO


def checked(rewrite: Rewrite) -> Rewrite:
    """The rewrite as it will be kept. Raises Invalid with the field that is wrong."""
    if rewrite.action not in ACTIONS:
        raise Invalid("action", f"Choose of {', '.join(ACTIONS)}.")
    key = clean_key(rewrite.key, what="tag")
    value, to = rewrite.value, rewrite.to
    if value is not None:
        value = clean_labels({key: value}, what="tag")[key]
    if rewrite.action == RENAME:
        to, value = _target(key, to), None
    elif rewrite.action == REPLACE:
        if value is None:
            raise Invalid("value", "Name the value to replace.")
        to = clean_labels({key: to}, what="tag")[key] or ""
        if to == value:
            raise Invalid("to", "That is its value already.")
    else:
        to = ""
    if rewrite.keep not in ("", TARGET, SOURCE):
        raise Invalid("keep", f"keep must be “{TARGET}” or “{SOURCE}”.")
    return Rewrite(rewrite.action, key, to, value, rewrite.keep)


def _target(key: str, to: str) -> str:
    if not to.strip():
        raise Invalid("to", "Type the new key.")
    name = clean_key(to, what="tag")
    if name == key:
        raise Invalid("to", "That is its key already.")
    return name


def preview(workspace: Workspace, rewrite: Rewrite, *, by: Actor) -> Preview:
    """Count what a rewrite that was `checked` would touch, no further than 10,001 (4 queries)."""
    require(by, Permission.SEE, workspace)
    rows = _rows(workspace, rewrite).order_by()
    first = rows.values("run")[: COUNTED_TO + 1]
    live = Run.objects.of(workspace).filter(pk__in=first).order_by()
    n, n_runs = first.count(), live.count()
    to = Tag.objects.filter(workspace=workspace, key=rewrite.to)
    if rewrite.action == RENAME:
        is_merge, n_both = to.exists(), _with_both(to, live, rewrite)
    else:
        of_key = Tag.objects.filter(workspace=workspace, key=rewrite.key)
        is_merge = rewrite.action == REPLACE and of_key.filter(_valued(rewrite.to)).exists()
        n_both = 0
    return Preview(n_runs, min(n_both, COUNTED_TO), n - n_runs, is_merge)


def _with_both(to: "QuerySet[Tag]", live: "QuerySet[Run]", rewrite: Rewrite) -> int:
    """How many carry both keys with different values; no value and an empty one are the same."""
    source = Tag.objects.filter(run=OuterRef("run"), key=rewrite.key).values("value")[:1]
    empty = Value("", output_field=TextField())
    both = to.filter(run__in=live.values("pk")).annotate(
        source=Coalesce(Subquery(source), empty), own=Coalesce("value", empty)
    )
    return both.exclude(source=F("own")).order_by().count()


def start_rewrite(workspace: Workspace, rewrite: Rewrite, *, by: Actor) -> Work:
    """Start it in the background.

    Raises Invalid (also when runs carry both keys and `keep` does not say whose value stays),
    work.AlreadyUnderWay when another change of this key is, NotAllowed.
    """
    require(by, Permission.EDIT_RUN, workspace)
    rewrite = checked(rewrite)
    told = preview(workspace, rewrite, by=by)
    if not told.n_runs and told.is_exact:
        raise Invalid("key", f"No run outside the trash carries “{rewrite.key}”, or that value.")
    may_clash = told.n_both or (told.is_merge and not told.is_exact)
    if may_clash and rewrite.action == RENAME and not rewrite.keep:
        raise Invalid("keep", "Some runs may carry both. Choose whose value stays.")
    once = hashlib.sha256(rewrite.key.encode()).hexdigest()[:40]
    kept = {"action": f"tag-{rewrite.action}", "rewrite": rewrite.dump()}
    return start_work(workspace, RETAG, kept, by=by, once=f"{RETAG}:{workspace.pk}:{once}")


def _valued(value: str) -> Q:
    """No value and an empty one are the same."""
    return Q(value=value) if value else Q(value=None) | Q(value="")


def _rows(workspace: Workspace, rewrite: Rewrite) -> "QuerySet[Tag]":
    rows = Tag.objects.filter(workspace=workspace, key=rewrite.key)
    return rows if rewrite.value is None else rows.filter(_valued(rewrite.value))


class RetagKind:
    """The background work of `start_rewrite`. It walks the tags in the order of their index: those
    without a value, then by value and run; cursor: [value, run], the last that was looked at."""

    def count(self, work: Work) -> int:
        n: int = _rows(work.workspace, Rewrite.load(work.arguments["rewrite"])).count()
        return n

    def piece(self, work: Work, *, by: Actor) -> Piece:
        require(by, Permission.EDIT_RUN, work.workspace)
        rewrite = Rewrite.load(work.arguments["rewrite"])
        places = _next(work.workspace, rewrite, work.cursor)
        ids = [pk for _, pk in places]
        runs = list(Run.objects.of(work.workspace).filter(pk__in=ids))
        outcome = many.rewrite_tags_of(work.workspace, runs, rewrite.rewrite, by=by)
        piece = piece_of(
            outcome, cursor=list(places[-1]) if len(places) == TAGS_PER_PIECE else None
        )
        return _with_trash(piece, set(ids) - {run.pk for run in runs})

    def settle(self, work: Work) -> None:
        """Nothing is left outside the transaction."""


def _with_trash(piece: Piece, gone: set[int]) -> Piece:
    if not gone:
        return piece
    uids = Run.objects.filter(pk__in=gone).values_list("uid", flat=True)
    problems = (*piece.problems, *(Problem(uid, IN_TRASH) for uid in uids))
    skipped = {**piece.skipped, IN_TRASH: len(gone)}
    return Piece(piece.cursor, piece.n_done, skipped, problems=problems, result=piece.result)


def _next(
    workspace: Workspace, rewrite: Rewrite, cursor: Sequence[Any] | None
) -> list[tuple[str | None, int]]:
    """The next (value, run id), at most TAGS_PER_PIECE (2 queries at most)."""
    rows = _rows(workspace, rewrite)
    value, run = cursor or (None, None)
    found: list[tuple[str | None, int]] = []
    if value is None and not rewrite.value:
        bare = rows.filter(value=None).order_by("-run_id")
        bare = bare if run is None else bare.filter(run_id__lt=run)
        found = list(bare.values_list("value", "run_id")[:TAGS_PER_PIECE])
    if len(found) < TAGS_PER_PIECE:
        valued = rows.filter(value__isnull=False).order_by("value", "-run_id")
        if value is not None:
            # The first part says nothing new, but the index begins there.
            beyond = Q(value__gt=value) | Q(value=value, run_id__lt=run)
            valued = valued.filter(Q(value__gte=value) & beyond)
        found += valued.values_list("value", "run_id")[: TAGS_PER_PIECE - len(found)]
    return found
