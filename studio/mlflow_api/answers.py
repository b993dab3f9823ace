"""Answers in the JSON that protocol buffers are written in: what is empty is left out, a number
that is not finite is a string, and whole numbers stay whole. Success is always status 200."""

import json
import math
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def as_json(values: Mapping[str, Any]) -> HttpResponse:
    """The object as an answer. Raises ValueError for a float that is not finite: see `double`."""
    text = json.dumps(values, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(text.encode("utf-8", "replace"), content_type="application/json")


def double(value: float) -> float | str:
    """A number as it travels."""
    return value if math.isfinite(value) else WORDS.get(value, "NaN")


def filled(**values: Any) -> dict[str, Any]:
    """The values that say something: neither None nor an empty text, list or object."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def pairs(labels: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Labels as a list of objects with key and value, in the order of their keys."""
    return [{"key": key, "value": labels[key] or ""} for key in sorted(labels)]
