"""Charts above a list of runs: what each draws and how, read from and written to a URL. Pure.

A chart's text is a query string (`kind=line&y=metric.loss&smooth=0.6`), defaults left out; the text
of several joins them with semicolons, which no query string holds bare.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlencode

from studio.search.columns import Column, parse_columns, print_columns
from studio.search.errors import SearchSyntaxError

KINDS = {
    "line": "Line",
    "scatter": "Scatter",
    "bar": "Bar",
    "box": "Box",
    "parallel": "Parallel coordinates",
    "contour": "Contour",
}
AXES = {"step": "Step", "relative": "Relative time", "time": "Wall time", "metric": "A metric"}
SMOOTHINGS = {"ema": "Exponential", "time": "Time-weighted"}
# What a kind draws: the names of its fields, and how many columns the first may hold.
FIELDS: dict[str, tuple[str, ...]] = {
    "line": ("y",),
    "scatter": ("x", "y", "z"),
    "bar": ("y",),
    "box": ("y", "x"),
    "parallel": ("y",),
    "contour": ("x", "y", "z"),
}
# Lines of the best value so far: the least or the greatest.
BESTS = {"": "No line", "min": "The least so far", "max": "The greatest so far"}
OPTIONAL = {"scatter": frozenset({"z"}), "box": frozenset({"x"})}
MANY = frozenset({"line", "bar", "parallel"})
MAX_COLUMNS = 12
MAX_CHARTS = 12
MAX_HIDDEN = 100
# A hidden run is named by the beginning of its uid: a hundred must fit into an address.
HIDDEN_DIGITS = 12
MAX_SMOOTH = 0.99
MAX_TITLE = 100
WIDTHS = (1, 2, 3)
HEIGHTS = (1, 2, 3)
Range = tuple[float, float]
_HIDDEN = re.compile(rf"[0-9a-f]{{{HIDDEN_DIGITS},32}}")


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """One chart.

    kind: of KINDS; x, y, z: the columns its fields draw, y several for kinds in MANY; axis: of
    AXES, the horizontal one of a line ("metric": x); smooth: weight 0 … 0.99; smoothing: of
    SMOOTHINGS; log_x, log_y: logarithmic axes; clip: outliers left out; zoom_x, zoom_y: the part
    shown, in units of the axis (moments: epoch seconds); best: of BESTS, of a scatter; hidden: the
    first HIDDEN_DIGITS of the uids whose lines are off; width: thirds of the page; height: 1 … 3;
    title: "" for the usual.
    """

    kind: str = "line"
    x: tuple[Column, ...] = ()
    y: tuple[Column, ...] = ()
    z: tuple[Column, ...] = ()
    axis: str = "step"
    smooth: float = 0.0
    smoothing: str = "ema"
    log_x: bool = False
    log_y: bool = False
    clip: bool = False
    zoom_x: Range | None = None
    zoom_y: Range | None = None
    best: str = ""
    hidden: tuple[str, ...] = ()
    width: int = 1
    height: int = 1
    title: str = ""

    def __str__(self) -> str:
        return print_chart(self)

    @property
    def label(self) -> str:
        """Its title, or what it draws in words: `loss`, `accuracy over lr`."""
        if self.title:
            return self.title
        ys = ", ".join(column.label for column in self.y)
        xs = ", ".join(column.label for column in self.x)
        if self.best:
            return f"{ys}, best so far"
        return f"{ys} over {xs}" if xs and self.kind != "box" else ys or KINDS[self.kind]

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that need a column and have none."""
        needed = set(FIELDS[self.kind]) - OPTIONAL.get(self.kind, frozenset())
        if self.kind == "line" and self.axis == "metric":
            needed.add("x")
        return tuple(name for name in ("x", "y", "z") if name in needed and not getattr(self, name))


def print_chart(chart: ChartSpec) -> str:
    """Return the text of a chart, which `parse_chart` reads back to the same."""
    parts = {
        "kind": chart.kind,
        **{name: print_columns(getattr(chart, name)) for name in ("x", "y", "z")},
        "axis": "" if chart.axis == "step" else chart.axis,
        "smooth": f"{chart.smooth:g}" if chart.smooth else "",
        "smoothing": "" if chart.smoothing == "ema" else chart.smoothing,
        "log": f"{'x' if chart.log_x else ''}{'y' if chart.log_y else ''}",
        "clip": "1" if chart.clip else "",
        "zx": _print_range(chart.zoom_x),
        "zy": _print_range(chart.zoom_y),
        "best": chart.best,
        "hidden": ",".join(chart.hidden),
        "width": "" if chart.width == 1 else str(chart.width),
        "height": "" if chart.height == 1 else str(chart.height),
        "title": chart.title,
    }
    kept = {name: text for name, text in parts.items() if text}
    return urlencode(kept, safe=":,", quote_via=quote)


def parse_chart(text: str) -> ChartSpec | None:
    """Return the chart of a text; what can't be read of it falls back to its default, None without
    a known kind."""
    try:
        pairs = parse_qsl(text, max_num_fields=40)
    except ValueError:
        return None
    return chart_of(dict(pairs))


def chart_of(fields: Mapping[str, str]) -> ChartSpec | None:
    """The chart of a form's or a text's fields, as `parse_chart`."""
    kind = fields.get("kind", "")
    if kind not in KINDS:
        return None
    used = {*FIELDS[kind], *({"x"} if kind == "line" else ())}
    axis, smoothing = fields.get("axis", ""), fields.get("smoothing", "")
    best = fields.get("best", "") if kind == "scatter" else ""
    log = fields.get("log", "")
    return ChartSpec(
        kind=kind,
        **{
            name: _columns(fields.get(name, ""), kind, name)
            for name in ("x", "y", "z")
            if name in used
        },
        axis=axis if axis in AXES else "step",
        smooth=_weight(fields.get("smooth", "")),
        smoothing=smoothing if smoothing in SMOOTHINGS else "ema",
        log_x="x" in log,
        log_y="y" in log,
        clip=fields.get("clip") == "1",
        zoom_x=_range(fields.get("zx", "")),
        zoom_y=_range(fields.get("zy", "")),
        best=best if best in BESTS else "",
        hidden=_uids(fields.get("hidden", "")),
        width=_one_of(fields.get("width", ""), WIDTHS),
        height=_one_of(fields.get("height", ""), HEIGHTS),
        title=" ".join(fields.get("title", "").split())[:MAX_TITLE],
    )


def print_charts(charts: Iterable[ChartSpec]) -> str:
    return ";".join(map(print_chart, charts))


def parse_charts(text: str) -> tuple[ChartSpec, ...]:
    """The charts of a text, in their order, at most MAX_CHARTS; what is no chart is left out."""
    found = (parse_chart(part) for part in text.split(";") if part)
    return tuple(chart for chart in found if chart is not None)[:MAX_CHARTS]


def fitting(text: str, most: int) -> str:
    """The charts of a text from the first on, as many as fit whole into `most` characters."""
    if len(text) <= most:
        return text
    return text[: max(0, text.rfind(";", 0, most + 1))]


def with_chart(
    charts: tuple[ChartSpec, ...], index: int, chart: ChartSpec
) -> tuple[ChartSpec, ...]:
    """The charts with another one at `index`; beyond the last it is added."""
    if index >= len(charts):
        return (*charts, chart)[:MAX_CHARTS]
    return (*charts[:index], chart, *charts[index + 1 :])


def without_chart(charts: tuple[ChartSpec, ...], index: int) -> tuple[ChartSpec, ...]:
    return (*charts[:index], *charts[index + 1 :])


def duplicated(charts: tuple[ChartSpec, ...], index: int) -> tuple[ChartSpec, ...]:
    """The charts with a copy of one behind it."""
    return (*charts[: index + 1], *charts[index:])[:MAX_CHARTS]


def moved(charts: tuple[ChartSpec, ...], index: int, to: int) -> tuple[ChartSpec, ...]:
    """The charts with one of them at another place."""
    others = list(without_chart(charts, index))
    others.insert(max(0, to), charts[index])
    return tuple(others)


def resized(chart: ChartSpec) -> ChartSpec:
    """The next width: a third, two thirds, the whole page, a third again."""
    return replace(chart, width=chart.width % len(WIDTHS) + 1)


def _columns(text: str, kind: str, name: str) -> tuple[Column, ...]:
    try:
        found = parse_columns(text)
    except SearchSyntaxError:
        return ()
    return found[: MAX_COLUMNS if name == "y" and kind in MANY else 1]


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    # NaN fails both comparisons, too.
    return min(weight, MAX_SMOOTH) if weight > 0 else 0.0


def _range(text: str) -> Range | None:
    """`low..high`, both finite and in this order."""
    low, dots, high = text.partition("..")
    try:
        found = float(low), float(high)
    except ValueError:
        return None
    return found if dots and all(map(math.isfinite, found)) and found[0] < found[1] else None


def _print_range(ends: Range | None) -> str:
    return f"{ends[0]!r}..{ends[1]!r}" if ends else ""


def _uids(text: str) -> tuple[str, ...]:
    parts = (part for part in text.split(",") if _HIDDEN.fullmatch(part))
    found = dict.fromkeys(part[:HIDDEN_DIGITS] for part in parts)
    return tuple(found)[:MAX_HIDDEN]


def _one_of(text: str, allowed: tuple[int, ...]) -> int:
    return int(text) if text.isascii() and text.isdecimal() and int(text) in allowed else allowed[0]
