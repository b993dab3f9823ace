"""One request of an MLflow client: who asks, in which workspace, and its arguments by type.

Arguments come in the query string (GET) or as a JSON object. null, missing and empty are the same;
unknown ones are ignored, as the protocol demands. Whole numbers may come as text.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.mlflow_api.errors import wrong

WHOLE = re.compile(r"[+-]?\d{1,19}")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# Escapes that may hide a NUL or half of a surrogate pair; most bodies hold none.
SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in."""

    request: HttpRequest
    actor: Actor
    workspace: Workspace
    arguments: Mapping[str, Any]

    def text(self, name: str) -> str:
        """An argument that must be there. Raises MlflowError."""
        value = self.text_or(name, None)
        if not value:
            raise wrong(f"Missing value for required parameter '{name}'.")
        return value

    def text_or(self, name: str, default: str | None = "") -> str:
        """A text, or the default where there is none."""
        value = self.arguments.get(name)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            raise wrong(f"Invalid value for parameter '{name}': it must be a string.")
        return value

    def whole_or(self, name: str, default: int | None) -> int | None:
        """A whole number of 64 bits, or the default."""
        value = self.arguments.get(name)
        return default if value is None or value == "" else whole(value, name)

    def objects(self, name: str, *, most: int | None = None) -> list[dict[str, Any]]:
        """A list of JSON objects; empty where there is none."""
        found = self.arguments.get(name) or []
        if not isinstance(found, list) or not set(map(type, found)) <= {dict}:
            raise wrong(f"Invalid value for parameter '{name}': it must be a list of objects.")
        if most is not None and len(found) > most:
            raise wrong(
                f"A batch logging request can contain at most {most} {name}. "
                f"Got {len(found)} {name}. Please split up {name} across multiple requests "
                "and try again."
            )
        return found

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty where there is none."""
        found = self.arguments.get(name) or []
        found = [found] if isinstance(found, str) else found
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise wrong(f"Invalid value for parameter '{name}': it must be a list of strings.")
        return found


def whole(value: Any, name: str) -> int:
    """The whole number of 64 bits that JSON holds as a number or as text. Raises MlflowError."""
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in INT64:
        raise wrong(f"Invalid value for parameter '{name}': it must be a 64-bit whole number.")
    return value


def number(value: Any, name: str) -> float:
    """The floating-point number that JSON holds as a number or as text. Raises MlflowError."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(f"Invalid value for parameter '{name}': it must be a number.")
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def labels_in(found: list[dict[str, Any]], name: str) -> Iterator[tuple[str, str]]:
    """(key, value) of a list of objects; a value that is missing is empty text. Raises
    MlflowError."""
    for i, one in enumerate(found):
        key, value = one.get("key"), one.get("value")
        if not isinstance(key, str) or not key:
            raise wrong(f"Missing value for required parameter '{name}[{i}].key'.")
        if value is not None and not isinstance(value, str):
            raise wrong(f"Invalid value for parameter '{name}[{i}].value': it must be a string.")
        yield key, value or ""


def arguments_of(request: HttpRequest) -> dict[str, Any]:
    """What the request says. Raises MlflowError for what can't be read."""
    if request.method == "GET":
        return _of_query(request.GET)
    raw = request.body
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise wrong("Send JSON, with the header Content-Type: application/json.")
    try:
        found = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise wrong(f"The body is not valid JSON: {error}"[:300]) from error
    if not isinstance(found, dict):
        raise wrong("The body must be a JSON object.")
    if SUSPECT.search(raw):
        _refuse_unstorable(found)
    return found


def _no_constant(word: str) -> Any:
    """JSON knows no such number; clients send it as a text."""
    raise ValueError(f"{word} is no JSON. Send it as a text, “{word}” in quotes.")


def _of_query(query: QueryDict) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, values in query.lists():
        found[key] = values[0] if len(values) == 1 else values
    _refuse_unstorable(found)
    return found


def _refuse_unstorable(value: Any) -> None:
    """Iterative: a nested body must not exhaust the stack."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and UNSTORABLE.search(one):
            raise wrong("A text holds a character that can't be stored (NUL or a lone surrogate).")
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
