"""What the end of a process says about its run. Pure."""

import re
import signal
from dataclasses import dataclass, field

from studio.runs.status import Status

# A traceback is cut to this; more does not help anybody on a page.
MAX_TAIL = 20_000


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process tree ended, as far as is known.

    `lost` says in words what kept the script from ending by itself, when nobody asked for it (the
    guard or the worker was killed).
    """

    exit_code: int | None = None
    exit_signal: int | None = None
    was_cancelled: bool = False
    timed_out_after_s: float | None = None
    could_not_start: str = ""
    no_environment: str = ""
    lost: str = ""
    stopped_by_worker: bool = False
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    reason: str = ""
    error: dict[str, str] | None = field(default=None)


def judge(ending: Ending, *, known_error: dict[str, str] | None = None) -> Verdict:
    """The terminal status of a run, why, and its error; an error the script told of is kept.

    All texts can be stored, whatever bytes the script wrote.
    """
    verdict = _judge(ending, known_error)
    error = verdict.error and {key: storable(text) for key, text in verdict.error.items()}
    return Verdict(verdict.status, storable(verdict.reason), error)


def storable(text: str) -> str:
    """Text without what a database refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _judge(ending: Ending, known_error: dict[str, str] | None) -> Verdict:
    if ending.could_not_start:
        text = f"The script could not be started: {ending.could_not_start}"
        return Verdict(Status.FAILED, text, _error("CouldNotStart", text))
    if ending.timed_out_after_s is not None:
        return Verdict(
            Status.CANCELED, f"Stopped after its longest run time, {ending.timed_out_after_s:g} s"
        )
    if ending.stopped_by_worker:
        return Verdict(Status.CANCELED, "The worker was shut down while the run was going")
    if ending.was_cancelled:
        return Verdict(Status.CANCELED, how_it_died(ending))
    if ending.no_environment:
        text = f"The environment could not be made: {ending.no_environment}"
        last_lines = "\n".join(ending.log_tail.strip().splitlines()[-20:])
        error = _error("EnvironmentFailed", text) | {"traceback": last_lines[-MAX_TAIL:]}
        return Verdict(Status.FAILED, text, error)
    if ending.lost:
        return Verdict(Status.FAILED, ending.lost, known_error or _error("Lost", ending.lost))
    if ending.exit_code == 0:
        return Verdict(Status.COMPLETED)
    reason = how_it_died(ending)
    return Verdict(Status.FAILED, reason, known_error or traceback_error(ending.log_tail, reason))


def how_it_died(ending: Ending) -> str:
    if ending.exit_signal:
        name = signal_name(ending.exit_signal)
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        told = "" if ending.was_cancelled else hint
        return f"The process was ended by {name}{told}"
    if ending.exit_code is None:
        return ""
    return f"The process ended with exit code {ending.exit_code}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def traceback_error(log_tail: str, reason: str) -> dict[str, str]:
    """The last Python traceback of a log as an error; else its last lines."""
    tail = log_tail[-MAX_TAIL:]
    start = tail.rfind("Traceback (most recent call last)")
    if start < 0:
        last_lines = "\n".join(tail.strip().splitlines()[-20:])
        return {"code": "ExitCode", "message": reason, "traceback": last_lines}
    text = tail[start:].rstrip()
    # The error line is the first one after the header that is not indented.
    found = re.search(r"^(?!Traceback)\S.*$", text, re.MULTILINE)
    message = found.group(0) if found else reason
    code = re.match(r"[\w.]+", message)
    return {
        "code": code.group(0) if code else "Exception",
        "message": message,
        "traceback": text,
    }


def _error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "traceback": ""}
