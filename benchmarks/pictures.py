"""`python -m benchmarks.pictures`: the committed results as pictures, one for each of their groups.

Drawn from the tables of benchmarks/RESULTS*.md and from nothing else, so that picture and table
can't differ; a test draws them again and compares. Plain SVG: the file is text, a few kB, and its
colours follow the reader's light or dark page.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / "docs" / "images" / "measured"
SIZES = ("10,000", "100,000", "1,000,000")
WIDTH, LABEL, ROW, TOP, BOTTOM = 860, 330, 20, 34, 30
STYLE = """
.page { fill: #ffffff; } text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.quiet { fill: #59636e; } .grid { stroke: #d1d9e0; } .bound { stroke: #59636e; stroke-dasharray: 4 3; }
.met { fill: #2563a8; } .missed { fill: #b3261e; }
.s0 { fill: #9dc3ea; } .s1 { fill: #4d8fd1; } .s2 { fill: #1b4f86; } .span { stroke: #b6c6d6; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; }
text { fill: #e6edf3; } .quiet { fill: #9198a1; } .grid { stroke: #3d444d; } .bound { stroke: #9198a1; }
.met { fill: #6cb0f5; } .missed { fill: #ff8a80; }
.s0 { fill: #2c4d70; } .s1 { fill: #4d8fd1; } .s2 { fill: #b9dcff; } .span { stroke: #4a5560; }
}"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of a table. `bound`: its target, None without; both in `unit`."""

    group: str
    name: str
    value: float
    unit: str
    bound: float | None
    is_least: bool
    is_met: bool

    @property
    def share(self) -> float:
        """How much of its target it takes: up to 1 is met, whichever way the target is meant."""
        bound = self.bound or math.nan
        return bound / self.value if self.is_least else self.value / bound


def figures(document: str) -> Iterator[Figure]:
    """The rows of all tables of a document of results, in its order."""
    group = ""
    for line in document.splitlines():
        if line.startswith("## "):
            group = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) != 10 or cells[0] in ("measured", "---"):
            continue
        value, unit = quantity(cells[2])
        target = cells[8]
        bound = None if target == "–" else quantity(target[1:])[0]
        yield Figure(group, cells[0], value, unit, bound, target[0] == "≥", cells[9] == "yes")


def quantity(text: str) -> tuple[float, str]:
    """A number with its unit, as a table writes it."""
    number, _, unit = text.strip().partition(" ")
    return float(number.replace(",", "")), unit


def pictures() -> dict[str, str]:
    """File name -> SVG, of all committed results."""
    found: dict[str, str] = {}
    for document in sorted(HERE.glob("RESULTS*.md")):
        groups: dict[str, list[Figure]] = {}
        for figure in figures(document.read_text()):
            groups.setdefault(figure.group, []).append(figure)
        for group, rows in groups.items():
            if group == "Run list":
                for database in ("SQLite", "PostgreSQL"):
                    of_pages = by_size(rows, database)
                    if of_pages:
                        found[f"run-list-{database.lower()}.svg"] = dots(of_pages, database)
            # Nothing is a share of none: what must be 0 stands in the table alone.
            elif bounded := [row for row in rows if row.bound]:
                found[f"{re.sub('[^a-z]+', '-', group.lower()).strip('-')}.svg"] = bars(bounded)
    return found


def by_size(rows: Sequence[Figure], database: str) -> dict[str, list[float | None]]:
    """Page -> its median in ms for each of SIZES, None where it was not measured."""
    found: dict[str, list[float | None]] = {}
    for row in rows:
        for i, size in enumerate(SIZES):
            ending = f", {size}, {database}"
            if row.name.endswith(ending) and row.unit == "ms":
                found.setdefault(row.name.removesuffix(ending), [None] * len(SIZES))[i] = row.value
    return found


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from `least` to `most`, to the right of the labels."""

    least: float
    most: float

    def x(self, value: float) -> float:
        """Where it lies, in px; what lies outside is drawn at the edge."""
        inside = min(max(value, self.least), self.most)
        span = math.log(self.most / self.least)
        return round(LABEL + math.log(inside / self.least) / span * (WIDTH - LABEL - 170), 1)

    def grid(self, ticks: Sequence[float], n_rows: int, unit: str) -> list[str]:
        end = TOP + n_rows * ROW + 4
        lines = []
        for tick in ticks:
            x = self.x(tick)
            lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{end}"/>')
            lines.append(
                f'<text class="quiet" x="{x}" y="{end + 16}" text-anchor="middle">'
                f"{tick:g}{unit}</text>"
            )
        return lines


def bars(rows: Sequence[Figure]) -> str:
    """How much of its target each figure takes; the line is the target."""
    axis = Axis(0.01, 10.0)
    end = TOP + len(rows) * ROW + 4
    lines = axis.grid((0.01, 0.1, 1, 10), len(rows), " ×")
    lines.append(
        f'<line class="bound" x1="{axis.x(1)}" x2="{axis.x(1)}" y1="{TOP - 10}" y2="{end}"/>'
        f'<text x="{axis.x(1)}" y="{TOP - 16}" text-anchor="middle">the target</text>'
    )
    for i, row in enumerate(rows):
        y = TOP + i * ROW
        wide = round(axis.x(row.share) - LABEL, 1)
        sign = "≥" if row.is_least else "≤"
        told = f"{shown(row.value)} {row.unit} ({sign} {shown(row.bound)})"
        lines.append(
            f'<rect class="{"met" if row.is_met else "missed"}" x="{LABEL}" y="{y + 3}" '
            f'width="{max(1.0, wide)}" height="{ROW - 7}"/>'
            + label(row.name, y)
            + f'<text class="quiet" x="{LABEL + wide + 6}" y="{y + 14}">{escape(told)}</text>'
        )
    return drawing(lines, len(rows), "Figures as shares of their targets")


def dots(pages: dict[str, list[float | None]], database: str) -> str:
    """The median of each page at each number of runs: dots that lie together do not grow."""
    axis = Axis(5.0, 1_000.0)
    lines = axis.grid((10, 30, 100, 300, 1_000), len(pages), " ms")
    for i, size in enumerate(SIZES):
        x = LABEL + i * 130
        lines.append(f'<circle class="s{i}" cx="{x}" cy="12" r="5"/>')
        lines.append(f'<text x="{x + 10}" y="16">{size} runs</text>')
    for n, (name, medians) in enumerate(pages.items()):
        y = TOP + n * ROW
        known = [(i, axis.x(value)) for i, value in enumerate(medians) if value is not None]
        ends = [x for _, x in known]
        middle = y + ROW / 2
        lines.append(
            label(name, y)
            + f'<line class="span" x1="{min(ends)}" x2="{max(ends)}" y1="{middle}" y2="{middle}"/>'
            + "".join(f'<circle class="s{i}" cx="{x}" cy="{middle}" r="5"/>' for i, x in known)
        )
    return drawing(lines, len(pages), f"Median times of pages of the run list on {database}")


def shown(value: float | None) -> str:
    """Three digits, or all of a whole number."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def label(name: str, y: float) -> str:
    short = name if len(name) <= 52 else f"{name[:51]}…"
    return f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(short)}</text>'


def drawing(lines: Sequence[str], n_rows: int, title: str) -> str:
    high = TOP + n_rows * ROW + BOTTOM
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high}" width="{WIDTH}" '
        f'height="{high}" role="img" aria-label="{escape(title)}">\n<style>{STYLE}\n</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{high}"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    for old in PLACE.glob("*.svg"):
        old.unlink()
    for name, svg in pictures().items():
        (PLACE / name).write_text(svg)
        print(PLACE / name)
