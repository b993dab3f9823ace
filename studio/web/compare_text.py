"""The table of a comparison as text: Markdown to paste, CSV for a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from studio.exports.csv_lines import csv_text
from studio.runs.models import Run
from studio.search.comparing import Value
from studio.web.compare_rows import ShownSection, words_for_files

# What Markdown, or the HTML in it, would read as a mark.
_MARKS = re.compile(r"([\\`*\[\]<>|~&#]|(?<!\w)_|_(?!\w))")


def as_markdown(runs: Sequence[Run], sections: Iterable[ShownSection], *, base: str) -> str:
    """A table for each section; exact times and long texts as they are shown."""
    names = [
        f"{_plain(run.display_name)} `{run.short_uid}`" + (" (baseline)" if run.uid == base else "")
        for run in runs
    ]
    parts = [f"## Comparison of {len(runs)} runs"]
    for section in sections:
        if not section.rows:
            continue
        lines = [f"### {section.title}: {section.words}", ""]
        lines.append(_line(["", *names]))
        lines.append(_line(["---", *("---:" if _all_numeric(section) else "---" for _ in names)]))
        lines += [
            _line([_plain(row.name), *map(_plain, words_for_files(row))]) for row in section.rows
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _all_numeric(section: ShownSection) -> bool:
    return all(row.is_numeric for row in section.rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def as_csv(runs: Sequence[Run], sections: Iterable[ShownSection], *, base: str) -> str:
    """section, name, then a column for each run with exact values; with a baseline followed by one
    for each difference to it, a number."""
    text = io.StringIO()
    writer = csv.writer(text)
    head = [f"{run.display_name} ({run.short_uid})" for run in runs]
    if base:
        head += [f"{name} - baseline" for name in head[1:]]
    writer.writerow(["section", "name", *map(csv_text, head)])
    for section in sections:
        for row in section.rows:
            cells = [csv_text(value.text if value else None) for value in row.values]
            if base:
                cells += [csv_text(_delta(value, row.values[0])) for value in row.values[1:]]
            writer.writerow([section.title, csv_text(row.name), *cells])
    return text.getvalue()


def _delta(value: Value | None, base: Value | None) -> float | None:
    if value is None or base is None or value.number is None or base.number is None:
        return None
    return value.number - base.number
