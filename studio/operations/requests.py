"""Around every request: its id, what it counts for, and its line in the log."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware

from studio import counters, logbook

logger = logging.getLogger("studio.access")

# What supervisors, load balancers and monitoring read.
WATCHED = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestMiddleware:
    """Gives the request an id, which the answer and all lines of the log carry; counts it; with
    STUDIO_LOG_FORMAT=json writes a line about it. First of all middleware: it sees every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.writes_lines = settings.LOG_FORMAT == "json"

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        name = logbook.request_id(request.headers.get("X-Request-Id", ""))
        # Until this thread's next request: Django writes of a refusal when this is long over, and
        # a stream is sent later still.
        logbook.begin_request(name)
        answer = self.get_response(request)
        answer["X-Request-Id"] = name
        took_s = time.perf_counter() - began
        counters.count_request(request.method or "", answer.status_code, took_s)
        if self.writes_lines:
            write_line(request, answer, took_s)
        return answer

    def process_view(
        self, request: HttpRequest, view: object, args: Any, kwargs: dict[str, Any]
    ) -> None:
        """The run that the address names, in pages and in the API."""
        if "/runs/" in request.path:
            logbook.note_run(str(kwargs.get("uid", "")))


class HostMiddleware(CommonMiddleware):
    """Refuses names of hosts that the settings do not list, except from who watches: a load
    balancer asks each machine by its own name or number. Those answers hold no address."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        return None if request.path_info in WATCHED else super().process_request(request)


def write_line(request: HttpRequest, answer: HttpResponseBase, took_s: float) -> None:
    """One line about an answer. By the pattern of its address: addresses themselves hold the names
    of people and links that sign somebody in."""
    route = request.resolver_match.route if request.resolver_match else ""
    fields = {
        "method": logbook.told(request.method or "")[:20],
        "route": route,
        "status": answer.status_code,
        "ms": round(took_s * 1000, 1),
        "bytes": None if answer.streaming else len(getattr(answer, "content", b"")),
    }
    text = "%(method)s /%(route)s %(status)s"
    logger.info(text, fields, extra={"fields": fields})
