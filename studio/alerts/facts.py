"""What is told of a run, as plain values: kept with the firing, so that a message tells what was,
not what came of it since."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from studio.alerts.models import AlertRule
from studio.runs.models import Run, RunEvent
from studio.runs.status import Status

MAX_LINES = 20
MAX_ERROR_CHARS = 4_000


def with_facts(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Runs with all that `of_run` reads (no more queries)."""
    return runs.select_related("workspace", "experiment", "submitter")


def of_run(run: Run) -> dict[str, Any]:
    """The facts of one run: texts, `duration_s` a float or None, `tags` by key."""
    error = run.error or {}
    return {
        "workspace": run.workspace.name,
        "experiment": run.experiment.name,
        "run": run.uid,
        "name": run.display_name,
        "number": run.number,
        "type": run.type,
        "status": Status(run.status).value,
        "reason": run.status_reason,
        "duration_s": run.elapsed_s(),
        "submitter": run.submitter.get_username() if run.submitter else "",
        "error": str(error.get("message") or "")[:MAX_ERROR_CHARS],
        "error_lines": last_lines(str(error.get("traceback") or "")),
        "url": run.page_url,
    }


def of_event(event: RunEvent) -> dict[str, Any]:
    """The facts of a status change: those of its run, with what the change itself says."""
    return {
        **of_run(event.run),
        "event": event.pk,
        "status": str(event.after),
        "before": "" if event.before is None else str(event.before),
        "reason": event.message,
        "actor": event.actor,
        "at": event.at.isoformat(),
        "parent": event.run.parent.uid if event.run.parent else "",
        "root": event.run.root.uid if event.run.root else event.run.uid,
    }


def of_runs(runs: Sequence[Run], *, n: int, what: str) -> dict[str, Any]:
    """The facts of several runs that did the same: how many, and some of them."""
    return {"what": what, "n": n, "runs": [of_run(run) for run in runs]}


def of_rule(rule: AlertRule) -> dict[str, Any]:
    """What a message says of the rule that it comes from."""
    return {"rule": rule.name, "rule_uid": rule.uid, "is_shared": rule.is_shared}


def last_lines(text: str) -> str:
    """The end of a traceback, fit for a message."""
    return "\n".join(text.strip().splitlines()[-MAX_LINES:])[-MAX_ERROR_CHARS:]
