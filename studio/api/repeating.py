"""Changes that may be sent again: the header `Idempotency-Key` (docs/adr/0064)."""

import json
import re
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse

from studio.accounts.kept_answers import Asked, digest_of
from studio.accounts.models import KeptAnswer, Scope
from studio.api.access import actor_of, workspace_of
from studio.runs.limits import Invalid
from studio.runs.turn import in_turn

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = re.compile(r"[ -~]{1,255}")
# POSTs that need no key, and why: the header changes nothing there.
OWN_IDS = {
    "/runs": "its uid",
    "/runs/{uid}/children": "their uids",
    "/runs/{uid}/batches": "its batch",
    "/runs/{uid}/heartbeat": "a second sign of life does no harm",
    "/runs/{uid}/logs/{path}": "its offset",
    "/runs/{uid}/images": "the SHA-256 of its bytes",
    "/experiments/{name}/images": "the SHA-256 of its bytes",
    "/blobs": "the SHA-256 of each file",
    "/snapshots": "the SHA-256 of its files",
    "/snapshots/missing": "it only asks",
}
# Their answers hold a password link, which is stored nowhere.
SECRETS = {"/members", "/members/{user}/link"}
PARAMETER: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Any text of your own: sent again with it, the change is made once",
    "schema": {"type": "string", "pattern": KEY.pattern, "minLength": 1, "maxLength": 255},
}

Operation = Callable[..., Any]


class UnderWay(Exception):
    """The first request with this key has not been answered yet."""

    def __init__(self) -> None:
        super().__init__("A request with this key is under way. Send the same again in a moment.")


def takes_key(method: str, path: str) -> bool:
    """Whether the operation keeps its answers; `path` as in the OpenAPI document."""
    below = path.partition("{workspace}")[2]
    return method.upper() == "POST" and below not in OWN_IDS and below not in SECRETS


def with_key(operation: Operation) -> Operation:
    """The operation, which makes a change once for all requests with one key."""

    @wraps(operation)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None or request.method != "POST":
            return operation(request, *args, **kwargs)
        change = partial(operation, request, *args, **kwargs)
        return _once(request, key, kwargs.get("workspace", ""), change)

    return wrapped


def _once(request: HttpRequest, key: str, workspace: str, change: Callable[[], Any]) -> Any:
    path = _documented_path(request)
    if path in OWN_IDS:
        return change()
    room = workspace_of(request, workspace) if workspace else None
    if not KEY.fullmatch(key):
        raise Invalid(HEADER, "A key has 1 to 255 characters, all of them printable ASCII.")
    if path in SECRETS:
        raise Invalid(HEADER, "This answer holds a secret and is not kept. Send it without a key.")
    actor = actor_of(request)
    if actor.user is None or actor.scope == Scope.READ:
        return change()
    # The token of a run may read less than its person: it gets answers of its own alone.
    address = digest_of("POST", request.path, actor.run_uid)
    body = digest_of(request.META.get("QUERY_STRING", ""), request.body)
    asked = Asked(actor.user, room, key, address, body)
    with in_turn():
        if not asked.is_mine():
            raise UnderWay
        found = asked.find()
        if found is not None:
            return _again(found, asked)
        answer: HttpResponse = change()
        if 200 <= answer.status_code < 300:
            asked.keep(answer.status_code, _without_secrets(answer.content))
        return answer


def _documented_path(request: HttpRequest) -> str:
    """The path below the workspace as in the OpenAPI document."""
    route = request.resolver_match.route if request.resolver_match else ""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).partition("{workspace}")[2]


def _again(found: KeptAnswer, asked: Asked) -> HttpResponse:
    if found.body != asked.body:
        raise Invalid(HEADER, "This key came with another body before. Take a new one.")
    answer = HttpResponse(found.answer, status=found.code, content_type="application/json")
    answer[REPLAYED] = "true"
    return answer


def _without_secrets(content: bytes) -> str:
    """The answer as it is kept: addresses and secrets of webhooks stand with their rule alone."""
    told = json.loads(content)
    for address in told.get("addresses", ()):
        address |= {"url": None, "secret": None}
    return json.dumps(told)
