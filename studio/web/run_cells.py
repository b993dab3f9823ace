"""The cells of a table of runs: what each shows, and the condition that a click on it adds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from studio.accounts.models import User
from studio.queries.fixed import fixed
from studio.queries.ids import Ids, IdsField
from studio.runs.machine_tags import is_machine_tag
from studio.runs.models import Experiment, Run, Tag
from studio.runs.rollup import Rollup
from studio.search.column_values import PLAIN, values_for
from studio.search.column_values import Cell as Value
from studio.search.columns import DEFAULT_COLUMNS, Column, print_column
from studio.search.printer import print_query
from studio.search.tree import Key, Op, Term
from studio.web.formats import number

MAX_CHIPS = 2
# Such as 0.00017604166405081634, which nobody reads to its end.
LONG_NUMBER = re.compile(r"[+-]?\d*\.\d{5,}(?:[eE][+-]?\d{1,3})?")
# A longer value is asked for by the presence of its key alone.
MAX_IN_TERM = 200
# Read with the run itself: these cost no query more.
_AT_HAND = frozenset(PLAIN) | {"experiment", "submitter", "tags", "tag", "star", "children"}
_TAGS = frozenset({"tag", "tags"})
_NUMERIC = frozenset({"number", "duration"})
# How a cell is drawn, where the type of its column does not tell.
_KINDS = {"name": "name", "status": "status", "star": "star", "uid": "uid"}


@dataclass(frozen=True)
class Shown:
    """A column of the table. kind: how its cells are drawn; term: the key its conditions use."""

    column: Column

    @cached_property
    def text(self) -> str:
        return print_column(self.column)

    @cached_property
    def kind(self) -> str:
        column = self.column
        kind = _KINDS.get(column.family, column.type)
        return "text" if kind == "choice" else kind

    @property
    def label(self) -> str:
        return self.column.label

    @property
    def is_numeric(self) -> bool:
        return self.column.type in _NUMERIC or self.column.family == "param"

    @cached_property
    def css(self) -> str:
        """Classes of its cells, such as c-status."""
        numeric = " numeric" if self.is_numeric else ""
        return f"c-{self.column.family}{numeric}"

    @property
    def needs_label(self) -> bool:
        """Whether a cell says its column where there is no head: on the phone."""
        return bool(self.column.name) or self.column not in DEFAULT_COLUMNS

    @cached_property
    def key(self) -> Key | None:
        """What a condition on this column asks about; None where there is none to ask."""
        column = self.column
        if column.of or column.family in ("tags", "star", "name", "description", "children"):
            return None
        return Key(column.family, column.name, column.stat)


@dataclass(frozen=True, slots=True)
class Chip:
    """A tag; `add` is the condition that asks for it."""

    key: str
    value: str | None
    add: str

    @property
    def text(self) -> str:
        return _words_of(self.key, self.value)


@dataclass(frozen=True)
class Cell:
    """A value in its column, and what the row's template asks of it: made when it asks, since a row
    that was drawn before needs none of it."""

    shown: Shown
    value: Any
    conditions: "Conditions"

    @cached_property
    def add(self) -> str:
        """The condition that asks for the value; "" for none."""
        return _condition(self.shown, self.value, self.conditions)

    @property
    def open(self) -> str:
        """The page of what is named; "" for none."""
        is_named = self.shown.column.family == "experiment"
        return self.conditions.page_of(self.value) if is_named else ""

    @cached_property
    def chips(self) -> list[Chip]:
        """The first tags."""
        return [
            Chip(key, text, self.conditions.of(Key("tag", key), text))
            for key, text in list(self.value.items())[:MAX_CHIPS]
        ]

    @property
    def more(self) -> list[str]:
        """The other tags as text."""
        others = list(self.value.items())[MAX_CHIPS:]
        return [_words_of(key, text) for key, text in others]

    @property
    def but_first(self) -> tuple[str, ...]:
        """The tags that are not seen where there is room for one."""
        return (*(chip.text for chip in self.chips[1:]), *self.more)

    @property
    def text(self) -> str:
        """The value as it is read: numbers in a few digits, also those of parameters, which are
        kept as they were given."""
        value = self.value
        if isinstance(value, str):
            if self.shown.column.family == "param" and LONG_NUMBER.fullmatch(value):
                return number(float(value))
            return value or "(set)"
        return number(value)


@dataclass
class Conditions:
    """The texts of conditions, each made once, however many cells carry it."""

    workspace: str = ""
    made: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def page_of(self, experiment: Any) -> str:
        """The address of an experiment's runs."""
        known = ("experiment", experiment)
        if known not in self.made:
            self.made[known] = reverse("experiment-runs", args=[self.workspace, experiment])
        return self.made[known]

    def of(self, key: Key, value: str | None) -> str:
        known = (key, value)
        if known not in self.made:
            is_long = not value or len(value) > MAX_IN_TERM
            op, values = (Op.HAS, ()) if is_long else (Op.EQ, (value or "",))
            self.made[known] = print_query(_term(key, op, values))
        return self.made[known]


def _term(key: Key, op: Op, values: tuple[str, ...]) -> Term:
    # "has:" asks for the metric, whichever of its values is shown.
    return Term(Key(key.family, key.name) if op is Op.HAS else key, op, values)


def cells_of(
    runs: Sequence[Run],
    columns: Sequence[Shown],
    *,
    user: User,
    children: dict[int, Rollup],
    starred: set[int],
) -> dict[int, list[Cell]]:
    """run id -> its cells in the order of the columns; `runs` as `for_list` loads them.

    Queries: one each for tags, experiments and submitters where these are shown, and those of
    `values_for` for columns that are not read with the run.
    """
    asked = [shown.column for shown in columns if shown.column.family not in _AT_HAND]
    values = values_for(runs, asked, user=user) if asked else {}
    families = {shown.column.family for shown in columns}
    tags = _tags_of(runs) if families & _TAGS else {}
    experiments = _experiments_of(runs) if "experiment" in families else {}
    submitters = _submitters_of(runs) if "submitter" in families else {}
    conditions = Conditions(runs[0].workspace.name if runs else "")
    found = {}
    for run in runs:
        held = values.get(run.pk, {})
        at_hand = AtHand(
            tags.get(run.pk, {}),
            children.get(run.pk),
            run.pk in starred,
            experiments.get(run.experiment_id),
            submitters.get(run.submitter_id),
        )
        found[run.pk] = [
            Cell(
                shown,
                _value(run, shown.column, at_hand)
                if shown.column.family in _AT_HAND
                else held.get(shown.column),
                conditions,
            )
            for shown in columns
        ]
    return found


def _words_of(key: str, value: str | None) -> str:
    return key if value is None else f"{key}: {value}"


@dataclass(frozen=True, slots=True)
class AtHand:
    """What was read for a row beside its run. tags: in the order of their keys."""

    tags: dict[str, str | None]
    children: Rollup | None
    is_starred: bool
    experiment: str | None
    submitter: str | None


def _tags_of(runs: Sequence[Run]) -> dict[int, dict[str, str | None]]:
    """run id -> its tags (1 query)."""
    found: dict[int, dict[str, str | None]] = {}
    rows = _tags(runs=[run.pk for run in runs])
    for pk, key, value in sorted(rows, key=lambda row: row[:2]):
        found.setdefault(pk, {})[key] = value
    return found


def _experiments_of(runs: Sequence[Run]) -> dict[int, str]:
    """id -> name of the runs' experiments (1 query)."""
    return dict(_experiment_names(ids={run.experiment_id for run in runs}))


def _submitters_of(runs: Sequence[Run]) -> dict[int | None, str]:
    """id -> name of who submitted the runs (1 query)."""
    return dict(_usernames(ids={run.submitter_id for run in runs} - {None}))


@fixed(ids=IdsField())
def _experiment_names(ids: Any) -> "QuerySet[Experiment, Any]":
    return Experiment.objects.filter(pk__in=Ids(ids)).values_list("pk", "name")


@fixed(ids=IdsField())
def _usernames(ids: Any) -> "QuerySet[User, Any]":
    return User.objects.filter(pk__in=Ids(ids)).values_list("pk", "username")


@fixed(runs=IdsField())
def _tags(runs: Any) -> "QuerySet[Tag, Any]":
    return Tag.objects.filter(run__in=Ids(runs)).values_list("run_id", "key", "value")


def _value(run: Run, column: Column, at_hand: AtHand) -> Value:
    match column.family:
        case "experiment":
            return at_hand.experiment
        case "submitter":
            return at_hand.submitter
        case "tags":
            return {key: at_hand.tags[key] for key in at_hand.tags if not is_machine_tag(key)}
        case "tag":
            return (at_hand.tags[column.name] or "") if column.name in at_hand.tags else None
        case "star":
            return at_hand.is_starred
        case "children":
            return at_hand.children
    return PLAIN[column.family](run)


def _condition(shown: Shown, value: Value, conditions: Conditions) -> str:
    key = shown.key
    if key is None or value is None:
        return ""
    # Of numbers and moments all from this one up: the menu offers those down to it as well.
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        return f"{key.family}>={moment}Z"
    if shown.kind == "duration" and isinstance(value, int | float):
        # Its full seconds: rounded up, the condition would leave out the run itself.
        return f"{key.family}>={int(value)}s"
    if isinstance(value, int | float):
        return print_query(Term(key, Op.GE, (repr(value),)))
    return conditions.of(key, str(value))
