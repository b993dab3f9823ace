"""What a view asks for and the workspace does not have, or has no more. The view opens anyway."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from studio.accounts.models import Workspace
from studio.custom_views.charts import ChartSpec, parse_charts
from studio.custom_views.models import CustomView, Place
from studio.custom_views.state import ViewState
from studio.custom_views.stored import state_of
from studio.runs.models import Experiment
from studio.search import distinct
from studio.search.columns import Column, parse_columns
from studio.search.errors import SearchSyntaxError
from studio.search.grouping import parse_group
from studio.search.matching import nfc
from studio.search.order import parse_order
from studio.search.syntax import parse
from studio.search.tree import Op, Term, leaves

FAMILIES = {
    "tag": "tag",
    "property": "property",
    "param": "parameter",
    "metric": "metric",
    "experiment": "experiment",
}
# A database takes only so many parameters; those of one state always fit.
MOST_AT_ONCE = 2_000
# The list itself, beside the parts of `differences.PARTS`.
LIST = "list"


class Name(NamedTuple):
    """A tag, property, parameter, metric or experiment, as it is stored. family: of FAMILIES."""

    family: str
    name: str


class Missing(NamedTuple):
    """A name that the workspace does not have. parts: where it is asked for: "filters", "order",
    "group", "columns", "charts", or "list" for the experiment of a view."""

    family: str
    name: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{FAMILIES[self.family]} “{self.name}”"


def missing_names(workspace: Workspace, state: ViewState) -> list[Missing]:
    """What the state asks for and no run of the workspace has; of experiments those that there are
    not. Runs in the trash count: they can come back. A text that can't be read asks for nothing.

    Queries: one for each family that is asked for, at most 5; each seeks once in an index for each
    name, however many runs there are.
    """
    return missing_of_each(workspace, [state])[0]


def missing_of_view(view: CustomView) -> list[Missing]:
    """As `missing_names` of what is stored, and first the experiment that the view was of."""
    found = missing_names(view.workspace, state_of(view.state))
    if view.place == Place.EXPERIMENT and view.experiment_id is None:
        return [Missing("experiment", view.experiment_name, (LIST,)), *found]
    return found


def missing_of_each(workspace: Workspace, states: Iterable[ViewState]) -> list[list[Missing]]:
    """`missing_names` of each state, with the queries of one (for every MOST_AT_ONCE names)."""
    asked = [named_in(state) for state in states]
    known = _known(workspace, {name for names in asked for name in names})
    return [
        [Missing(*name, tuple(parts)) for name, parts in names.items() if name not in known]
        for names in asked
    ]


def named_in(state: ViewState) -> dict[Name, list[str]]:
    """The names that a state asks for, each with the parts that do. Pure."""
    found: dict[Name, list[str]] = {}
    for part, name in _mentions(state):
        parts = found.setdefault(name, [])
        if part not in parts:
            parts.append(part)
    return found


def _mentions(state: ViewState) -> Iterator[tuple[str, Name]]:
    for text in (state.q, state.off):
        yield from (("filters", name) for name in _in_query(text))
    try:
        keys = parse_order(state.order)
    except SearchSyntaxError:
        keys = ()
    yield from (("order", name) for key in keys for name in _in_column(key.column))
    for part, text, reader in (
        ("group", state.group, parse_group),
        ("columns", state.columns, parse_columns),
    ):
        try:
            columns = reader(text)
        except SearchSyntaxError:
            continue
        yield from ((part, name) for column in columns for name in _in_column(column))
    drawn = (column for chart in parse_charts(state.charts) for column in _drawn(chart))
    yield from (("charts", name) for column in drawn for name in _in_column(column))


def _in_query(text: str) -> Iterator[Name]:
    try:
        node = parse(text)
    except SearchSyntaxError:
        return
    for leaf in leaves(node):
        if not isinstance(leaf, Term):
            continue
        if leaf.key.name:
            yield _name(leaf.key.family, leaf.key.name)
        elif leaf.key.family == "experiment" and leaf.op in (Op.EQ, Op.NE):
            yield from (Name("experiment", nfc(value)) for value in leaf.values if value)


def _in_column(column: Column) -> Iterator[Name]:
    if column.name:
        yield _name(column.family, column.name)
    if column.of:
        yield _name("metric", column.of)


def _name(family: str, name: str) -> Name:
    """In the form in which it is stored."""
    text = nfc(name)
    return Name(family, text if family == "metric" else text.strip())


def _drawn(chart: ChartSpec) -> Sequence[Column]:
    """The columns of a chart that it draws: a line has an x of its own only over a metric."""
    is_over_x = chart.kind != "line" or chart.axis == "metric"
    return (*(chart.x if is_over_x else ()), *chart.y, *chart.z)


def _known(workspace: Workspace, asked: set[Name]) -> set[Name]:
    """Those of the names that there are."""
    found: set[Name] = set()
    for family in FAMILIES:
        names = sorted(name.name for name in asked if name.family == family)
        for start in range(0, len(names), MOST_AT_ONCE):
            there = _present(workspace, family, names[start : start + MOST_AT_ONCE])
            found.update(Name(family, name) for name in there)
    return found


def _present(workspace: Workspace, family: str, names: list[str]) -> Iterable[str]:
    if family != "experiment":
        return distinct.present(family, workspace.pk, names)
    there = Experiment.objects.of(workspace).filter(name__in=names)
    return there.order_by().values_list("name", flat=True)
