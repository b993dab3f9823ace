"""The table of a comparison as it is shown: texts of cells, extremes, differences to a baseline."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from studio.runs.models import Run
from studio.search.compared_facts import Kind
from studio.search.comparing import FIRST_LINE, Row, Section, Value
from studio.web import formats
from studio.web.compare_state import Comparison

# Longer texts may not fit into their cell, and are its title too.
FITS = 16
N_DELTA_DIGITS = 3
# Rows that only begin to tell: where on the page of two runs the rest is.
WHOLE_TEXTS = {
    ("description", FIRST_LINE): "#compare-description",
    ("attributes", "Snapshot"): "#compare-files",
}
ALWAYS_OTHERS = frozenset({"Name", "Id", "Submitted", "Started", "Ended"})
LEAST, GREATEST = "least", "greatest"
_MINUS = "\N{MINUS SIGN}"


class ShownCell(NamedTuple):
    """look: "none", or beside a baseline "base", "same", "other"; extreme: LEAST, GREATEST or "";
    delta: the difference to the baseline in words; moment: in ISO 8601; url: to the full texts."""

    text: str
    title: str = ""
    look: str = ""
    extreme: str = ""
    delta: str = ""
    moment: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """`values` are the cells' exact values, for files."""

    name: str
    differs: bool
    is_numeric: bool
    cells: list[ShownCell]
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class ShownSection:
    """words: how many differ; fold, whole: states that fold it, and show all of it (None: done)."""

    key: str
    title: str
    words: str
    rows: list[ShownRow]
    n_left: int
    is_folded: bool
    fold: Comparison
    whole: Comparison | None


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its run, and where it may be moved."""

    run: Run
    is_base: bool
    can_left: bool
    can_right: bool


def heads_of(state: Comparison, runs: Sequence[Run]) -> list[Head]:
    return [
        Head(
            run,
            is_base=run.uid == state.base,
            can_left=state.moved(run.uid, -1) != state,
            can_right=state.moved(run.uid, 1) != state,
        )
        for run in runs
    ]


def shown_sections(state: Comparison, sections: Sequence[Section]) -> list[ShownSection]:
    """The sections that have names at all; `state` holds the runs that `sections` are about."""
    return [
        ShownSection(
            key=section.key,
            title=section.title,
            words=f"{section.n_differ:,} of {section.n_rows:,} "
            + ("differs" if section.n_differ == 1 else "differ"),
            rows=[_row(state, section.key, row) for row in section.rows],
            n_left=section.n_left,
            is_folded=section.key in state.folded,
            fold=state.with_fold(section.key),
            whole=None if section.key in state.whole else state.with_whole(section.key),
        )
        for section in sections
        if section.n_rows
    ]


def _row(state: Comparison, section: str, row: Row) -> ShownRow:
    is_metric = section == "metrics"
    extremes = _extremes(row.values) if is_metric else {}
    base = row.values[0] if state.base else None
    # Two runs never share these: a mark would say nothing.
    other = "" if row.name in ALWAYS_OTHERS and section == "attributes" else "other"
    cells = []
    for at, value in enumerate(row.values):
        text, title = _texts(row.kind, value, is_metric=is_metric)
        look = delta = ""
        if state.base:
            look = "base" if at == 0 else "same" if value == base else other
            delta = "" if at == 0 else delta_words(row.kind, value, base)
        cells.append(
            ShownCell(
                text,
                title,
                f"{look} none".strip() if value is None else look,
                extremes.get(value.number, "") if value and value.number is not None else "",
                delta,
                value.text if value and row.kind == Kind.MOMENT else "",
                _url(state, section, at, row) if value else "",
            )
        )
    is_numeric = is_metric or row.kind == Kind.SECONDS or _all_numbers(row.values)
    return ShownRow(row.name, row.differs, is_numeric, cells, row.values)


def _url(state: Comparison, section: str, at: int, row: Row) -> str:
    """Where two runs' whole texts or files are side by side, when the cell can't say it all."""
    anchor = WHOLE_TEXTS.get((section, row.name), "")
    if not anchor or at == 0 or (section == "attributes" and row.values[at] == row.values[0]):
        return ""
    if len(state.chosen) == 2:
        return anchor
    return state.only_two(state.base, state.chosen[at]).to_query() + anchor if state.base else ""


def _all_numbers(values: Sequence[Value | None]) -> bool:
    return all(value is None or value.number is not None for value in values)


def _texts(kind: Kind, value: Value | None, *, is_metric: bool) -> tuple[str, str]:
    """What a cell shows, and its title: the exact value where that says more."""
    if value is None:
        return formats.EMPTY, ""
    text = value.text
    if kind == Kind.SECONDS and value.number is not None:
        return formats.duration(value.number), f"{value.text} s"
    if kind == Kind.MOMENT:
        shown = formats.absolute(datetime.fromisoformat(text))
        return shown, shown
    if is_metric and value.number is not None:
        shown = formats.number(value.number)
        return shown, "" if shown == text else text
    return text, text if len(text) > FITS else ""


def _extremes(values: Sequence[Value | None]) -> dict[float, str]:
    numbers = [value.number for value in values if value and value.number is not None]
    if len(numbers) < 2 or min(numbers) == max(numbers):
        return {}
    return {min(numbers): LEAST, max(numbers): GREATEST}


def delta_words(kind: Kind, value: Value | None, base: Value | None) -> str:
    """By how much a number is above or below the baseline's: `+0.012 (+5.4 %)`; "" for texts,
    and where both are the same."""
    if value is None or base is None or value.number is None or base.number is None:
        return ""
    delta = value.number - base.number
    if not math.isfinite(delta):
        return ""
    if delta == 0:
        return ""
    sign = "+" if delta > 0 else _MINUS
    if kind == Kind.SECONDS:
        words = sign + formats.duration(abs(delta))
    else:
        words = sign + formats.number(abs(delta), N_DELTA_DIGITS)
    share = delta / abs(base.number) * 100 if base.number else math.inf
    return f"{words} ({sign}{_per_cent(abs(share))} %)" if math.isfinite(share) else words


def _per_cent(share: float) -> str:
    if share >= 1e6:
        return f"{share:.1e}"
    return f"{share:,.0f}" if share >= 100 else f"{share:.1f}" if share >= 0.1 else f"{share:.1g}"


def words_for_files(row: ShownRow) -> Iterator[str]:
    """The texts of a row's cells with what is shown beside them."""
    for cell in row.cells:
        marks = [mark for mark in (cell.extreme, cell.delta) if mark]
        yield f"{cell.text} · {' · '.join(marks)}" if marks else cell.text
