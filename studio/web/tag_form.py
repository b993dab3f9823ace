"""The form that edits the tags of a run: one on the run's page, in the cell of a list, and on the
page of all tags. What it shows, what it says when it is sent, and how it looks when it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from studio.accounts.models import Workspace
from studio.runs.actions import NO_TAG, Seen, TagClash, TagConflict
from studio.runs.labels import by_key
from studio.runs.limits import Invalid
from studio.runs.machine_tags import OF_MACHINES
from studio.runs.models import Run
from studio.search.column_finder import find_columns
from studio.search.facets import values_of
from studio.search.tree import UNSTORABLE, Key

# A run may have a thousand: the others are on a page of their own.
MAX_ROWS = 50


@dataclass(frozen=True, slots=True)
class TagField:
    """A row: the tag as it was shown (`is_there` False: gone since), and as it is typed. `clash`:
    what somebody else stored meanwhile."""

    key: str
    was: str
    value: str
    rename: str
    is_removed: bool = False
    is_there: bool = True
    clash: TagClash | None = None

    @property
    def seen(self) -> Seen:
        return Seen(True, _unsent(self.was) or None) if self.is_there else NO_TAG

    @property
    def typed(self) -> str | None:
        """The value that is meant. A field of one line drops the ends of lines: what differs in
        nothing else was left alone."""
        if _one_line(self.value) == _one_line(self.was):
            return _unsent(self.was) or None
        return self.value.strip() or None

    @property
    def is_edited(self) -> bool:
        return not self.is_there or _one_line(self.value) != _one_line(self.was)


@dataclass(frozen=True, slots=True)
class TagEdit:
    """What a form asks for, as `actions.change_tags` takes it."""

    put: dict[str, str | None]
    remove: list[str]
    seen: dict[str, Seen]


@dataclass(frozen=True, slots=True)
class TagForm:
    """The rows, the new tag that is typed, and how many tags are on the page of all tags only."""

    fields: Sequence[TagField] = ()
    add: str = ""
    n_more: int = 0
    error: str = ""
    is_guarded: bool = True

    @property
    def is_conflict(self) -> bool:
        return any(one.clash for one in self.fields)


def tag_form(run: Run, *, add: str = "") -> TagForm:
    """The first tags by key, but for those of machines (1 query, 2 when there are more)."""
    tags = run.tags.exclude(OF_MACHINES)
    stored = list(by_key(tags.order_by("key")[: MAX_ROWS + 1]).items())
    n_more = tags.count() - MAX_ROWS if len(stored) > MAX_ROWS else 0
    return TagForm([field_of(key, value) for key, value in stored[:MAX_ROWS]], add, n_more)


def field_of(key: str, value: str | None) -> TagField:
    return TagField(key, value or "", value or "", key)


def read_form(form: QueryDict) -> TagForm:
    """What was sent: `add` ("key" or "key: value"); of each tag that was shown `key`, `was`,
    `value`, `rename` (its new key), `there` ("" for one that was gone); `gone`: keys to remove;
    `theirs`: keys to leave as somebody else stored them; `guarded`: the rows are what there was.
    """
    keys, removed, theirs = form.getlist("key"), form.getlist("gone"), form.getlist("theirs")
    columns = {name: form.getlist(name) for name in ("was", "value", "rename", "there")}
    rows = []
    for at, key in enumerate(keys):
        sent = {name: texts[at] for name, texts in columns.items() if at < len(texts)}
        was = sent.get("was", "")
        one = TagField(
            key,
            was,
            sent.get("value", was),
            sent.get("rename", key).strip(),
            key in removed,
            bool(sent.get("there", "1")),
        )
        rows.append(field_of_stored(one) if key in theirs else one)
    return TagForm(rows, form.get("add", ""), is_guarded=form.get("guarded") == "1")


def field_of_stored(one: TagField) -> TagField:
    """The row as if nothing had been typed into it."""
    return replace(one, value=one.was, rename=one.key, is_removed=not one.is_there)


def edit_of(form: TagForm) -> TagEdit:
    """What the form asks for. Raises Invalid when two tags would have one key."""
    edit = TagEdit({}, [], {})
    kept = {one.key for one in form.fields if not one.is_removed and one.rename == one.key}
    for one in form.fields:
        if one.is_removed:
            if one.is_there:
                edit.remove.append(one.key)
                edit.seen[one.key] = one.seen
        elif one.rename != one.key:
            _rename(one, kept, edit)
        elif one.is_edited:
            edit.put[one.key] = one.typed
            edit.seen[one.key] = one.seen
    _add(form, edit)
    return edit


def _rename(one: TagField, kept: set[str], edit: TagEdit) -> None:
    if not one.rename:
        raise Invalid("tags", f"Type a key for “{one.key}”, or delete it.")
    if one.rename in kept or one.rename in edit.put:
        raise Invalid("tags", f"“{one.rename}” would be there twice. Delete one of the two.")
    edit.remove.append(one.key)
    edit.seen[one.key] = one.seen
    edit.put[one.rename] = one.typed
    edit.seen.setdefault(one.rename, NO_TAG)


def _add(form: TagForm, edit: TagEdit) -> None:
    text = form.add.strip()
    if not text:
        return
    key, colon, value = text.partition(":")
    key = key.strip()
    edit.put[key] = value.strip() if colon else None
    shown = {one.key: one.seen for one in form.fields}
    if form.is_guarded or key in shown:
        edit.seen.setdefault(key, shown.get(key, NO_TAG))


def conflicting(form: TagForm, conflict: TagConflict) -> TagForm:
    """The form as it was typed, each clash told in its row and read anew. Raises Invalid for a tag
    that was to be renamed to a key that is there."""
    rows = {one.key: one for one in form.fields}
    renamed = {one.rename: one for one in form.fields if one.rename != one.key}
    add = form.add
    for clash in conflict.clashes:
        if clash.key in renamed and clash.key not in rows:
            raise Invalid(
                "tags",
                f"“{clash.key}” is there already, by {clash.by}. Choose another key for "
                f"“{renamed[clash.key].key}”.",
            )
        if clash.key == form.add.partition(":")[0].strip():
            add = ""
        rows[clash.key] = _clashing(rows.get(clash.key), clash)
    return replace(form, fields=list(rows.values()), add=add, error=str(conflict))


def _clashing(one: TagField | None, clash: TagClash) -> TagField:
    now = clash.now.value or ""
    one = one or TagField(clash.key, now, now, clash.key)
    if clash.asked.is_there:
        value = clash.asked.value or ""
    else:
        value = now if one.is_removed else one.value
    return replace(one, was=now, value=value, is_there=clash.now.is_there, clash=clash)


def _unsent(text: str) -> str:
    """As it was before a browser sent it: with each end of a line as two characters."""
    return text.replace("\r\n", "\n")


def _one_line(text: str) -> str:
    return "".join(text.splitlines()).strip()


def choices_for(workspace: Workspace, asked: QueryDict) -> list[str]:
    """What the workspace has that fits what is typed: values for `of`, a key, and `value`; keys for
    `rename`; keys, or "key: value", for `add` (2 queries at most)."""
    if UNSTORABLE.search("".join(map(str, asked.values()))):
        return []
    if key := asked.get("of", "").strip():
        return values_of(workspace, Key("tag", key), asked.get("value", "").strip())
    typed = asked.get("add", "")
    key, colon, value = typed.partition(":")
    if colon and key.strip():
        values = values_of(workspace, Key("tag", key.strip()), value.strip())
        return [f"{key.strip()}: {one}" for one in values]
    start = asked.get("rename", typed).strip()
    return [column.name for column in find_columns(workspace, f"tag.{start}")]
