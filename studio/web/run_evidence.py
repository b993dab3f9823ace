"""“What is known” of a run that did not end by itself, or that is silent: its evidence in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studio.runs.models import Run
from studio.web.formats import duration, number, size

ENDED_BY = {
    "person": "{name}, by a cancel",
    "system": "The studio: {name}",
    "kernel": "The kernel, because memory ran out",
    "worker": "The worker, which was shut down",
    "outside": "Somebody or something outside the studio",
    "script": "Itself, by a crash ({name})",
}
OUT_OF_MEMORY = {
    "proven": "Yes, proven: the kernel ended the process for want of memory",
    "perhaps": "Perhaps: the kernel gives no proof",
    "no": "No: the kernel ended nothing for want of memory then",
}
STEPS = {
    "interrupting": "Interrupted (SIGINT)",
    "terminating": "Terminated (SIGTERM)",
    "killing": "Killed (SIGKILL)",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: its text, when it was, whether it is a piece of a log, whether seconds matter."""

    label: str
    text: str = ""
    at: datetime | None = None
    is_log: bool = False
    is_exact: bool = False


def known_of(run: Run) -> list[Fact]:
    """The facts of the panel; none when the script ended by itself."""
    known = run.evidence
    if not isinstance(known, dict):
        return []
    facts = [
        _ended_by(run, known),
        _plain("Out of memory", OUT_OF_MEMORY.get(known.get("out_of_memory") or "")),
        _memory(known.get("memory") or {}),
        _exit(known),
        *_steps(known),
        _heartbeat(known.get("last_heartbeat")),
        _metric(known.get("last_metric")),
        _log_line(known.get("last_log_line")),
        _worker(known.get("worker") or {}),
    ]
    return [fact for fact in facts if fact is not None]


def is_by_person(run: Run) -> bool:
    """Whether a person ended it: then the panel is folded, since nobody wonders."""
    known = run.evidence if isinstance(run.evidence, dict) else {}
    return (known.get("ended_by") or {}).get("kind") == "person"


def _plain(label: str, text: str | None) -> Fact | None:
    return Fact(label, text) if text else None


def _ended_by(run: Run, known: dict[str, Any]) -> Fact | None:
    if not run.is_terminal:
        return None
    by = known.get("ended_by") or {}
    words = ENDED_BY.get(str(by.get("kind")), "Nobody knows: it was given up")
    return Fact("Ended by", words.replace("{name}", str(by.get("name") or "")))


def _memory(memory: dict[str, Any]) -> Fact | None:
    peak, limit = memory.get("peak_bytes"), memory.get("limit_bytes")
    if not peak:
        return None
    return Fact(
        "Memory", f"{size(peak)} at most" + (f", of {size(limit)} allowed" if limit else "")
    )


def _exit(known: dict[str, Any]) -> Fact | None:
    if known.get("exit_signal"):
        return Fact("Exit", f"By the signal {known['exit_signal']}")
    code = known.get("exit_code")
    return None if code is None else Fact("Exit", f"Exit code {code}")


def _steps(known: dict[str, Any]) -> list[Fact]:
    found = [
        Fact(
            "Step",
            STEPS.get(str(step.get("step")), str(step.get("step"))),
            _moment(step["at"]),
            is_exact=True,
        )
        for step in known.get("ladder") or ()
    ]
    if found and known.get("ladder_s") is not None:
        found.append(Fact("All of it took", duration(known["ladder_s"])))
    return found


def _heartbeat(at: Any) -> Fact:
    return Fact("Last heartbeat", "" if at else "None", _moment(at))


def _metric(metric: dict[str, Any] | None) -> Fact | None:
    if not metric:
        return None
    value = metric.get("value")
    shown = number(value) if isinstance(value, int | float) else str(value or "")
    step = "" if metric.get("step") is None else f" at step {metric['step']:,}"
    return Fact("Last metric", f"{metric.get('name')} {shown}{step}", _moment(metric.get("at")))


def _log_line(line: dict[str, Any] | None) -> Fact | None:
    if not line:
        return None
    return Fact("Last line of the log", str(line.get("text")), _moment(line.get("at")), True)


def _worker(worker: dict[str, Any]) -> Fact | None:
    if not worker:
        return None
    host = f" on {worker['host']}" if worker.get("host") else ""
    return Fact("Worker", f"{worker.get('node')}{host}, target {worker.get('target')}")


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
