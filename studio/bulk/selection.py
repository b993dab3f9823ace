"""Which runs a bulk change is about: some by id, or all that match a query at one moment."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

from django.utils import timezone

from studio.accounts.models import User, Workspace
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import apply, asks_for_archived
from studio.search.syntax import parse
from studio.search.zones import zone_called

MAX_UIDS = 10_000
UIDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Explicit `uids`, or (None) what `query` matches: root runs, with `children` all, of one
    `experiment` or every one; with `parent`, a uid, its child runs, with `children` those of all
    levels; `trash`: what people deleted instead. Relative dates mean `at`, and runs made after it
    are left out; days are those of the time zone called `zone`, "" for that of `at`."""

    uids: tuple[str, ...] | None = None
    query: str = ""
    experiment: str = ""
    children: bool = False
    trash: bool = False
    at: str = ""
    parent: str = ""
    zone: str = ""

    def dump(self) -> dict[str, Any]:
        found = asdict(self)
        # A worker of an older release reads all but those of a zone.
        return found if self.zone else {name: found[name] for name in found if name != "zone"}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        uids = data.get("uids")
        return cls(**{**data, "uids": None if uids is None else tuple(uids)})

    @property
    def moment(self) -> datetime:
        """In its zone. Raises Invalid for one that this machine does not know."""
        moment = datetime.fromisoformat(self.at) if self.at else timezone.now()
        if not self.zone:
            return moment
        zone = zone_called(self.zone)
        if zone is None:
            raise Invalid("selection.zone", f"There is no time zone “{self.zone[:80]}” here.")
        return moment.astimezone(zone)


def checked(selection: Selection) -> Selection:
    """The selection as it will be kept: each uid once, its moment fixed (now, unless it is given).

    Raises Invalid, and SearchSyntaxError for a wrong query.
    """
    if selection.uids is not None:
        if selection.query or selection.experiment or selection.children or selection.parent:
            raise Invalid("selection", "Give uids, or a query with its limits, not both.")
        if not 1 <= len(selection.uids) <= MAX_UIDS:
            raise Invalid(
                "selection.uids",
                f"{len(selection.uids):,} ids given; at most {MAX_UIDS:,}. Use a query for more.",
            )
        selection = replace(selection, uids=tuple(dict.fromkeys(selection.uids)))
    parse(selection.query)
    fixed = replace(selection, at=_moment(selection.at).isoformat())
    return replace(fixed, at=fixed.moment.isoformat())


def _moment(at: str) -> datetime:
    if not at:
        return timezone.now()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise Invalid("selection.at", "at must be a time such as 2026-11-21T04:00:00Z.") from error
    if moment.tzinfo is None:
        raise Invalid("selection.at", "at needs a time zone, such as the Z of 04:00:00Z.")
    return min(moment, timezone.now())


def _base(selection: Selection, workspace: Workspace) -> RunQuerySet:
    if selection.trash:
        return Run.objects.filter(workspace=workspace).chosen_in_trash()
    return Run.objects.of(workspace)


def matching(selection: Selection, workspace: Workspace, *, user: User | None) -> RunQuerySet:
    """The runs of a selection by query, in no order. Raises Invalid, SearchSyntaxError."""
    node = parse(selection.query)
    runs = _base(selection, workspace).filter(created_at__lte=selection.moment)
    if not selection.trash:
        runs = runs if asks_for_archived(node) else runs.listed()
        if selection.parent:
            runs = _below(runs, selection, workspace)
        elif not selection.children:
            runs = runs.roots()
    if selection.experiment:
        runs = runs.filter(experiment__name=selection.experiment)
    return apply(runs, node, user=user, now=selection.moment, workspace=workspace)


def _below(runs: RunQuerySet, selection: Selection, workspace: Workspace) -> RunQuerySet:
    """The runs below the parent of a selection; none of one that is gone (1 query)."""
    parent = Run.objects.of(workspace).filter(uid=selection.parent).first()
    return runs.none() if parent is None else runs.below(parent, all_levels=selection.children)


def ticked(selection: Selection, workspace: Workspace, uids: Sequence[str]) -> RunQuerySet:
    """Those of `uids`, at most UIDS_PER_QUERY, that are there."""
    base = (
        Run.objects.filter(workspace=workspace) if selection.trash else _base(selection, workspace)
    )
    return base.filter(uid__in=uids)


def parts(selection: Selection, workspace: Workspace, *, user: User | None) -> list[RunQuerySet]:
    """Querysets that together hold every run of the selection once, for counting."""
    if selection.uids is None:
        return [matching(selection, workspace, user=user)]
    slices = range(0, len(selection.uids), UIDS_PER_QUERY)
    uids = selection.uids
    return [ticked(selection, workspace, uids[at : at + UIDS_PER_QUERY]) for at in slices]


def count(selection: Selection, workspace: Workspace, *, user: User | None) -> int:
    """How many runs were selected; ids that lead nowhere count, as they will be reported."""
    if selection.uids is not None:
        return len(selection.uids)
    return matching(selection, workspace, user=user).count()


def selected_ids(
    selection: Selection, workspace: Workspace, *, user: User | None, is_whole: bool = False
) -> Iterator[int]:
    """The ids of the runs of a selection, in no order; is_whole: of every run of the workspace that
    is not in the trash, archived ones too. Raises Invalid for a uid that leads nowhere."""
    if is_whole:
        yield from Run.objects.of(workspace).order_by().values_list("pk", flat=True).iterator()
        return
    n_found = 0
    for runs in parts(selection, workspace, user=user):
        for pk in runs.order_by().values_list("pk", flat=True).iterator():
            n_found += 1
            yield pk
    if selection.uids is not None and n_found < len(selection.uids):
        n_lost = len(selection.uids) - n_found
        raise Invalid("runs", f"{n_lost:,} of these runs are not in “{workspace.name}”.")


@dataclass(frozen=True, slots=True)
class Slice:
    """The next runs of a selection; `cursor` None: there are no more. `missing`: ids that lead
    nowhere."""

    runs: list[Run]
    cursor: int | None
    missing: tuple[str, ...] = ()


def next_slice(
    selection: Selection, workspace: Workspace, *, user: User | None, cursor: int | None, most: int
) -> Slice:
    """Up to `most` runs from `cursor` on (None: the start), by keyset: a run that an earlier slice
    changed so that it matches no more moves nothing."""
    if selection.uids is not None:
        at = cursor or 0
        asked = selection.uids[at : at + most]
        runs = list(ticked(selection, workspace, asked).select_related("workspace").order_by("pk"))
        there = {run.uid for run in runs}
        end = at + len(asked)
        missing = tuple(uid for uid in asked if uid not in there)
        return Slice(runs, end if end < len(selection.uids) else None, missing)
    found = matching(selection, workspace, user=user)
    if cursor is not None:
        found = found.filter(pk__lt=cursor)
    runs = list(found.select_related("workspace").order_by("-pk")[:most])
    return Slice(runs, runs[-1].pk if len(runs) == most else None)
