"""What notebooks show of runs: plain HTML tables with links, everything in them escaped."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.sdk.run import Run

MOST_ROWS = 50
MOST_TEXT = 200


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def link(url: str, text: str) -> Html:
    """A link to a page of the studio; plain text for an address that is none of the web."""
    if not url.startswith(("http://", "https://")):
        return Html(html.escape(text if url else ""))
    address = html.escape(url, quote=True)
    return Html(f'<a href="{address}" target="_blank" rel="noopener">{html.escape(text)}</a>')


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Html:
    """An HTML table; texts are escaped, and cut when they are long."""
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    return Html(f"<table><tr>{titles}</tr>{body}</table>")


def run_table(records: Iterable[dict[str, Any]]) -> str:
    """A row for each run: experiment, id, type, status, link to its page."""
    rows = (
        [
            record.get("experiment", ""),
            record.get("uid", ""),
            record.get("type", ""),
            record.get("status", ""),
            link(str(record.get("url") or ""), "Open in studio"),
        ]
        for record in records
    )
    return table(["Experiment", "Id", "Type", "Status", "Details"], rows)


class RunDetails:
    """What the original's widget shows of a run, as a still: `RunDetails(run).show()` in a
    notebook. Status, times, error, tags, the last value of each metric and the logs."""

    def __init__(self, run_instance: Run) -> None:
        self._run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Display the details in a notebook; elsewhere print where the run's page is."""
        ipython: Any = sys.modules.get("IPython")  # in a notebook it is loaded
        if ipython is not None and ipython.get_ipython() is not None:
            ipython.display.display(self)
        else:
            print(f"Run {self._run.id}: {self._run.get_status()} {self._run.get_portal_url()}")

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """{details, metrics} of the run."""
        return {"details": self._run.get_details(), "metrics": self._run.get_metrics()}

    def _repr_html_(self) -> str:
        """The details as HTML; everything is escaped."""
        data = self.get_widget_data()
        details, metrics = data["details"], data["metrics"]
        facts = [
            [title, details[key]]
            for title, key in _FACTS.items()
            if details.get(key) not in (None, "", [], {})
        ]
        facts += [["Error", (details.get("error") or {}).get("message", "")]] * bool(
            details.get("error")
        )
        parts = [self._run._repr_html_(), table(["", ""], facts)]
        for title, found in (("Tag", details["tags"]), ("Metric", _last(metrics))):
            if found:
                parts.append(table([title, "Value"], list(found.items())[:MOST_ROWS]))
        logs = [[link(self._run.get_portal_url() + "/logs", path)] for path in details["logFiles"]]
        return "".join([*parts, table(["Log"], logs) if logs else ""])


_FACTS = {
    "Target": "target",
    "Submitted by": "submittedBy",
    "Started": "startTimeUtc",
    "Ended": "endTimeUtc",
    "Warnings": "warnings",
}


def _last(metrics: dict[str, Any]) -> dict[str, Any]:
    """The last value of each metric that is a number or a text."""
    found = {name: values[-1] for name, values in metrics.items() if _is_list(values)}
    return {name: value for name, value in found.items() if not isinstance(value, dict | bytes)}


def _is_list(values: Any) -> bool:
    return isinstance(values, list) and bool(values)


def _cell(value: Any) -> str:
    if isinstance(value, Html):
        return f"<td>{value}</td>"
    text = "" if value is None else str(value)
    cut = text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
    return f"<td>{html.escape(cut)}</td>"
