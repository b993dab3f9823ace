"""Every refusal in one shape: {"error": {"code", "message", …}}."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from studio.accounts.limits import LimitReached
from studio.accounts.members import LastOwner, Taken, WrongMember
from studio.accounts.new_workspaces import WrongWorkspace
from studio.accounts.permissions import NotAllowed
from studio.api.access import NotFound
from studio.api.body import BadRequest, UnsupportedMediaType
from studio.api.repeating import UnderWay
from studio.artifacts.actions import TooLarge
from studio.artifacts.bodies import BadUpload
from studio.artifacts.find_slots import TooManyFinds
from studio.artifacts.snapshots import MissingBlobs
from studio.blobs import DigestMismatch, LogGap, StorageFull, StoreAway
from studio.bulk.undoing import CannotUndo
from studio.compute.actions import UnknownTarget
from studio.compute.targets import TargetInUse, TargetTaken, WrongTarget
from studio.custom_views.actions import ViewConflict
from studio.queries.patience import TOO_LONG, took_too_long
from studio.runs.actions import EditConflict, PropertyConflict, Seen, TagConflict, UidTaken
from studio.runs.actions.experiments import NameTaken
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.limits import Invalid
from studio.search.errors import SearchSyntaxError
from studio.wire import WireError
from studio.wire.bundles import BadBundle
from studio.work.actions import AlreadyUnderWay

logger = logging.getLogger(__name__)
RETRY_AFTER_S = "1"


def error(status: int, code: str, message: str, **extra: Any) -> JsonResponse:
    """The answer to a request that was refused."""
    return JsonResponse({"error": {"code": code, "message": message, **extra}}, status=status)


def invalid(field: str, message: str) -> JsonResponse:
    return error(422, "invalid", message, field=field)


def _plain(status: int, code: str) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, problem: error(status, code, str(problem))


def _property_conflict(request: HttpRequest, problem: PropertyConflict) -> HttpResponse:
    facts = {"key": problem.key, "value": problem.value, "existing": problem.existing}
    return error(409, "property_conflict", str(problem), **facts)


def _edit_conflict(request: HttpRequest, problem: EditConflict) -> HttpResponse:
    current = {"version": problem.current.version, "text": problem.current.text}
    return error(409, "conflict", str(problem), field="description", current=current)


def _tag_conflict(request: HttpRequest, problem: TagConflict) -> HttpResponse:
    """What the writer saw, what is stored and what was asked for; null where there is no tag."""

    def held(seen: Seen) -> dict[str, Any] | None:
        return {"value": seen.value} if seen.is_there else None

    clashes = {
        clash.key: {
            "seen": held(clash.before),
            "current": held(clash.now),
            "asked": held(clash.asked),
            "by": clash.by,
        }
        for clash in problem.clashes
    }
    return error(409, "conflict", str(problem), field="tags", clashes=clashes)


def _bad_search(request: HttpRequest, problem: SearchSyntaxError) -> HttpResponse:
    """A query, order or columns that can't be read: what is wrong, where, and how else."""
    facts = {"position": problem.position, "length": problem.length, "example": problem.example}
    return error(422, "invalid", problem.message, field=problem.field, **facts)


def _log_gap(request: HttpRequest, gap: LogGap) -> HttpResponse:
    text = f"The log has {gap.size_bytes} bytes. Append from there, not at {gap.offset}."
    return error(409, "log_gap", text, size=gap.size_bytes)


def _missing_blobs(request: HttpRequest, problem: MissingBlobs) -> HttpResponse:
    return error(409, "conflict", str(problem), missing=problem.missing)


def _storage_full(request: HttpRequest, problem: StorageFull) -> HttpResponse:
    """The message of the store names its key; people are told what to do instead."""
    logger.error("storage full path=%s key=%s", request.path, problem.key)
    text = "The studio's storage is full; nothing of this was kept. Ask its admin for room, retry."
    return error(507, "storage_full", text)


def _unauthenticated(request: HttpRequest, problem: Any) -> HttpResponse:
    answer = error(
        401,
        "unauthenticated",
        "Send a live token: Authorization: Bearer <token>. Make one on the page “Your account”.",
    )
    answer["WWW-Authenticate"] = "Bearer"
    return answer


def _database_down(request: HttpRequest, problem: OperationalError) -> HttpResponse:
    """Locked, unreachable or full: nothing was stored, and the client may try again."""
    text = str(problem)
    if "no such" in text:
        return _crash(request, problem)
    if "full" in text:
        return error(507, "storage_full", "The studio's disk is full. Ask its admin for room.")
    logger.warning("database unavailable path=%s error=%s", request.path, problem)
    busy = "The database is busy. Send the same request again."
    answer = error(503, "unavailable", TOO_LONG if took_too_long(problem) else busy)
    answer["Retry-After"] = RETRY_AFTER_S
    return answer


def _unstorable(request: HttpRequest, problem: DataError) -> HttpResponse:
    """PostgreSQL has no NUL in texts: what an address or query names with one is not there."""
    if "NUL" not in str(problem):
        return _crash(request, problem)
    return error(400, "bad_request", "The address holds a NUL, which is in no name.")


def _store_away(request: HttpRequest, problem: StoreAway) -> HttpResponse:
    logger.warning("storage unavailable path=%s error=%s", request.path, problem)
    answer = error(503, "unavailable", str(problem))
    answer["Retry-After"] = RETRY_AFTER_S
    return answer


def _limit_reached(request: HttpRequest, problem: LimitReached) -> HttpResponse:
    answer = error(429, "rate_limited", str(problem))
    answer["Retry-After"] = str(problem.retry_after_s)
    return answer


def _http_error(request: HttpRequest, problem: HttpError) -> HttpResponse:
    """What django-ninja itself refuses."""
    codes = {400: "bad_request", 403: "forbidden", 429: "rate_limited"}
    return error(problem.status_code, codes.get(problem.status_code, "error"), str(problem))


def _bad_parameters(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    first = problem.errors[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return invalid(field, f"{field}: {first['msg']}")


def _crash(request: HttpRequest, problem: Exception) -> HttpResponse:
    logger.error("api crashed path=%s", request.path, exc_info=problem)
    return error(500, "internal_error", "The studio failed here; its log says why.")


# It is not as the program thought.
CONFLICTS = (
    LeaseLost,
    UidTaken,
    NameTaken,
    Refused,
    CannotUndo,
    AlreadyUnderWay,
    ViewConflict,
    Taken,
    LastOwner,
    TargetTaken,
    TargetInUse,
    UnderWay,
)


def add_handlers(api: NinjaAPI) -> None:
    """Teach `api` what each exception of the domain becomes."""

    def add(kind: type[Exception], handler: Callable[[HttpRequest, Any], HttpResponse]) -> None:
        api.add_exception_handler(kind, handler)

    for kind, status, code in (
        (BadRequest, 400, "bad_request"),
        (BadUpload, 400, "bad_request"),
        (SuspiciousOperation, 400, "bad_request"),
        (NotAllowed, 403, "forbidden"),
        (NotFound, 404, "not_found"),
        (InvalidTransition, 409, "invalid_transition"),
        (RequestDataTooBig, 413, "too_large"),
        (TooLarge, 413, "too_large"),
        (UnsupportedMediaType, 415, "unsupported_media_type"),
        (TooManyFinds, 429, "rate_limited"),
    ):
        add(kind, _plain(status, code))
    for conflict in CONFLICTS:
        add(conflict, _plain(409, "conflict"))
    add(Http404, lambda request, problem: error(404, "not_found", "There is nothing here."))
    for wrong in (Invalid, WrongMember, WrongWorkspace, WrongTarget, BadBundle):
        add(wrong, lambda request, problem: invalid(problem.field, str(problem)))
    add(WireError, lambda request, problem: invalid(problem.path, str(problem)))
    add(UnknownTarget, lambda request, problem: invalid("submit.target", str(problem)))
    add(SearchSyntaxError, _bad_search)
    add(DigestMismatch, lambda request, problem: invalid("digest", str(problem)))
    add(LogGap, _log_gap)
    add(MissingBlobs, _missing_blobs)
    add(StorageFull, _storage_full)
    add(StoreAway, _store_away)
    add(PropertyConflict, _property_conflict)
    add(EditConflict, _edit_conflict)
    add(TagConflict, _tag_conflict)
    add(LimitReached, _limit_reached)
    add(AuthenticationError, _unauthenticated)
    add(ValidationError, _bad_parameters)
    add(HttpError, _http_error)
    add(OperationalError, _database_down)
    add(DataError, _unstorable)
    add(Exception, _crash)
