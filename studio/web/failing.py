"""What people see when a request fails: a page that says whether to try again, and the reference
under which the server's log tells more."""

import logging
import secrets
import sys

from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from studio.blobs import StoreAway
from studio.queries.patience import TOO_LONG, took_too_long
from studio.web.missing import not_found

logger = logging.getLogger(__name__)

RETRY_AFTER_S = "2"
DATABASE = "The database is busy or does not answer."
REASON = "X-Studio-Reason"
STORAGE = "The storage of files does not answer."


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for what no view caught (0 queries): 503 for what passes, 404 for names that
    no database holds, else 500."""
    problem = sys.exc_info()[1]
    if isinstance(problem, StoreAway):
        return _away(request, STORAGE, problem)
    if isinstance(problem, OperationalError | InterfaceError) and "no such" not in str(problem):
        is_slow = took_too_long(problem)
        return _away(request, TOO_LONG if is_slow else DATABASE, problem, is_slow=is_slow)
    if isinstance(problem, DataError) and "NUL" in str(problem):
        # PostgreSQL has none in texts: what is named with one is not there.
        return not_found(request, problem)
    reference = secrets.token_hex(4)
    logger.error("failed reference=%s method=%s path=%s", reference, request.method, request.path)
    html = render_to_string("500.html", {"reference": reference})
    return HttpResponse(html, status=500)


def _away(
    request: HttpRequest, what: str, problem: BaseException, *, is_slow: bool = False
) -> HttpResponse:
    logger.warning("not available path=%s because=%s", request.path, problem)
    address = request.get_full_path() if request.method == "GET" else "/"
    html = render_to_string("503.html", {"what": what, "address": address, "is_slow": is_slow})
    answer = HttpResponse(html, status=503)
    answer["Retry-After"] = RETRY_AFTER_S
    if is_slow:
        # For parts of pages, whose failure is a toast: its usual words would be to try again.
        answer[REASON] = what
    return answer
