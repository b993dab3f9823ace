"""What every address of the protocol passes: sign-in, workspace, arguments, shape of answers."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from studio.accounts.limits import LimitReached
from studio.accounts.permissions import Actor
from studio.accounts.tries import TRIES_WINDOW_S
from studio.artifacts.bodies import drain
from studio.mlflow_api.access import actor_of, room_of
from studio.mlflow_api.answers import as_json
from studio.mlflow_api.asked import Asked, arguments_of
from studio.mlflow_api.errors import answer_to, refusal

logger = logging.getLogger(__name__)
# Who may use most addresses: whoever has a token.
TOKEN = "token"
# Of a body that was refused unread, so much is read and dropped; beyond it the connection ends.
DRAINED_BYTES = 256 * 1024 * 1024
Handler = Callable[..., Mapping[str, Any] | HttpResponseBase]
View = Callable[..., HttpResponseBase]


def endpoint(*, reads_body: bool = True, **handlers: Handler) -> View:
    """The view of one address: `handlers` by method, each called with an `Asked` and the parts of
    the address; `reads_body` False leaves the body to the handler, as a stream.

    Exempt from CSRF: no browser sends a token by itself, and cookies are not looked at.
    """

    @csrf_exempt
    def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        handler = handlers.get(request.method or "")
        if handler is None:
            return _nothing_here(request)
        answer = answered(request, lambda: _entered(request, handler, parts, reads_body))
        if not reads_body and answer.status_code >= 400:
            drain(request, most_bytes=DRAINED_BYTES)
        return answer

    return _governed(view, TOKEN)


def _entered(
    request: HttpRequest, handler: Handler, parts: Mapping[str, Any], reads_body: bool
) -> Mapping[str, Any] | HttpResponseBase:
    room, actor = room_of(request, actor_of(request))
    arguments = arguments_of(request) if reads_body or request.method == "GET" else {}
    return handler(Asked(request, actor, room, arguments), **parts)


def hot(handler: Callable[[HttpRequest, Actor], Mapping[str, Any] | HttpResponseBase]) -> View:
    """The view of a POST that clients make a thousand times: signed in, in no workspace yet, so
    that the handler finds run, workspace and role with one question."""

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return _nothing_here(request)
        return answered(request, lambda: handler(request, actor_of(request)))

    return _governed(view, TOKEN)


def signed_in(handler: Callable[..., Mapping[str, Any] | HttpResponseBase]) -> View:
    """The view of a GET about no workspace in particular: `handler` gets the request, who asks and
    the parts of the address."""

    @csrf_exempt
    def view(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        if request.method != "GET":
            return _nothing_here(request)
        return answered(request, lambda: handler(request, actor_of(request), **parts))

    return _governed(view, TOKEN)


def answered(
    request: HttpRequest, work: Callable[[], Mapping[str, Any] | HttpResponseBase]
) -> HttpResponseBase:
    """What `work` finds as an answer, or its refusal."""
    try:
        found = work()
    except Exception as problem:
        answer = answer_to(problem)
        if answer is None:
            logger.exception("fault in the MLflow protocol path=%s", request.path)
            return refusal("INTERNAL_ERROR", "The studio failed; its log says why.")
        if answer.status_code == 401:
            answer["WWW-Authenticate"] = 'Basic realm="studio"'
        elif answer.status_code == 429:
            wait = problem.retry_after_s if isinstance(problem, LimitReached) else TRIES_WINDOW_S
            answer["Retry-After"] = str(wait)
        return answer
    return found if isinstance(found, HttpResponseBase) else as_json(found)


def open_to_all(why: str) -> Callable[[Callable[[HttpRequest], HttpResponse]], View]:
    """A view that answers GET without sign-in; `why` that is right."""

    def wrap(handler: Callable[[HttpRequest], HttpResponse]) -> View:
        @csrf_exempt
        @wraps(handler)
        def view(request: HttpRequest) -> HttpResponseBase:
            return handler(request) if request.method in ("GET", "HEAD") else _nothing_here(request)

        return _governed(view, why)

    return wrap


def _governed(view: View, policy: str) -> View:
    """The view with who may use it, for the test that asks every address."""
    setattr(view, "mlflow_policy", policy)  # noqa: B010
    return view


def _nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    return refusal(
        "ENDPOINT_NOT_FOUND",
        f"The studio does not serve {request.method} {request.path[:200]}: see docs/mlflow.md.",
    )


def _not_served(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What MLflow has and the studio has not. Not a 5xx that clients would repeat: 501 is none."""
    return refusal(
        "NOT_IMPLEMENTED",
        "The studio serves MLflow's tracking (experiments, runs, artifacts, logged models), not "
        "its model registry, traces or jobs.",
    )


nothing_here = _governed(csrf_exempt(_nothing_here), "it only says that there is nothing")
not_served = _governed(csrf_exempt(_not_served), "it only says that there is nothing")
