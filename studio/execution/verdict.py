"""What the end of a process says about its run. Pure."""

import re
import signal
from dataclasses import dataclass, field

from studio.execution.ladder import NO_LADDER, Ladder, what_it_took
from studio.execution.memory import NO, PERHAPS, PROVEN, UNKNOWN, Memory, out_of_memory
from studio.runs.status import Status

# A traceback is cut to this; more does not help anybody on a page.
MAX_TAIL = 20_000
SAID_FAILED = "The script told of an error, and ended with exit code 0"
HINTS = {
    "": "",
    PERHAPS: ", perhaps because memory ran out",
    NO: " from outside, not for want of memory",
}


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
    ladder: Ladder = NO_LADDER
    memory: Memory = UNKNOWN

    @property
    def was_asked(self) -> bool:
        """Whether the studio ended the process, for whatever reason."""
        return bool(self.ladder.steps) or self.was_cancelled or self.stopped_by_worker

    @property
    def out_of_memory(self) -> str:
        """As `execution.memory.out_of_memory` says."""
        return out_of_memory(
            self.memory,
            exit_code=self.exit_code,
            exit_signal=self.exit_signal,
            was_asked=self.was_asked,
        )

    @property
    def is_its_own(self) -> bool:
        """Whether the script ended by itself, or was never started."""
        never_started = bool(self.could_not_start or self.no_environment)
        told = self.exit_code is not None or never_started
        asked = self.was_asked or self.timed_out_after_s is not None or bool(self.lost)
        return told and not asked and not self.out_of_memory


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
    error = verdict.error or known_error
    error = error and {key: storable(text) for key, text in error.items()}
    return Verdict(verdict.status, storable(verdict.reason), error)


def storable(text: str) -> str:
    """Text without what a database refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _judge(ending: Ending, known_error: dict[str, str] | None) -> Verdict:
    if ending.could_not_start:
        text = f"The script could not be started: {ending.could_not_start}"
        return Verdict(Status.FAILED, text, _error("CouldNotStart", text))
    if ending.timed_out_after_s is not None:
        limit = f"Stopped after its longest run time, {ending.timed_out_after_s:g} s"
        return Verdict(Status.CANCELED, joined(limit, what_it_took(ending.ladder)))
    if ending.stopped_by_worker:
        return Verdict(Status.CANCELED, "The worker was shut down while the run was going")
    if ending.was_cancelled:
        return Verdict(Status.CANCELED, what_it_took(ending.ladder) or how_it_died(ending))
    if ending.no_environment:
        text = f"The environment could not be made: {ending.no_environment}"
        last_lines = "\n".join(ending.log_tail.strip().splitlines()[-20:])
        error = _error("EnvironmentFailed", text) | {"traceback": last_lines[-MAX_TAIL:]}
        return Verdict(Status.FAILED, text, error)
    if ending.lost:
        return Verdict(Status.FAILED, ending.lost, known_error or _error("Lost", ending.lost))
    if ending.exit_code == 0:
        return Verdict(Status.COMPLETED, SAID_FAILED if known_error else "")
    reason = how_it_died(ending)
    error = traceback_error(ending.log_tail, reason)
    if ending.out_of_memory == PROVEN:
        error |= {"code": "OutOfMemory", "message": reason}
        return Verdict(Status.FAILED, reason, error)
    return Verdict(Status.FAILED, reason, known_error or error)


def joined(*sentences: str) -> str:
    """Parts of one sentence, the later ones without their capital."""
    said = [one for one in sentences if one]
    return "; ".join([*said[:1], *(one[0].lower() + one[1:] for one in said[1:])])


def how_it_died(ending: Ending) -> str:
    memory = ending.out_of_memory
    if ending.exit_signal:
        name = signal_name(ending.exit_signal)
        if memory == PROVEN:
            return f"Out of memory: the kernel ended the process ({name})"
        return f"The process was ended by {name}{HINTS[memory]}"
    if ending.exit_code is None:
        return ""
    hint = HINTS[memory] if memory == PERHAPS else ""
    return f"The process ended with exit code {ending.exit_code}{hint}"


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
