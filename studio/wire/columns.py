"""Columns of metric values: checked in bulk, because a batch may hold 100,000 points."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

from studio.wire.checks import (
    MAX_INT,
    MAX_TIME_S,
    WireError,
    json_object,
    label,
    long_text,
    mapping,
    scalar,
    special,
)

MAX_COLUMNS = 200
MAX_DOUBLE = sys.float_info.max
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dump_numbers(values: list[Any]) -> list[Any]:
    """The numbers with NaN and infinities spelled as strings."""
    try:
        if math.isfinite(sum(values)):  # any NaN or infinity makes the sum one too
            return values
    except OverflowError:  # ints beyond the range of a float
        return [v if type(v) is int or math.isfinite(v) else special(v) for v in values]
    return [v if math.isfinite(v) else special(v) for v in values]


def load_numbers(values: list[Any]) -> list[Any]:
    """The inverse of dump_numbers."""
    if str not in set(map(type, values)):
        return values
    return [SPECIAL[v] if type(v) is str else v for v in values]


def steps(value: Any, path: str) -> list[int]:
    if type(value) is not list or not set(map(type, value)) <= {int}:
        raise WireError(path, "must be a list of integers, or null")
    if value and (max(value) > MAX_INT or min(value) < -MAX_INT):
        raise WireError(path, "must fit into 64 bits")
    return value


def times(value: Any, path: str) -> list[float]:
    if type(value) is not list or not set(map(type, value)) <= {int, float}:
        raise WireError(path, "must be a list of epoch seconds")
    if value and not (min(value) >= 0 and max(value) <= MAX_TIME_S and math.isfinite(sum(value))):
        raise WireError(path, "must be epoch seconds between the years 1970 and 9999")
    return value


def _numbers(values: list[Any], path: str, kind: str) -> list[float]:
    types = set(map(type, values))
    if types == {float}:
        return values
    if not types <= {int, float, str}:
        raise WireError(path, 'must be numbers (or "NaN", "Infinity", "-Infinity")')
    try:
        return [SPECIAL[v] if type(v) is str else float(v) for v in values]
    except KeyError as error:
        raise WireError(path, f"{str(error)[:40]} is not a number") from None
    except OverflowError:
        raise WireError(path, "has an integer beyond the range of a double") from None


def _texts(values: list[Any], path: str, kind: str) -> list[str | bool | None]:
    if not set(map(type, values)) <= {str, bool, type(None)}:
        raise WireError(path, "must be strings, bools or nulls")
    for i, value in enumerate(values):
        if type(value) is str:
            long_text(value, f"{path}[{i}]")
    return values


_cells = mapping(scalar, most=MAX_COLUMNS)


def _rows(values: list[Any], path: str, kind: str) -> list[dict[str, Any]]:
    return [_cells(row, f"{path}[{i}]") for i, row in enumerate(values)]


def _images(values: list[Any], path: str, kind: str) -> list[dict[str, str]]:
    for i, value in enumerate(values):
        if type(value) is not dict or value.keys() != {"path"}:
            raise WireError(f"{path}[{i}]", 'must be {"path": artifact path}')
        label(value["path"], f"{path}[{i}].path")
    return values


def _documents(values: list[Any], path: str, kind: str) -> list[dict[str, Any]]:
    """Documents of the original's schemas: {schema_type, schema_version, data{...}}."""
    for i, value in enumerate(values):
        document = json_object(value, f"{path}[{i}]")
        if document.get("schema_type") != kind or type(document.get("data")) is not dict:
            raise WireError(f"{path}[{i}]", f'must be {{"schema_type": "{kind}", "data": {{…}}}}')
        _SHAPES[kind](document["data"], f"{path}[{i}].data")
    return values


def _list_in(data: dict[str, Any], key: str, path: str, *, n: int | None = None) -> list[Any]:
    value = data.get(key)
    if type(value) is not list or (n is not None and len(value) != n):
        count = "" if n is None else f" of {n} elements"
        raise WireError(f"{path}.{key}", f"must be a list{count}")
    return value


def _number_list(data: dict[str, Any], key: str, path: str, *, n: int | None = None) -> list[Any]:
    value = _list_in(data, key, path, n=n)
    if not set(map(type, value)) <= {int, float}:
        raise WireError(f"{path}.{key}", "must hold numbers only")
    if value and max(map(abs, value)) > MAX_DOUBLE:
        raise WireError(f"{path}.{key}", "has an integer beyond the range of a double")
    return value


def _confusion_matrix(data: dict[str, Any], path: str) -> None:
    n = len(_list_in(data, "class_labels", path))
    for i, _ in enumerate(_list_in(data, "matrix", path, n=n)):
        _number_list({f"matrix[{i}]": data["matrix"][i]}, f"matrix[{i}]", path, n=n)


def _accuracy_table(data: dict[str, Any], path: str) -> None:
    n_classes = len(_list_in(data, "class_labels", path))
    for name in ("probability", "percentile"):
        n = len(_number_list(data, f"{name}_thresholds", path))
        for i, table in enumerate(_list_in(data, f"{name}_tables", path, n=n_classes)):
            at = f"{name}_tables[{i}]"
            for j, row in enumerate(_list_in({at: table}, at, path, n=n)):
                _number_list({f"{at}[{j}]": row}, f"{at}[{j}]", path, n=4)


def _residuals(data: dict[str, Any], path: str) -> None:
    n = len(_number_list(data, "bin_counts", path))
    _number_list(data, "bin_edges", path, n=n + 1)


def _predictions(data: dict[str, Any], path: str) -> None:
    n = len(_number_list(data, "bin_counts", path))
    for key, length in (("bin_averages", n), ("bin_errors", n), ("bin_edges", n + 1)):
        _number_list(data, key, path, n=length)


_SHAPES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "confusion_matrix": _confusion_matrix,
    "accuracy_table": _accuracy_table,
    "residuals": _residuals,
    "predictions": _predictions,
}
VALUES: dict[str, Callable[[list[Any], str, str], list[Any]]] = {
    "scalar": _numbers,
    "list": _numbers,
    "text": _texts,
    "table": _rows,
    "image": _images,
    **dict.fromkeys(_SHAPES, _documents),
}
KINDS = tuple(VALUES)
