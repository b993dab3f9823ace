"""Changes to many runs of one workspace in a fixed number of queries: tags, stars, moving.

Each asks for the right once, locks the runs, and records a line for every run that changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs import searchtext
from studio.runs.families import IDS_PER_QUERY, families_of, locked
from studio.runs.history import Outcome, record_events
from studio.runs.labels import OF_TAG, tag_row
from studio.runs.limits import (
    MAX_LABELS,
    clean_key,
    clean_labels,
    whole_value,
)
from studio.runs.models import Experiment, Run, Star, Tag

Tags = dict[str, str | None]

UNCHANGED = "It has these tags already"
TOO_MANY = f"It would have more than {MAX_LABELS:,} tags"
IS_THERE = "It is in this experiment already"
IS_CHILD = "A child run stays with its parent run"


def change_tags_of(
    workspace: Workspace,
    runs: Sequence[Run],
    *,
    by: Actor,
    put: Mapping[str, Any] | None = None,
    remove: Iterable[str] = (),
) -> Outcome:
    """Set some tags of every run and remove others (about 8 queries for each 500 runs)."""
    require(by, Permission.EDIT_RUN, workspace)
    new = clean_labels(put or {}, what="tag", nullable=True)
    gone = {clean_key(key, what="tag") for key in remove} - set(new)
    with transaction.atomic():
        found = locked(runs)
        before = tags_of(found)
        after = {
            pk: {key: value for key, value in (tags | new).items() if key not in gone}
            for pk, tags in before.items()
        }
        return _write_tags(found, before, after, by=by)


def rewrite_tags_of(
    workspace: Workspace, runs: Sequence[Run], rewrite: Callable[[Tags], Tags], *, by: Actor
) -> Outcome:
    """Give each run the tags that `rewrite` makes of those it has (about 8 queries for each 500).

    The keys and the values that come out must be clean. Refused is a run whose tags stay as they
    are.
    """
    require(by, Permission.EDIT_RUN, workspace)
    with transaction.atomic():
        found = locked(runs)
        before = tags_of(found)
        after = {pk: rewrite(tags) for pk, tags in before.items()}
        return _write_tags(found, before, after, by=by)


def put_tags_back(
    workspace: Workspace, changes: Mapping[int, tuple[Tags, Tags]], *, by: Actor
) -> Outcome:
    """Take back changes of tags: run id -> (tags before, tags after) as a line of history has them.

    A run is refused as a whole when one of the changed tags was changed again since.
    """
    require(by, Permission.EDIT_RUN, workspace)
    refused: list[tuple[Run, str]] = []
    with transaction.atomic():
        found = locked(list(Run.objects.of(workspace).filter(pk__in=list(changes))))
        now = tags_of(found)
        after = {}
        for run in found:
            then, since = changes[run.pk]
            touched = [key for key in then | since if _of(then, key) != _of(since, key)]
            clash = [key for key in touched if _of(now[run.pk], key) != _of(since, key)]
            if clash:
                refused.append((run, f"“{clash[0]}” was changed since"))
                continue
            kept = {key: value for key, value in now[run.pk].items() if key not in touched}
            after[run.pk] = kept | {key: then[key] for key in touched if key in then}
        outcome = _write_tags([run for run in found if run.pk in after], now, after, by=by)
    outcome.refused += refused
    return outcome


def _of(tags: Tags, key: str) -> tuple[bool, str | None]:
    """A tag without a value is not the same as no tag."""
    return key in tags, tags.get(key)


def tags_of(runs: Sequence[Run]) -> dict[int, Tags]:
    """The tags of each run by its id (1 query for each 500)."""
    found: dict[int, Tags] = {run.pk: {} for run in runs}
    ids = list(found)
    for at in range(0, len(ids), IDS_PER_QUERY):
        rows = Tag.objects.filter(run__in=ids[at : at + IDS_PER_QUERY])
        for pk, key, value, rest in rows.values_list("run_id", "key", "value", "rest"):
            found[pk][key] = whole_value(value, rest)
    return found


def _write_tags(
    runs: Sequence[Run],
    before: Mapping[int, Tags],
    after: Mapping[int, Tags],
    *,
    by: Actor,
) -> Outcome:
    outcome = Outcome()
    for run in runs:
        if len(after[run.pk]) > MAX_LABELS:
            outcome.refused.append((run, TOO_MANY))
        elif after[run.pk] == before[run.pk]:
            outcome.refused.append((run, UNCHANGED))
        else:
            outcome.done.append(run)
    if not outcome.done:
        return outcome
    _remove_tags({run.pk: set(before[run.pk]) - set(after[run.pk]) for run in outcome.done})
    Tag.objects.bulk_create(
        [
            tag_row(run, key, value)
            for run in outcome.done
            for key, value in after[run.pk].items()
            if _of(before[run.pk], key) != (True, value)
        ],
        update_conflicts=True,
        unique_fields=["run", "key"],
        update_fields=OF_TAG,
    )
    searchtext.refresh_many(outcome.done, after)
    record_events(outcome.done, "tags", by=by, before=before, after=after)
    return outcome


def _remove_tags(gone: Mapping[int, set[str]]) -> None:
    """Delete tags by run id: one query for each set of keys and 500 runs."""
    by_keys: dict[frozenset[str], list[int]] = {}
    for pk, keys in gone.items():
        if keys:
            by_keys.setdefault(frozenset(keys), []).append(pk)
    for same, ids in by_keys.items():
        for at in range(0, len(ids), IDS_PER_QUERY):
            Tag.objects.filter(run__in=ids[at : at + IDS_PER_QUERY], key__in=same).delete()


def star_runs(workspace: Workspace, runs: Sequence[Run], *, by: Actor, starred: bool) -> Outcome:
    """Mark or unmark the runs as favourites of the person who asks (no history: it is theirs)."""
    require(by, Permission.STAR, workspace)
    if by.user is None:
        raise NotAllowed("Only a person can have favourites.")
    if starred:
        stars = [Star(user=by.user, run=run) for run in runs]
        Star.objects.bulk_create(stars, ignore_conflicts=True)
    else:
        Star.objects.filter(user=by.user, run__in=[run.pk for run in runs]).delete()
    return Outcome(done=list(runs))


def move_runs(
    workspace: Workspace, runs: Sequence[Run], *, by: Actor, experiment: Experiment
) -> Outcome:
    """Put root runs and all below them into another experiment; they get its next numbers."""
    require(by, Permission.EDIT_RUN, workspace)
    outcome = Outcome()
    with transaction.atomic():
        chosen = []
        for run in locked(runs):
            there = run.experiment_id == experiment.pk
            reason = IS_THERE if there else IS_CHILD if run.parent_id else ""
            if reason:
                outcome.refused.append((run, reason))
            else:
                chosen.append(run)
        families = families_of(chosen, among=Run.objects.filter(workspace=workspace))
        moved = [run for family in families for run in family.members]
        _place(moved, experiment, by=by)
    outcome.done = chosen
    return outcome


def _place(runs: Sequence[Run], experiment: Experiment, *, by: Actor) -> None:
    if not runs:
        return
    left = {run.experiment_id for run in runs}
    names = dict(Experiment.objects.filter(pk__in=left).values_list("pk", "name"))
    before = {run.pk: names[run.experiment_id] for run in runs}
    Experiment.objects.filter(pk=experiment.pk).update(last_number=F("last_number") + len(runs))
    experiment.refresh_from_db(fields=["last_number"])
    first = experiment.last_number - len(runs) + 1
    for number, run in enumerate(sorted(runs, key=lambda run: run.pk), start=first):
        run.experiment, run.number = experiment, number
    Run.objects.bulk_update(runs, ["experiment", "number"], batch_size=IDS_PER_QUERY)
    after = {run.pk: experiment.name for run in runs}
    record_events(runs, "experiment", by=by, before=before, after=after)
    for pk in left | {experiment.pk}:
        newest = Run.objects.filter(experiment=pk).aggregate(at=Max("created_at"))["at"]
        Experiment.objects.filter(pk=pk).update(latest_run_at=newest)
