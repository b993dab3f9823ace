"""Request bodies: strict JSON into messages of `wire`, with every fault named."""

import json
import re
from typing import Any, TypeVar

from django.http import HttpRequest
from pydantic import TypeAdapter

from studio.wire import Message, WireError

M = TypeVar("M", bound=Message)
# Escapes that may hide a NUL or half of a surrogate pair; most bodies hold none.
SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
RAW_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class BadRequest(Exception):
    """The body is not JSON at all."""


class UnsupportedMediaType(Exception):
    """The body is something else than application/json."""


def read_body(request: HttpRequest, message: type[M]) -> M:
    """The message in the body; raises BadRequest, UnsupportedMediaType or WireError."""
    return message.parse(read_json(request))


def read_json(request: HttpRequest) -> Any:
    """The JSON of the body: UTF-8, no NaN or Infinity, no text a database can't store."""
    if request.content_type != "application/json":
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    raw = request.body
    try:
        # Not json.loads(bytes): that lets lone surrogates pass.
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}"[:300]) from error
    if SUSPECT.search(raw):
        _refuse_unstorable(value, "")
    return value


def _refuse_constant(word: str) -> None:
    raise ValueError(f'{word} is not JSON; send it as the string "{word}"')


def _refuse_unstorable(value: Any, path: str) -> None:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise WireError(path, "contains a NUL or a lone surrogate")
    elif isinstance(value, list):
        for i, element in enumerate(value):
            _refuse_unstorable(element, f"{path}[{i}]")
    elif isinstance(value, dict):
        for key, element in value.items():
            _refuse_unstorable(key, f"{path} key" if path else "key")
            _refuse_unstorable(element, f"{path}.{key}" if path else key)


def documented(message: type[Message], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of an operation whose body is this message."""
    schema = inlined(TypeAdapter(message).json_schema())
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}
    }


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its `$defs` put in place, and closed: unknown fields are refused."""
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(element) for element in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolve(definitions[node["$ref"].rsplit("/", 1)[-1]])
        made = {key: resolve(value) for key, value in node.items()}
        if "properties" in node and node.get("type") == "object":
            made["additionalProperties"] = False
        return made

    resolved: dict[str, Any] = resolve(schema)
    return resolved
