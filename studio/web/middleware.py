"""Headers that every answer carries: a strict content policy, and no caching of personal pages."""

from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

from studio.accounts.session_store import SEEN
from studio.web.signing import note_source

# How exactly “last seen” of a session is kept.
SEEN_EVERY_S = 300

# A smaller answer fits in one or two packets anyway.
MIN_COMPRESSED_BYTES = 2_000
# Asked every second while a log grows: what arrives is small, and time is what counts.
NEVER_COMPRESSED = frozenset({"run-log-lines"})

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


class SecurityHeadersMiddleware:
    """Sets the content policy and `Cache-Control: private, no-store` where a view set none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=()"
        )
        return response


class SeenSessionMiddleware:
    """Notes in a session that was asked for when, from where and with what it was last used, to
    SEEN_EVERY_S: so it costs no query on most requests, and an idle one runs out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = request.session
        if session.accessed and SESSION_KEY in session:
            now = timezone.now().timestamp()
            if now - session.get(SEEN, now) > SEEN_EVERY_S:
                note_source(request)
                session[SEEN] = now
        return response


class CompressPagesMiddleware(GZipMiddleware):
    """Compresses whole HTML pages and parts, nothing else: no download, no stream, no API answer.

    Django adds up to 100 random bytes and masks the CSRF token anew each time, so the length of a
    page tells nothing about its secrets (BREACH).
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        match = request.resolver_match
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if not is_page or response.streaming or (match and match.url_name in NEVER_COMPRESSED):
            return response
        if len(getattr(response, "content", b"")) < MIN_COMPRESSED_BYTES:
            return response
        return super().process_response(request, response)
