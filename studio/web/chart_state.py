"""What a reader chose on the Metrics tab. The address is the state: parse, and write back. Pure."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

AXES = {"step": "Step", "relative": "Relative time", "time": "Wall time"}
MAX_SMOOTHING = 0.99
# Each chart is drawn at once; more than this makes a page nobody reads and a browser suffers from.
MAX_CHARTS = 24


@dataclass(frozen=True, slots=True)
class ChartState:
    """`names` are the ticked metrics in the order given, `smooth` is the weight 0 … 0.99."""

    names: tuple[str, ...] = ()
    find: str = ""
    is_table: bool = False
    x: str = "step"
    smooth: float = 0.0
    log: bool = False
    raw: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> "ChartState":
        """The state of a query string; what cannot be read is left at its default."""
        x = query.get("x", "")
        return cls(
            names=tuple(dict.fromkeys(name for name in query.getlist("m") if name)),
            find=query.get("find", "").strip()[:255],
            is_table=query.get("as") == "table",
            x=x if x in AXES else "step",
            smooth=smoothing_of(query.get("smooth", "")),
            log=query.get("log") == "1",
            raw=query.get("raw") == "1",
        )

    def query(self, *, with_list: bool = True) -> str:
        """The query string, "?" included, defaults left out; without the list's own search and
        ticks it holds only how a chart is drawn."""
        pairs: list[tuple[str, str]] = []
        if with_list:
            pairs += [("m", name) for name in self.names]
            pairs += [("find", self.find)] if self.find else []
            pairs += [("as", "table")] if self.is_table else []
        pairs += [("x", self.x)] if self.x != "step" else []
        pairs += [("smooth", f"{self.smooth:g}")] if self.smooth else []
        pairs += [("log", "1")] if self.log else []
        pairs += [("raw", "1")] if self.raw else []
        return f"?{urlencode(pairs)}" if pairs else "?"

    def as_table(self, is_table: bool) -> "ChartState":
        return replace(self, is_table=is_table)

    def showing(self, names: tuple[str, ...]) -> "ChartState":
        return replace(self, names=names)


def smoothing_of(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    # NaN fails both comparisons, too.
    return min(weight, MAX_SMOOTHING) if weight > 0 else 0.0


def bound_of(text: str) -> float | None:
    """An end of a zoom: a number in the units of the axis (wall time: epoch seconds)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
