"""What supervisors and monitoring read: `/readyz` and `/metrics`."""

import os
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseNotAllowed
from prometheus_client import CONTENT_TYPE_LATEST

from studio.accounts.actions import find_token
from studio.operations.gauges import exposition
from studio.operations.readiness import ASKS, OK, readiness

READS = ("GET", "HEAD")


def readyz(request: HttpRequest) -> HttpResponse:
    """Each part of the studio, "ok" or a sentence; 503 when one of them is not ok. `?only=` names
    the parts that count, with commas: a web server can do without workers for a while."""
    if request.method not in READS:
        return HttpResponseNotAllowed(READS)
    only = [name for name in request.GET.get("only", "").split(",") if name]
    if unknown := set(only) - ASKS.keys():
        known = ", ".join(ASKS)
        text = f"{len(unknown)} of these are no parts of the studio; there are {known}."
        return JsonResponse({"error": text}, status=400)
    told = readiness(only)
    return JsonResponse(told, status=200 if all(one == OK for one in told.values()) else 503)


readyz.studio_policy = "public: a supervisor asks without an account, and it tells of nobody"  # type: ignore[attr-defined]


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text, for who has the token of the setting, or one of an instance admin."""
    if request.method not in READS:
        return HttpResponseNotAllowed(READS)
    if not may_measure(request.headers.get("Authorization", "")):
        text = "Send Authorization: Bearer with STUDIO_METRICS_TOKEN or a token of an admin.\n"
        refusal = HttpResponse(text, status=401, content_type="text/plain; charset=utf-8")
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    return HttpResponse(exposition(shared_folder=folder), content_type=CONTENT_TYPE_LATEST)


metrics.studio_policy = "public: it asks for a token itself, one that need not be a person's"  # type: ignore[attr-defined]


def may_measure(header: str) -> bool:
    """Whether the header holds the setting's token, or one of an instance admin that is not bound
    to a workspace or a run (at most 1 query and 1 for the token's last use)."""
    kind, _, given = header.partition(" ")
    given = given.strip()
    if kind.lower() != "bearer" or not given:
        return False
    wanted = settings.METRICS_TOKEN
    if wanted and secrets.compare_digest(given.encode(), wanted.encode()):
        return True
    found = find_token(given)
    if found is None or found.run_uid or found.workspace_id is not None:
        return False
    return found.user.is_superuser
