"""What a reader chose on the Metrics tab. The address is the state: parse, and write back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

from studio.web.figures import pair_of

AXES = {"step": "Step", "relative": "Relative time", "time": "Wall time"}
MAX_SMOOTHING = 0.99
# Each chart is drawn at once; more than this makes a page nobody reads and a browser suffers from.
MAX_CHARTS = 24
Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ChartState:
    """`names` are the ticked metrics in the order given, `smooth` is the weight 0 … 0.99.

    `across` and `up`: (metric, column) pairs, which columns of a table are the two axes.
    """

    names: tuple[str, ...] = ()
    find: str = ""
    is_table: bool = False
    x: str = "step"
    smooth: float = 0.0
    log: bool = False
    shares: bool = False
    across: Columns = ()
    up: Columns = ()

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
            shares=query.get("shares") == "1",
            across=_columns(query, "x."),
            up=_columns(query, "y."),
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
        pairs += [("shares", "1")] if self.shares else []
        pairs += [(f"x.{metric}", column) for metric, column in self.across]
        pairs += [(f"y.{metric}", column) for metric, column in self.up]
        return f"?{urlencode(pairs)}" if pairs else "?"

    def as_table(self, is_table: bool) -> "ChartState":
        return replace(self, is_table=is_table)

    def showing(self, names: tuple[str, ...]) -> "ChartState":
        return replace(self, names=names)

    def of_one(self, name: str) -> "ChartState":
        """Only the columns of one table."""
        across = tuple(pair for pair in self.across if pair[0] == name)
        return replace(self, across=across, up=tuple(pair for pair in self.up if pair[0] == name))

    def without_defaults(self, columns: Mapping[str, Sequence[str]]) -> "ChartState":
        """Only columns of these tables, and where they are not those drawn without a choice."""
        chosen = {name: pair_of(known, *self.pair_of(name)) for name, known in columns.items()}
        usual = {name: pair_of(known, None, None) for name, known in columns.items()}
        changed = [name for name in columns if chosen[name] != usual[name]]
        return replace(
            self,
            across=tuple((name, chosen[name][0]) for name in changed),
            up=tuple((name, chosen[name][1]) for name in changed),
        )

    def pair_of(self, name: str) -> tuple[str | None, str | None]:
        """The columns asked for of the table `name`; None where none is."""
        return dict(self.across).get(name), dict(self.up).get(name)


def _columns(query: QueryDict, prefix: str) -> Columns:
    found = ((key.removeprefix(prefix), key) for key in query if key.startswith(prefix))
    return tuple((metric, query.get(key, "")) for metric, key in found)


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
