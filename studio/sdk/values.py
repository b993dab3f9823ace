"""What may be logged: Python, NumPy and torch values made plain, wrong ones refused clearly."""

from __future__ import annotations

import json
import logging
import math
import numbers
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studio.sdk.errors import UserErrorException
from studio.wire import MAX_COLUMNS, MAX_INT, MAX_NAME, MAX_TEXT, Series, WireError

log = logging.getLogger("studio.sdk")

MOST_EXACT = 1 << 53  # every integer up to it is a double
DOCUMENT_VERSIONS = {
    "confusion_matrix": "1.0.0",
    "accuracy_table": "1.0.1",
    "residuals": "1.0.0",
    "predictions": "1.0.0",
}
_IMAGE_HEADS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
}


_rounded: set[str] = set()


def checked_name(name: Any) -> str:
    """The metric's name; UserErrorException unless it is a string of 1 to 255 characters."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise UserErrorException(f"a metric needs a name of 1 to {MAX_NAME} characters: {name!r}")
    return clean_text(name)


def checked_step(step: Any) -> int | None:
    """The step as an int; whole numbers of any numeric type pass, if they fit into 64 bits."""
    if step is None:
        return None
    plain_step = step if type(step) is int else plain(step, "step")
    if isinstance(plain_step, float) and plain_step.is_integer():
        plain_step = int(plain_step)
    if type(plain_step) is not int:
        raise UserErrorException(f"a step must be a whole number, not {_short(step)}")
    if not -MAX_INT <= plain_step <= MAX_INT:
        raise UserErrorException(f"a step must fit into 64 bits: {_short(step)} does not")
    return plain_step


def plain(value: Any, name: str) -> str | int | float | bool | None:
    """The value as str, int, float, bool or None; scalars of NumPy and torch are numbers.

    Raises UserErrorException for lists, mappings and anything else, naming the call to use.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return _builtin(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return _builtin(item())
    if isinstance(value, numbers.Real) or (
        hasattr(value, "__float__") and not hasattr(value, "__len__")
    ):
        return _float(value)
    if isinstance(value, Mapping):
        raise UserErrorException(f"{name}: use log_row or log_table for several named values")
    if isinstance(value, Iterable):
        raise UserErrorException(f"{name}: log takes one value, use log_list for {_type(value)}")
    raise UserErrorException(f"{name}: cannot log {_type(value)}; give a number, string or bool")


def number(value: Any, name: str) -> int | float:
    """The value as a number; UserErrorException for anything else."""
    result = plain(value, name)
    if isinstance(result, bool):
        return int(result)
    if isinstance(result, int) and not -MOST_EXACT <= result <= MOST_EXACT:
        return double(result, name)
    if isinstance(result, int | float):
        return result
    raise UserErrorException(f"{name}: must be a number, not {_type(value)}")


def double(value: int, name: str) -> float:
    """The nearest double, as which metrics are stored; when it is another number, a warning once
    for the metric."""
    result = float(value)
    if result != value and name not in _rounded:
        _rounded.add(name)
        log.warning("studio: %s: %d is stored as %r, the nearest double", name, value, result)
    return result


def clean_text(text: str) -> str:
    """The text as it can be stored: at most 20,000 characters, no NUL, no lone surrogates."""
    text = text[:MAX_TEXT]
    if text.isascii():
        return text.replace("\x00", "�") if "\x00" in text else text
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def cell(value: Any, name: str) -> Any:
    """A table cell: as `plain`, with non-finite numbers spelled as strings for JSON."""
    result = plain(value, name)
    if isinstance(result, float) and not math.isfinite(result):
        return "NaN" if result != result else "Infinity" if result > 0 else "-Infinity"
    return result


def row(columns: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One table row; a list as a value is refused, and more columns than a table has."""
    if not columns:
        raise UserErrorException(f"{name}: a row needs at least one column")
    if len(columns) > MAX_COLUMNS:
        counts = f"has at most {MAX_COLUMNS} columns, not {len(columns)}"
        raise UserErrorException(f"{name}: a row {counts}; log the rest under another name")
    return {checked_name(key): cell(value, f"{name}.{key}") for key, value in columns.items()}


def rows(table: Any, name: str) -> list[dict[str, Any]]:
    """The rows of {column: list or scalar}; unequal lengths are refused, naming both columns."""
    if not isinstance(table, Mapping):
        raise UserErrorException(f"{name}: log_table takes a dict of columns, not {_type(table)}")
    columns = {str(key): _column(value) for key, value in table.items()}
    first = next(iter(columns), None)
    for key, column in columns.items():
        if first is not None and len(column) != len(columns[first]):
            sizes = f"{first!r} has {len(columns[first])}, {key!r} has {len(column)}"
            raise UserErrorException(f"{name}: columns must be equally long: {sizes} values")
    keys = list(columns)
    return [
        row(dict(zip(keys, line, strict=True)), name)
        for line in zip(*columns.values(), strict=True)
    ]


def _column(value: Any) -> list[Any]:
    single = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    return [value] if single or getattr(value, "ndim", 1) == 0 else list(value)


def document(value: Any, name: str, kind: str) -> dict[str, Any]:
    """A confusion matrix, accuracy table, residuals or predictions from a dict or JSON text.

    A bare `data` object gets its schema around it; shapes are checked.
    """
    if isinstance(value, str | bytes):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UserErrorException(f"{name}: this is not JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise UserErrorException(f"{name}: give a dict or JSON text, not {_type(value)}")
    result = jsonable(value, name)
    if "data" not in result:
        result = {"schema_version": DOCUMENT_VERSIONS[kind], "data": result}
    result = {"schema_type": kind, "schema_version": DOCUMENT_VERSIONS[kind], **result}
    try:
        series = {"name": "x", "kind": kind, "times": [0.0], "values": [result]}
        Series.parse(series)
    except WireError as error:
        where = error.path.removeprefix(".values[0]").lstrip(".") or "document"
        raise UserErrorException(f"{name}: {where} {error.message}") from None
    return result


def jsonable(value: Any, name: str) -> Any:
    """The value with arrays as lists and scalars plain, ready for JSON."""
    if isinstance(value, Mapping):
        return {clean_text(str(key)): jsonable(item, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, name) for item in value]
    if callable(getattr(value, "tolist", None)) and getattr(value, "ndim", 0) > 0:
        found = value.tolist()
        is_numeric = getattr(getattr(value, "dtype", None), "kind", "") in ("b", "i", "u", "f")
        return found if is_numeric else jsonable(found, name)
    return plain(value, name)


def image_bytes(name: str, path: Any, plot: Any) -> tuple[bytes, str]:
    """The bytes of the image and its file ending; exactly one of path and plot must be given."""
    if (path is None) == (plot is None):
        raise UserErrorException(f"{name}: log_image takes either path or plot")
    if plot is not None:
        return _plot_png(name, plot), ".png"
    file = Path(path)
    if not file.is_file():
        raise UserErrorException(f"{name}: there is no image file {str(path)!r}")
    data = file.read_bytes()
    endings = (ending for head, ending in _IMAGE_HEADS.items() if data.startswith(head))
    ending = ".webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else next(endings, "")
    if not ending:
        raise UserErrorException(
            f"{name}: {str(path)!r} is not a PNG, JPEG, GIF, WebP, BMP or TIFF"
        )
    return data, ending


def _plot_png(name: str, plot: Any) -> bytes:
    import io

    figure = plot.get_figure() if hasattr(plot, "get_figure") else plot
    if not callable(getattr(figure, "savefig", None)):
        raise UserErrorException(f"{name}: plot must be a matplotlib figure or pyplot")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _builtin(value: Any) -> str | int | float | bool | None:
    if isinstance(value, str):
        return clean_text(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _sized(int(value))
    if isinstance(value, float):
        return float(value)
    raise UserErrorException(f"cannot log {_type(value)}; give a number, string or bool")


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a fraction, say
        return math.inf if value > 0 else -math.inf


def _sized(value: int) -> int | float:
    if -(1 << 1000) < value < 1 << 1000:
        return value
    return math.inf if value > 0 else -math.inf


def _short(value: Any) -> str:
    """The value in a message; an integer of thousands of digits can't be printed at all."""
    return repr(value)[:40] if not isinstance(value, int) else f"{float(_sized(value)):g}"


def _type(value: Any) -> str:
    return type(value).__name__
