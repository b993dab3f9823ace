"""The head of every Run Details page: what it shows, and why a button of it is disabled."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.alerts.actions import end_rule
from studio.custom_views.state import ViewState
from studio.execution.resubmitting import NO_SOURCE, NOT_SUBMITTED
from studio.runs.models import Run
from studio.runs.rollup import Rollup, rollups
from studio.runs.status import CANCELLABLE, TERMINAL, Status
from studio.runs.waiting import wait_of
from studio.search.tree import Key
from studio.web.access import Request
from studio.web.compare_state import Comparison
from studio.web.run_cells import Conditions
from studio.web.run_ladder import (
    end_line,
    is_stopping,
    said_of,
    silence_of,
    stopping_of,
    time_left_s,
)
from studio.web.run_signs import version_of
from studio.web.tag_form import tag_form

# A run may have a thousand tags: the others are on a page of their own.
MAX_CHIPS = 12
NO_CANCEL = "Your role does not allow cancelling runs"
NO_EDIT = "Your role does not allow changing runs"
NO_SUBMIT = "Your role does not allow submitting runs"
NO_ARCHIVE = "Your role does not allow archiving runs"
NO_DELETE = "Your role does not allow deleting runs"


@dataclass(frozen=True, slots=True)
class TagLink:
    """A tag; its link lists the runs that carry it."""

    key: str
    value: str | None
    url: str


def header_context(request: Request, run: Run) -> dict[str, Any]:
    """What `runs/_header.html` shows (3 queries, one more while it goes on, of a queued step that
    waits, of a cancel, and for very many tags); `run` comes from `find_run`."""
    form = tag_form(run)
    shown = form.fields[:MAX_CHIPS]
    rollup = rollups([run.pk]).get(run.pk)
    version = version_of(run)
    stopping, silence = stopping_of(run), silence_of(run)
    address = reverse("run-header", args=[request.workspace.name, run.uid])
    return {
        "run": run,
        "tag_form": form,
        "chips": chips_of(request, [(one.key, one.was or None) for one in shown]),
        "n_more_tags": len(form.fields) + form.n_more - len(shown),
        "is_starred": run.stars.filter(user=request.user).exists(),
        "is_told": not run.is_terminal and end_rule(run, by=request.actor) is not None,
        "rollup": rollup,
        "can_edit": Permission.EDIT_RUN in request.permissions,
        "cancel_refused": why_not_cancel(request, run, rollup),
        "kill_refused": why_not_kill(request, run),
        "fail_refused": why_not_fail(request, run),
        "resubmit_refused": why_not_resubmit(request, run),
        "archive_refused": "" if Permission.ARCHIVE_RUN in request.permissions else NO_ARCHIVE,
        "delete_refused": why_not_delete(request, run, rollup),
        "wait": wait_of(run),
        "stopping": stopping,
        "silence": silence,
        "end_line": end_line(run),
        "said": said_of(run, stopping, silence),
        "exit_words": exit_words(run),
        "exit_note": exit_note(run),
        "time_left_s": time_left_s(run),
        "compare_url": reverse("run-compare-add", args=[request.workspace.name])
        + Comparison(chosen=(run.uid,)).to_query(),
        "is_live": run.status not in TERMINAL,
        "header_version": version,
        "header_url": f"{address}?v={version}",
    }


def chips_of(request: Request, tags: Iterable[tuple[str, str | None]]) -> list[TagLink]:
    """Tags, as (key, value), as links to all runs that carry them."""
    runs, conditions = reverse("run-list", args=[request.workspace.name]), Conditions()
    return [
        TagLink(key, value, runs + ViewState(q=conditions.of(Key("tag", key), value)).to_query())
        for key, value in tags
    ]


def why_not_cancel(request: Request, run: Run, rollup: Rollup | None) -> str:
    """Why Cancel is disabled, in words; "" when it is not. A pipeline that is over may have steps
    that are not."""
    if Permission.CANCEL_RUN not in request.permissions:
        return NO_CANCEL
    if run.status == Status.CANCEL_REQUESTED:
        return "A cancel was requested already"
    if run.type == "pipeline" and rollup is not None and rollup.n_unfinished:
        return ""
    return "" if run.status in CANCELLABLE else f"The run is already {run.status}"


def why_not_kill(request: Request, run: Run) -> str:
    if Permission.CANCEL_RUN not in request.permissions:
        return NO_CANCEL
    if not is_stopping(run) or run.job is None:
        return "Only a run that is being cancelled on a worker can be killed"
    return "It is being killed already" if run.job.kill_requested_at else ""


def why_not_fail(request: Request, run: Run) -> str:
    if Permission.EDIT_RUN not in request.permissions:
        return NO_EDIT
    over = {Status.FAILED, Status.CANCELED}
    return f"The run is already {run.status}" if run.status in over else ""


def why_not_resubmit(request: Request, run: Run) -> str:
    """As `execution.resubmitting` says; asks nothing, since `run` comes from `find_run`."""
    if Permission.SUBMIT_RUN not in request.permissions:
        return NO_SUBMIT
    if run.job is None:
        return NOT_SUBMITTED
    return "" if vars(run)["has_source"] else NO_SOURCE


def why_not_delete(request: Request, run: Run, rollup: Rollup | None) -> str:
    if Permission.DELETE_RUN not in request.permissions:
        return NO_DELETE
    if run.status not in TERMINAL:
        return "The run is not finished: cancel it first"
    if rollup is not None and rollup.n_unfinished:
        return "A child run is not finished: cancel it first"
    return ""


def exit_note(run: Run) -> str:
    """`exit_words`, unless the reason of the status says the same."""
    words = exit_words(run)
    name = words.partition("(")[2].removesuffix(")") or words
    return "" if name and name in run.status_reason else words


def exit_words(run: Run) -> str:
    """How the process ended: `exit code 1`, `signal 9 (SIGKILL)`; "" while nobody knows."""
    if run.exit_signal is not None:
        try:
            return f"signal {run.exit_signal} ({signal.Signals(run.exit_signal).name})"
        except ValueError:
            return f"signal {run.exit_signal}"
    return "" if run.exit_code is None else f"exit code {run.exit_code}"
