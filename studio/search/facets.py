"""The values there are of a key, for whoever picks one instead of typing it."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from django.db.models import Case, Exists, Model, OuterRef, Q, QuerySet, Value, When

from studio.accounts.models import User, Workspace
from studio.compute.models import Target
from studio.runs.models import Experiment, Run
from studio.runs.searchtext import folded
from studio.runs.status import Status
from studio.search import distinct
from studio.search.fields import FIELDS
from studio.search.matching import nfc
from studio.search.tree import FLAGS, UNSTORABLE, Key
from studio.wire import RUN_TYPES

LIMIT = 50
# Of so many values from the beginning those that contain a text are found; behind them only those
# that begin with it.
MAX_VALUES = 300
MAX_NEAR = 20
LONGEST_VALUE = 100
_FIXED: dict[str, tuple[str, ...]] = {
    "status": tuple(status.value for status in Status),
    "type": tuple(RUN_TYPES),
    "is": FLAGS,
    "duration": ("1m", "10m", "1h", "8h", "1d"),
    "children": ("0",),
}
_MOMENTS = ("today", "yesterday", "-1h", "-24h", "-7d", "-30d")


def values_of(workspace: Workspace, key: Key, text: str = "", limit: int = LIMIT) -> list[str]:
    """Return at most `limit` values of a key that contain `text`, in any case, those that begin
    with it first.

    Experiments, people and targets by name; the values of one tag, property or parameter in the
    order of the alphabet; a number as it was logged; of status, type, times and durations the
    usual ones. None for a key of free text, a metric, or a tag without a name; a value of more
    than 100 characters is left out. Values come from all data of the workspace, the trash
    included. Queries: at most 2, which read some hundred rows at most, however many runs there
    are.
    """
    if UNSTORABLE.search(text):
        return []
    return list(islice(matching(text, _values(workspace, key, text, limit)), limit))


def matching(text: str, texts: Iterable[str]) -> list[str]:
    """Texts that contain `text`, each once, those that begin with it first, none too long to
    show."""
    asked = folded(text)
    short = dict.fromkeys(one for one in texts if one and len(one) <= LONGEST_VALUE)
    found = [one for one in short if asked in folded(one)]
    return sorted(found, key=lambda one: not folded(one).startswith(asked))


def _values(workspace: Workspace, key: Key, text: str, limit: int) -> Iterable[str]:
    if key.family in _FIXED:
        return _FIXED[key.family]
    if FIELDS[key.family].type == "time":
        return _MOMENTS
    if key.family in ("tag", "property", "param"):
        return _logged(workspace, key, text) if key.name else ()
    rows = _rows(workspace, key.family)
    return () if rows is None else _first(*rows, text, limit)


def _logged(workspace: Workspace, key: Key, text: str) -> Iterator[str]:
    read, name, pk = distinct.values, nfc(key.name).strip(), workspace.pk
    near = read(key.family, name, pk, start=text, limit=MAX_NEAR) if text else []
    return chain(near, read(key.family, name, pk, limit=MAX_VALUES))


def _rows(workspace: Workspace, family: str) -> tuple[QuerySet[Model], str] | None:
    """The few rows that a key names: experiments, people, targets."""
    if family == "experiment":
        return Experiment.objects.of(workspace), "name"
    if family == "submitter":
        has_run = Exists(Run.objects.filter(workspace=workspace, submitter=OuterRef("pk")))
        member = Exists(workspace.memberships.filter(user=OuterRef("pk")))
        return User.objects.filter(Q(has_run) | Q(member)), "username"
    if family == "target":
        return Target.objects.filter(Q(workspace=workspace) | Q(workspace=None)), "name"
    return None


def _first(rows: "QuerySet[Model]", column: str, text: str, limit: int) -> list[str]:
    asked = folded(text)
    if asked:
        begins = When(**{f"{column}__folded__startswith": asked}, then=Value(0))
        rows = rows.filter(**{f"{column}__folded__contains": asked})
        rows = rows.order_by(Case(begins, default=Value(1)), column)
    else:
        rows = rows.order_by(column)
    return list(rows.values_list(column, flat=True)[:limit])
