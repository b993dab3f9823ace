"""Refusals as MLflow clients read them: {"error_code": NAME, "message": TEXT} and its status.

A client tries 408, 429 and 5xx again for minutes, so no mistake of its own is ever one of them.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import HttpResponse

from studio.accounts.limits import LimitReached
from studio.accounts.permissions import NotAllowed
from studio.artifacts.actions import TooLarge
from studio.artifacts.bodies import BadUpload
from studio.artifacts.listing import FolderTooLarge
from studio.blobs import DigestMismatch, StorageFull, StoreAway
from studio.lineage.checks import NoSuchModel
from studio.mlflow_api.answers import as_json
from studio.queries.patience import TOO_LONG, took_too_long
from studio.runs.actions.experiments import NameTaken
from studio.runs.history import Refused
from studio.runs.lifecycle import InvalidTransition, LeaseLost
from studio.runs.limits import Invalid

logger = logging.getLogger(__name__)

MISSING = "RESOURCE_DOES_NOT_EXIST"
WRONG = "INVALID_PARAMETER_VALUE"
TAKEN = "RESOURCE_ALREADY_EXISTS"
STATUS = {
    MISSING: 404,
    WRONG: 400,
    TAKEN: 400,
    "BAD_REQUEST": 400,
    "INVALID_STATE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "ENDPOINT_NOT_FOUND": 404,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
RETRY_AFTER_S = "1"


class MlflowError(Exception):
    """A refusal with the code that the client makes its exception of."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def missing(what: str) -> MlflowError:
    return MlflowError(MISSING, what)


def wrong(message: str) -> MlflowError:
    return MlflowError(WRONG, message)


def refusal(code: str, message: str) -> HttpResponse:
    """The answer to a request that was refused."""
    answer = as_json({"error_code": code, "message": message})
    answer.status_code = STATUS[code]
    return answer


def _as(code: str) -> Callable[[Any], HttpResponse]:
    return lambda problem: refusal(code, str(problem))


def _locked(problem: OperationalError) -> HttpResponse:
    busy = "The database is busy; the request may be repeated."
    said = TOO_LONG if took_too_long(problem) else busy
    answer = refusal("TEMPORARILY_UNAVAILABLE", said)
    answer["Retry-After"] = RETRY_AFTER_S
    logger.warning("database not available: %s", problem)
    return answer


# From the most to the least particular: the first that fits answers.
ANSWERS: tuple[tuple[type[Exception], Callable[[Any], HttpResponse]], ...] = (
    (MlflowError, lambda problem: refusal(problem.code, str(problem))),
    (LimitReached, _as("REQUEST_LIMIT_EXCEEDED")),
    (NotAllowed, _as("PERMISSION_DENIED")),
    (NoSuchModel, _as(MISSING)),
    (Invalid, _as(WRONG)),
    (NameTaken, _as(TAKEN)),
    (InvalidTransition, _as("INVALID_STATE")),
    (Refused, _as("INVALID_STATE")),
    (LeaseLost, _as("INVALID_STATE")),
    (TooLarge, _as(WRONG)),
    (FolderTooLarge, _as(WRONG)),
    (BadUpload, _as("BAD_REQUEST")),
    (DigestMismatch, _as("BAD_REQUEST")),
    (StorageFull, _as("TEMPORARILY_UNAVAILABLE")),
    (StoreAway, _as("TEMPORARILY_UNAVAILABLE")),
    (RequestDataTooBig, _as(WRONG)),
    (SuspiciousOperation, _as("BAD_REQUEST")),
    (OperationalError, _locked),
)


def answer_to(problem: Exception) -> HttpResponse | None:
    """The refusal that `problem` stands for; None for a fault of the studio's own."""
    if isinstance(problem, DataError) and "NUL" in str(problem):
        # PostgreSQL has none in texts: what is named with one is not there.
        return refusal(WRONG, "The request holds a NUL, which is in no name.")
    for kind, answer in ANSWERS:
        if isinstance(problem, kind):
            return answer(problem)
    return None
