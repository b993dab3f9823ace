"""What the editor of filters offers: fields, names and values from all data of the workspace."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.accounts.models import Workspace
from studio.runs.searchtext import folded
from studio.runs.status import Status
from studio.search import distinct
from studio.search.facets import matching, values_of
from studio.search.fields import FIELDS
from studio.search.tree import NAMED_KEYS, UNSTORABLE, Key, Node, Op, Term
from studio.web.run_filters_form import Filled

MAX_CHOICES = 50
_STATUS_LABELS = {folded(status.value): status.label for status in Status}
# More names than this of one kind are found by how they begin only.
MAX_NAMES = 2_000
GROUPS = {
    "Run": ("status", "experiment", "submitter", "target", "type", "name", "description"),
    "Logged": ("tag", "param", "metric", "property"),
    "Time": ("submitted", "started", "ended", "duration"),
}
# Their condition needs no value.
FLAGS: dict[str, Node] = {
    "Starred": Term(Key("is"), Op.EQ, ("starred",)),
    "Mine": Term(Key("is"), Op.EQ, ("mine",)),
    "Archived": Term(Key("is"), Op.EQ, ("archived",)),
    "Has child runs": Term(Key("children"), Op.HAS),
}
_ICONS = {
    "status": "circle-dot",
    "experiment": "flask-conical",
    "submitter": "user",
    "target": "server",
    "type": "shapes",
    "name": "case-sensitive",
    "description": "file-text",
    "tag": "tag",
    "param": "sliders-horizontal",
    "metric": "chart-line",
    "property": "lock",
    "submitted": "calendar",
    "started": "calendar-clock",
    "ended": "calendar-check",
    "duration": "timer",
    "Starred": "star",
    "Mine": "user-check",
    "Archived": "archive",
    "Has child runs": "git-fork",
}


@dataclass(frozen=True, slots=True)
class FieldLink:
    """A field to filter by; is_ready: the link needs no further form, it leads to the list."""

    label: str
    icon: str
    url: str
    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A value that can be ticked, and what people read for it. is_typed: it is only what somebody
    typed, no value there is."""

    value: str
    label: str
    is_on: bool
    is_typed: bool = False


def field_groups(
    field_url: Callable[[str], str], flag_url: Callable[[Node], str]
) -> dict[str, list[FieldLink]]:
    """The fields by group, each leading to its form or, without one, to the list."""
    found = {
        group: [FieldLink(FIELDS[f].label, _ICONS[f], field_url(f)) for f in families]
        for group, families in GROUPS.items()
    }
    found["Is"] = [
        FieldLink(label, _ICONS[label], flag_url(node), is_ready=True)
        for label, node in FLAGS.items()
    ]
    return found


def name_choices(workspace: Workspace, family: str, text: str) -> list[str]:
    """At most 50 names of tags, metrics … that contain `text`, those that begin with it first (2
    queries at most)."""
    if UNSTORABLE.search(text):
        return []
    found = distinct.names(family, workspace.pk, limit=MAX_NAMES)
    if text and len(found) == MAX_NAMES:
        found += distinct.names(family, workspace.pk, start=text, limit=MAX_CHOICES)
    return matching(text, found)[:MAX_CHOICES]


def suggested(workspace: Workspace, filled: Filled, text: str) -> list[str]:
    """Values of the form's key that contain `text` (2 queries at most); none for a form without
    values to choose from."""
    if filled.input not in ("ticks", "search") or UNSTORABLE.search(filled.name):
        return []
    if filled.field in NAMED_KEYS and not filled.name:
        return []
    return values_of(workspace, filled.key, text, MAX_CHOICES)


def value_choices(filled: Filled, known: Iterable[str], typed: str) -> list[Tick]:
    """The ticked values first, in their order, then those there are, and what was typed."""
    if filled.input not in ("ticks", "search"):
        return []
    on = set(map(folded, filled.values))
    labels = _STATUS_LABELS if filled.field == "status" else {}
    others = [value for value in known if folded(value) not in on]
    ticks = [
        Tick(value, labels.get(folded(value), value), is_on=folded(value) in on)
        for value in (*filled.values, *others)
    ]
    if typed and folded(typed) not in {folded(tick.value) for tick in ticks}:
        ticks.append(Tick(typed, typed, is_on=False, is_typed=True))
    return ticks
