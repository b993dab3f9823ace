"""Logging metrics: the nine calls of a run, each validated here and queued in the outbox."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable
from typing import Any

from studio.sdk import values
from studio.sdk.errors import UserErrorException
from studio.sdk.outbox import OUTBOX
from studio.sdk.records import Channel, Point, Post, weight
from studio.sdk.values import MOST_EXACT
from studio.wire import MAX_INT, load_numbers

_clock = time.time
_images = itertools.count(1)


class Metrics:
    """The logging half of a run. Calls return at once; values travel in the background."""

    _channel: Channel

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Log a number, string or bool; repeated calls make a series.

        Ints and floats, also of NumPy and torch, are numbers (unlike in the original); bool, str
        and None are texts. Numbers are stored as doubles, so an integer beyond 2^53 as the nearest
        one, with a warning. `step` orders the points; without it they are numbered by arrival.
        Raises UserErrorException for lists and dicts, naming the call to use.
        """
        if type(value) is not float:
            value = values.plain(value, name)
            if type(value) is int and not -MOST_EXACT <= value <= MOST_EXACT:
                value = values.double(value, str(name))
        if type(name) is not str or not 0 < len(name) < 256 or not name.isascii() or "\0" in name:
            name = values.checked_name(name)
        if step is not None and (type(step) is not int or not -MAX_INT <= step <= MAX_INT):
            step = values.checked_step(step)
        kind = "scalar" if type(value) is float or type(value) is int else "text"
        self._put(Point(self._channel, name, kind, step, _clock(), value))

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Log every number of an iterable; an empty one logs nothing."""
        if isinstance(value, str | bytes | dict) or not isinstance(value, Iterable):
            kind = type(value).__name__
            raise UserErrorException(f"{name}: log_list takes a list of numbers, not {kind}")
        name, now = values.checked_name(name), _clock()
        for element in [values.number(element, name) for element in value]:
            self._put(Point(self._channel, name, "list", None, now, element))

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """Log one row of a table, one keyword per column; repeated calls add rows."""
        name = values.checked_name(name)
        self._put(Point(self._channel, name, "table", None, _clock(), values.row(kwargs, name)))

    def log_table(self, name: str, value: dict[str, Any], description: str = "") -> None:
        """Log a table given as {column: list or single value}; columns must be equally long."""
        name, now = values.checked_name(name), _clock()
        for row in values.rows(value, name):
            self._put(Point(self._channel, name, "table", None, now, row))

    def log_image(
        self,
        name: str,
        path: Any = None,
        plot: Any = None,
        description: str = "",
        *,
        step: int | None = None,
    ) -> None:
        """Log an image from a file (`path`) or a matplotlib figure or pyplot (`plot`).

        The image becomes the artifact `images/<name>_<number>.<ending>`.
        """
        name, step = values.checked_name(name), values.checked_step(step)
        data, ending = values.image_bytes(name, path, plot)
        stem = re.sub(r"[^\w.-]+", "_", name).strip(".") or "image"
        artifact = f"images/{stem}_{time.time_ns() // 1_000_000}_{next(_images)}{ending}"
        channel = self._channel
        request = channel.request(channel.path("artifacts", artifact), data, method="PUT")
        self._put(Post(channel, request))
        self._put(Point(channel, name, "image", step, _clock(), {"path": artifact}))

    def log_confusion_matrix(self, name: str, value: Any, description: str = "") -> None:
        """Log {class_labels[C], matrix[C][C]}: rows are true classes, columns predicted ones."""
        self._document(name, value, "confusion_matrix")

    def log_accuracy_table(self, name: str, value: Any, description: str = "") -> None:
        """Log TP, FP, TN, FN per class and threshold: {probability_tables[C][M][4],
        percentile_tables[C][M][4], probability_thresholds[M], percentile_thresholds[M],
        class_labels[C]}."""
        self._document(name, value, "accuracy_table")

    def log_predictions(self, name: str, value: Any, description: str = "") -> None:
        """Log {bin_averages[n], bin_errors[n], bin_counts[n], bin_edges[n+1]}."""
        self._document(name, value, "predictions")

    def log_residuals(self, name: str, value: Any, description: str = "") -> None:
        """Log {bin_edges[n+1], bin_counts[n]} of predicted minus actual."""
        self._document(name, value, "residuals")

    def _document(self, name: str, value: Any, kind: str) -> None:
        name = values.checked_name(name)
        checked = values.document(value, name, kind)
        self._put(Point(self._channel, name, kind, None, _clock(), checked))

    def _put(self, record: Point | Post) -> None:
        """Queue a record; everything but plain numbers counts by its size."""
        if isinstance(record, Post):
            OUTBOX.put_heavy(record, 1 + len(record.request.body) // 50)
        elif record.kind == "scalar":
            OUTBOX.put(record)
        else:
            OUTBOX.put_heavy(record, weight(record.value))


def read_points(kind: str, pages: Iterable[dict[str, Any]]) -> Any:
    """Logged values in one shape per kind, whatever the count (unlike in the original).

    scalar, list, text: a list of values; table: {column: list}, None where a row lacks it;
    image: a list of artifact paths; documents: a list of documents.
    """
    logged = [value for page in pages for value in page["values"]]
    if kind in ("scalar", "list"):
        return load_numbers(logged)
    if kind == "image":
        return [value["path"] for value in logged]
    if kind != "table":
        return logged
    names = dict.fromkeys(key for line in logged for key in line)
    return {key: load_cells([line.get(key) for line in logged]) for key in names}


def load_cells(column: list[Any]) -> list[Any]:
    """A table column with "NaN" and infinities as numbers again, when it holds numbers."""
    numeric = all(not isinstance(v, str) or v in ("NaN", "Infinity", "-Infinity") for v in column)
    return load_numbers(column) if numeric else column
