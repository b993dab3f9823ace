"""The exceptions of the SDK: one tree under `StudioError`, names as in the original."""

from __future__ import annotations

from typing import Any


class StudioError(Exception):
    """Base of everything the SDK raises, except RunCanceled."""


class UserErrorException(StudioError):
    """A call was used wrongly; the text says how to do it right."""


class RunEnvironmentException(StudioError):
    """There is no submitted run around this process."""


class ExperimentExecutionException(StudioError):
    """A run could not be submitted or waited for."""


class SnapshotException(StudioError):
    """The source folder could not be stored, or a stored one not be restored."""


class WorkspaceException(UserErrorException):
    """No workspace is configured, or it does not exist."""


class RunConfigurationException(UserErrorException):
    """A run configuration is wrong."""


class ModelPathNotFoundException(UserErrorException):
    """A model path is not among the uploaded files."""


class ConnectionFailedException(StudioError):
    """The studio could not be reached within the time allowed for retries."""


class ActivityFailedException(StudioError):
    """A run that was waited for has failed.

    `error` is its error {code, message, traceback}, `error_details` the run's whole record.
    """

    def __init__(self, message: str, error_details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.error_details = error_details or {}
        self.error: dict[str, Any] = self.error_details.get("error") or {}


class ServiceException(StudioError):
    """The studio refused a request: `status_code`, `code`, `message`, and `extra` fields."""

    def __init__(self, status_code: int, error: dict[str, Any]) -> None:
        self.status_code = status_code
        self.code = str(error.get("code", "error"))
        self.message = str(error.get("message", f"HTTP {status_code}"))
        self.extra = {key: value for key, value in error.items() if key not in ("code", "message")}
        where = f" ({self.extra['field']})" if self.extra.get("field") else ""
        super().__init__(f"{self.message}{where} [{self.code}]")


class AuthenticationException(ServiceException):
    """The token is missing, wrong or expired."""


class ForbiddenException(ServiceException):
    """The token's role or scope does not allow this."""


class NotFoundException(ServiceException):
    """No such object in this workspace."""


class ConflictException(ServiceException):
    """The request contradicts what is stored."""


class PropertyConflictException(ConflictException):
    """A property exists with another value; properties are write-once."""


class InvalidTransitionException(ConflictException):
    """The run's status does not allow this."""


class LogGapException(ConflictException):
    """A piece of log was sent beyond the end of what is stored; `extra["size"]` is the end."""


class InvalidRequestException(ServiceException):
    """A value has the wrong type, length or form."""


class StorageFullException(ServiceException):
    """The studio's disk is full."""


class UnavailableException(ServiceException):
    """The studio is busy, limits the rate, or is restarting."""


class RunCanceled(BaseException):
    """Somebody cancelled this run; raised in the main thread of the training process.

    Not an Exception on purpose: `except Exception` around a training step must not swallow it.
    `by`, `reason` and `at` (ISO 8601) tell who, why and when, where known.
    """

    def __init__(self, by: str = "", reason: str = "", at: str = "") -> None:
        self.by, self.reason, self.at = by or "", reason or "", at or ""
        because = f": {self.reason}" if self.reason else ""
        super().__init__(f"the run was canceled by {self.by or 'somebody'}{because}")


AzureMLException = StudioError

_BY_CODE: dict[str, type[ServiceException]] = {
    "property_conflict": PropertyConflictException,
    "invalid_transition": InvalidTransitionException,
    "log_gap": LogGapException,
}
_BY_STATUS: dict[int, type[ServiceException]] = {
    400: InvalidRequestException,
    401: AuthenticationException,
    403: ForbiddenException,
    404: NotFoundException,
    409: ConflictException,
    413: InvalidRequestException,
    415: InvalidRequestException,
    422: InvalidRequestException,
    429: UnavailableException,
    503: UnavailableException,
    507: StorageFullException,
}


def service_error(status_code: int, answer: Any) -> ServiceException:
    """The exception for an error answer; unknown codes and shapes become ServiceException."""
    error = answer.get("error") if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {"message": f"the studio answered {status_code}"}
    kind = _BY_CODE.get(str(error.get("code"))) or _BY_STATUS.get(status_code, ServiceException)
    return kind(status_code, error)
