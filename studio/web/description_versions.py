"""The versions of a description: who saved each, when, what changed; any can be looked at and
brought back. The same for runs and experiments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse

from studio.accounts.permissions import Permission
from studio.artifacts.differences import MAX_STEPS, TextDifference, difference
from studio.runs import actions
from studio.runs.actions.restore_description import (
    restore_description,
    restore_experiment_description,
)
from studio.runs.description_versions import (
    PAGE_SIZE,
    Version,
    newest_version,
    version_of,
    versions_of,
)
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run
from studio.web.access import Request, action, find_experiment, find_run, page
from studio.web.description_editor import Links, preview_of
from studio.web.experiment_head import why_not_edit
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.run_detail import run_context
from studio.web.run_header import NO_EDIT
from studio.web.typed import number_in

# In a list of versions each shows so many changed lines; a version's own page shows all.
LINES_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One version with what changed from the one before it; `url` shows it alone."""

    version: Version
    difference: TextDifference
    url: str
    is_now: bool


@page
def of_run(request: Request, uid: str) -> HttpResponse:
    """The versions of a run's description. `below`: only those under this number."""
    return listed(request, find_run(request, uid))


@page
def of_experiment(request: Request, name: str) -> HttpResponse:
    """The versions of an experiment's description. `below`: only those under this number."""
    return listed(request, find_experiment(request, name))


@page
def one_of_run(request: Request, uid: str, version: int) -> HttpResponse:
    """One version: its text as it looks, and all lines that changed."""
    return one(request, find_run(request, uid), version)


@page
def one_of_experiment(request: Request, name: str, version: int) -> HttpResponse:
    return one(request, find_experiment(request, name), version)


@action
def restore_of_run(request: Request, uid: str) -> HttpResponse:
    """Make the text of `version` the newest, unless another than `expected` is the newest now."""
    return restored(request, find_run(request, uid), restore_description)


@action
def restore_of_experiment(request: Request, name: str) -> HttpResponse:
    return restored(request, find_experiment(request, name), restore_experiment_description)


def listed(
    request: Request, described: Run | Experiment, *, error: str = "", status: int = 200
) -> HttpResponse:
    """PAGE_SIZE versions, the newest first (2 queries besides those of every such page)."""
    found = versions_of(described, below=number_in(request.GET.get("below", "")))
    around = context_of(request, described)
    context = {
        **around,
        "entries": [
            entry(around["links"], version, newest=found.newest, is_alone=False)
            for version in found.versions
        ],
        "newest": found.newest,
        "below": found.below,
        "error": error,
    }
    return shown(request, described, "versions", context, status=status)


def one(request: Request, described: Run | Experiment, number: int) -> HttpResponse:
    """One version, else 404."""
    version = version_of(described, number)
    if version is None:
        raise Http404(f"There is no version {str(number)[:20]} of this description.")
    newest = newest_version(described)
    around = context_of(request, described)
    context = {
        **around,
        "entry": entry(around["links"], version, newest=newest, is_alone=True),
        **preview_of(request, version.text),
        "newest": newest,
    }
    return shown(request, described, "version", context)


def restored(
    request: Request, described: Run | Experiment, restore: Callable[..., Any]
) -> HttpResponse:
    """Bring a version back and show the description; a refusal shows the versions as they are."""
    number = number_in(request.POST.get("version", ""))
    expected = number_in(request.POST.get("expected", ""))
    try:
        restore(
            described,
            -1 if number is None else number,
            by=request.actor,
            expected_version=expected,
        )
    except Invalid as wrong:
        return listed(request, described, error=str(wrong), status=422)
    except actions.EditConflict as conflict:
        who = conflict.current.edited_by or "Somebody"
        words = f"{who} saved this description meanwhile. Look at it, then restore again."
        return listed(request, described, error=words, status=409)
    messages.success(request, f"Version {number} of the description is back.")
    return done(request, Links.of(described, request.workspace.name).page)


def context_of(request: Request, described: Run | Experiment) -> dict[str, Any]:
    """What both pages show around the versions."""
    links = Links.of(described, request.workspace.name)
    if isinstance(described, Experiment):
        own = {"experiment": described, "edit_refused": why_not_edit(request)}
        return {**frame(request, active="experiments"), **own, "links": links}
    refused = "" if Permission.EDIT_RUN in request.permissions else NO_EDIT
    around = run_context(request, described, tab="details")
    return {**around, "edit_refused": refused, "links": links}


def entry(links: Links, version: Version, *, newest: int, is_alone: bool) -> Entry:
    """The version with its changes; those of a list share the time that one alone may take."""
    room = {} if is_alone else {"most_lines": LINES_SHOWN, "most_steps": MAX_STEPS // PAGE_SIZE}
    return Entry(
        version=version,
        difference=difference(version.before, version.text, **room),
        url=f"{links.versions}/{version.number}",
        is_now=version.number == newest,
    )


def shown(
    request: Request,
    described: Run | Experiment,
    what: str,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    folder = "runs" if isinstance(described, Run) else "experiments"
    return render_page(request, f"{folder}/description_{what}.html", context, status=status)
