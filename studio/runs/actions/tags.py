"""Tags of one run: set and removed, never over what somebody else saved meanwhile."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction

from studio.accounts.permissions import Actor, Permission
from studio.runs import searchtext
from studio.runs.actions.rights import require_on
from studio.runs.labels import OF_TAG, by_key, tag_row
from studio.runs.lifecycle import record_event
from studio.runs.limits import MAX_LABELS, MAX_VALUE, Invalid, clean_key, clean_labels
from studio.runs.models import Run, RunEvent, Tag

Tags = dict[str, str | None]
# Among so many of the last changes it is looked up who made one.
LOOKED_BACK = 10


class Seen(NamedTuple):
    """What there is, or was, under a key: a tag, which may have no value, or none."""

    is_there: bool
    value: str | None = None

    def same_as(self, other: "Seen") -> bool:
        """Whether a reader could not tell them apart: forms send no value as an empty one, and
        each end of a line as two characters."""
        return self.is_there == other.is_there and _words(self.value) == _words(other.value)


NO_TAG = Seen(False)


@dataclass(frozen=True, slots=True)
class TagClash:
    """One key that was changed meanwhile. before: what the writer saw; now: what somebody (`by`)
    stored since; asked: what the writer wants."""

    key: str
    before: Seen
    now: Seen
    asked: Seen
    by: str


class TagConflict(Exception):
    """Somebody changed some of the tags meanwhile; nothing was stored."""

    def __init__(self, clashes: tuple[TagClash, ...]) -> None:
        self.clashes = clashes
        who = " and ".join(dict.fromkeys(clash.by for clash in clashes))
        keys = ", ".join(f"“{clash.key}”" for clash in clashes[:5])
        more = f" and {len(clashes) - 5} more" if len(clashes) > 5 else ""
        super().__init__(f"{who} changed {keys}{more} meanwhile. Compare, then save again.")


def change_tags(
    run: Run,
    *,
    by: Actor,
    put: Mapping[str, Any] | None = None,
    remove: Iterable[str] = (),
    seen: Mapping[str, Seen] | None = None,
    most: int = MAX_VALUE,
) -> Tags:
    """Set some tags and remove others; returns all tags of the run by key.

    seen: what the writer saw of keys it changes; most: characters of a value. Raises TagConflict
    when one of them is neither that any more nor what is asked for, Invalid for what can't be
    stored; nothing is stored then.
    """
    require_on(by, Permission.EDIT_RUN, run)
    new = clean_labels(put or {}, what="tag", nullable=True, most=most)
    gone = {clean_key(key, what="tag") for key in remove} - set(new)
    then = {clean_key(key, what="tag"): one for key, one in (seen or {}).items()}
    with transaction.atomic():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        before = by_key(run.tags.all())
        after = {key: value for key, value in (before | new).items() if key not in gone}
        if clashes := _clashes(run, before, after, then, set(new) | gone):
            raise TagConflict(clashes)
        if len(after) > MAX_LABELS:
            raise Invalid("tags", f"A run holds at most {MAX_LABELS:,} tags.")
        if after != before:
            run.tags.filter(key__in=gone).delete()
            Tag.objects.bulk_create(
                [tag_row(run, key, new[key]) for key in new],
                update_conflicts=True,
                unique_fields=["run", "key"],
                update_fields=OF_TAG,
            )
            searchtext.refresh(run)
            record_event(run, "tags", by=by, before=before, after=after)
    return dict(sorted(after.items()))


def _clashes(
    run: Run, now: Tags, asked: Tags, then: Mapping[str, Seen], changed: Set[str]
) -> tuple[TagClash, ...]:
    """The keys that would be written over (1 query when there are some)."""
    found = [
        key
        for key, before in then.items()
        if key in changed
        and not before.same_as(_seen(now, key))
        and not _seen(asked, key).same_as(_seen(now, key))
    ]
    if not found:
        return ()
    who = _who_changed(run, found)
    return tuple(
        TagClash(key, then[key], _seen(now, key), _seen(asked, key), who.get(key, "Somebody"))
        for key in found
    )


def _who_changed(run: Run, keys: list[str]) -> dict[str, str]:
    """Who stored what these keys hold now."""
    found: dict[str, str] = {}
    lines = RunEvent.objects.filter(run=run, kind="tags").order_by("-pk")[:LOOKED_BACK]
    for actor, before, after in lines.values_list("actor", "before", "after"):
        for key in keys:
            if _seen(before or {}, key) != _seen(after or {}, key):
                found.setdefault(key, actor)
    return found


def _seen(tags: Mapping[str, str | None], key: str) -> Seen:
    return Seen(True, tags[key]) if key in tags else NO_TAG


def _words(value: str | None) -> str:
    return "\n".join((value or "").splitlines())
