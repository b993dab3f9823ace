"""What is known of a run that did not end by itself, or that went silent, kept as one JSON value.

{"ended_by": {"kind", "name"}, "last_heartbeat", "last_metric": {"name", "value", "step", "at"},
"last_log_line": {"text", "at"}, "exit_code", "exit_signal", "out_of_memory": "proven", "perhaps",
"no" or "", "memory": {"peak_bytes", "limit_bytes", "n_killed", "scope"}, "worker": {"node", "host",
"target"}, "ladder": [{"step", "at", "after_s"}], "ladder_s"}; what nobody knows is null. Kinds of
who ended it: person, system, kernel, worker, outside, script, nobody.
"""

import signal
from datetime import UTC, datetime
from typing import Any

from django.db.models import F

from studio.artifacts import log_times, logs
from studio.artifacts.actions import find_artifact
from studio.artifacts.models import MAIN_LOG
from studio.artifacts.store import store
from studio.blobs import BlobError
from studio.compute.models import Worker
from studio.execution.memory import PROVEN
from studio.execution.verdict import Ending, signal_name, storable
from studio.metrics.models import Metric
from studio.runs.as_json import iso
from studio.runs.models import Run

LINE_BYTES = 4_000
LINE_CHARS = 500
SYSTEM = "studio ("
# A program brings these on itself.
CRASHES = {
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
}


def evidence_of_ending(run: Run, ending: Ending) -> dict[str, Any] | None:
    """The evidence for the end of a process on a worker; None when the script ended by itself
    (6 queries otherwise)."""
    if ending.is_its_own:
        return None
    memory = ending.memory
    return evidence_of(run) | {
        "ended_by": ended_by(run, ending),
        "exit_code": ending.exit_code,
        "exit_signal": signal_name(ending.exit_signal) if ending.exit_signal else None,
        "out_of_memory": ending.out_of_memory,
        "memory": {
            "peak_bytes": memory.peak_bytes or None,
            "limit_bytes": memory.limit_bytes,
            "n_killed": memory.n_killed,
            "scope": memory.scope,
        },
        "ladder": [
            {
                "step": step,
                "at": _moment(at_s),
                "after_s": round(after_s, 3),
            }
            for step, at_s, after_s in ending.ladder.steps
        ],
        "ladder_s": ending.ladder.total_s,
    }


def evidence_of(run: Run, *, by: str = "") -> dict[str, Any]:
    """What is known without the process: when the run was last heard, its last metric and line of
    log, its worker (5 queries). `by`: which part of the studio closed it, "" while it is open."""
    return {
        "ended_by": _asked_by(run) or {"kind": "system" if by else "nobody", "name": by},
        "last_heartbeat": iso(run.last_beat_at),
        "last_metric": _last_metric(run),
        "last_log_line": _last_log_line(run),
        "exit_code": None,
        "exit_signal": None,
        "out_of_memory": "",
        "memory": None,
        "worker": _worker(run),
        "ladder": [],
        "ladder_s": None,
    }


def ended_by(run: Run, ending: Ending) -> dict[str, str]:
    """Who ended the process, as {"kind", "name"}."""
    if ending.out_of_memory == PROVEN:
        return {"kind": "kernel", "name": "out of memory"}
    if ending.timed_out_after_s is not None:
        return {"kind": "system", "name": "time limit"}
    if ending.was_cancelled and (asked := _asked_by(run)):
        return asked
    if ending.stopped_by_worker:
        return {"kind": "worker", "name": "shut down"}
    if ending.exit_signal in CRASHES:
        return {"kind": "script", "name": signal_name(ending.exit_signal or 0)}
    if ending.exit_signal or ending.lost:
        return {"kind": "outside", "name": ""}
    return {"kind": "nobody", "name": ""}


def _asked_by(run: Run) -> dict[str, str] | None:
    """Who asked for the cancel: a person, or a part of the studio."""
    if run.cancel_requested_at is None:
        return None
    name = run.cancel_requested_by
    if name.startswith(SYSTEM):
        return {"kind": "system", "name": name.removeprefix(SYSTEM).removesuffix(")")}
    return {"kind": "person", "name": name}


def _last_metric(run: Run) -> dict[str, Any] | None:
    metrics = Metric.objects.ordinary().filter(run=run)
    last = metrics.order_by(F("last_at").desc(nulls_last=True), "name").first()
    if last is None:
        return None
    at = None if last.last_at is None else _moment(last.last_at)
    value = last.last if last.last is not None else last.last_text[:80]
    return {"name": last.name, "value": value, "step": last.last_step, "at": at}


def _last_log_line(run: Run) -> dict[str, Any] | None:
    """The last line that says something, and when it arrived."""
    artifact = find_artifact(run, MAIN_LOG)
    if artifact is None:
        return None
    try:
        end = logs.tail(artifact, LINE_BYTES)
        times = log_times.load_times(store(), artifact.blob_key)
    except (BlobError, OSError, ValueError):
        # A store that fails must not keep a run from ending.
        return None
    lines = [line for line in end.data.splitlines() if line.strip()]
    if not lines:
        return None
    at_ms = times.at_offset(max(0, end.size - 1))
    at = None if at_ms is None else _moment(at_ms / 1000)
    text = storable(lines[-1].decode("utf-8", "replace").strip())
    return {"text": text[:LINE_CHARS], "at": at}


def _moment(epoch_s: float) -> str | None:
    return iso(datetime.fromtimestamp(epoch_s, tz=UTC))


def _worker(run: Run) -> dict[str, str] | None:
    """Where it ran; the host as the worker of that name told it."""
    job = run.job
    if job is None or not job.node:
        return None
    host = Worker.objects.filter(node=job.node).order_by("-pk").values_list("host", flat=True)
    return {"node": job.node, "host": host.first() or "", "target": job.target.name}
