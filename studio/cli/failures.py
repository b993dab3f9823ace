"""What went wrong as one line and an exit code.

0 done; 1 refused or not found; 2 used wrongly; 3 no answer from the studio; 4 the run failed (when
its log was followed); 130 interrupted.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from studio.cli.output import one_line

if TYPE_CHECKING:
    from studio.sdk.errors import ServiceException

REFUSED, USAGE, UNREACHABLE, RUN_FAILED, INTERRUPTED = 1, 2, 3, 4, 130


class Failure(Exception):
    """The end of a command: `code` is its exit code, the text one line that says what to do."""

    def __init__(self, text: str, code: int = REFUSED) -> None:
        super().__init__(text)
        self.code = code


def told(problem: BaseException) -> tuple[int, str]:
    """(exit code, one line) for whatever ended a command."""
    if isinstance(problem, Failure):
        return problem.code, one_line(str(problem))
    if isinstance(problem, click.Abort | KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(problem, click.UsageError):
        path = problem.ctx.command_path if problem.ctx else "studio"
        return USAGE, one_line(f"{problem.format_message().rstrip('.')}. See: {path} --help")
    if isinstance(problem, click.ClickException):
        return problem.exit_code, one_line(problem.format_message())
    return _of_the_sdk(problem)


def _of_the_sdk(problem: BaseException) -> tuple[int, str]:
    from studio.sdk import errors

    if isinstance(problem, errors.ConnectionFailedException):
        where = "Is it running, and is this its address (see --url, STUDIO_URL)?"
        return UNREACHABLE, one_line(f"{problem}. {where}")
    refusal = problem.__cause__ if isinstance(problem, errors.SnapshotException) else problem
    if isinstance(refusal, errors.ServiceException) and refusal.status_code < 409:
        return _of_the_studio(refusal)
    if isinstance(problem, errors.ServiceException):
        return _of_the_studio(problem)
    if isinstance(problem, errors.StudioError | OSError):
        return REFUSED, one_line(str(problem))
    if os.environ.get("STUDIO_TRACEBACK") == "1":
        raise problem
    what = f"{type(problem).__name__}: {problem}"
    return REFUSED, one_line(
        f"this is a defect of the command line: {what} (STUDIO_TRACEBACK=1 says where)"
    )


def _of_the_studio(problem: ServiceException) -> tuple[int, str]:
    """A refusal in the studio's own words, with what to do about it."""
    from studio.sdk import errors

    text = problem.message
    if problem.status_code in (502, 503, 504):
        return UNREACHABLE, one_line(f"{text} Try again in a moment.")
    if example := problem.extra.get("example"):
        text += f" For example: {example}"
    if isinstance(problem, errors.AuthenticationException):
        text = "The token is missing, wrong, expired or revoked. Log in: studio login URL"
    elif isinstance(problem, errors.ForbiddenException):
        text += " See what you may do: studio whoami"
    elif isinstance(problem, errors.NotFoundException):
        text += _where_to_look(text)
    return REFUSED, one_line(text)


def _where_to_look(text: str) -> str:
    kinds = {"no run": "studio run list", "no experiment": "studio experiment list"}
    kinds["no workspace"] = "studio whoami"
    return next((f" See what there is: {do}" for kind, do in kinds.items() if kind in text), "")
