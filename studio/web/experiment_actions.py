"""What the buttons and forms of an experiment do. Each calls one action; a refusal comes back in
words, with what was typed still there."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import NotAllowed, Permission
from studio.runs import actions
from studio.runs.actions.experiments import (
    NameTaken,
    archive_experiment,
    describe_experiment,
    reactivate_experiment,
    rename_experiment,
    star_experiment,
)
from studio.runs.limits import Invalid
from studio.runs.models import Description, Experiment, ExperimentDescription
from studio.web.access import Request, action, find_experiment, page
from studio.web.description_editor import Links, preview_of, read_from
from studio.web.experiment_head import NO_EDIT, experiment_head, why_not_edit
from studio.web.frame import frame
from studio.web.render import back, done, render_page, render_parts, wants_part
from studio.web.typed import typed_text

LIST, HEAD = "list", "head"


def address(experiment: Experiment) -> str:
    return reverse("experiment-runs", args=[experiment.workspace.name, experiment.name])


@action
def star(request: Request, name: str) -> HttpResponse:
    experiment = find_experiment(request, name)
    starred = request.POST.get("starred") == "1"
    star_experiment(experiment, by=request.actor, starred=starred)
    if not request.htmx:
        return done(request, back(request, address(experiment)))
    context = {
        **frame(request, active="experiments"),
        "experiment": experiment,
        "is_starred": starred,
    }
    return render_parts(request, ["experiments/_star.html"], context)


@action
def archive(request: Request, name: str) -> HttpResponse:
    """`archived`: 1 hides the experiment from lists, 0 shows it there again."""
    experiment = find_experiment(request, name)
    if request.POST.get("archived") == "1":
        archive_experiment(experiment, by=request.actor)
        messages.success(request, f"Archived {experiment.name}")
    else:
        reactivate_experiment(experiment, by=request.actor)
        messages.success(request, f"Reactivated {experiment.name}")
    return done(request, back(request, address(experiment)))


@page
def rename_form(request: Request, name: str) -> HttpResponse:
    """The form in the place of the name (HTMX; `shown=1`: the name again), or a page of its own.
    `place`: where the name stands, in the list or in the head of the experiment's page."""
    experiment = find_experiment(request, name)
    is_shown = request.GET.get("shown") == "1"
    return naming(request, experiment, place=request.GET.get("place", ""), is_editing=not is_shown)


@action
def rename(request: Request, name: str) -> HttpResponse:
    """Give the experiment the name in the form; from the list, back to the list."""
    experiment = find_experiment(request, name)
    typed, place = request.POST.get("name", "").strip(), request.POST.get("place", "")
    try:
        renamed = rename_experiment(experiment, typed, by=request.actor)
    except Invalid as wrong:
        return naming(request, experiment, place=place, typed=typed, error=str(wrong), status=422)
    except NameTaken as taken:
        return naming(request, experiment, place=place, typed=typed, error=str(taken), status=409)
    renamed.workspace = request.workspace
    listed = reverse("experiment-list", args=[request.workspace.name])
    return done(request, back(request, listed) if place == LIST else address(renamed))


def naming(
    request: Request,
    experiment: Experiment,
    *,
    place: str,
    is_editing: bool = True,
    typed: str | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    """The name as a form with what was typed, or as it is."""
    context = {
        **frame(request, active="experiments"),
        **experiment_head(request, experiment),
        "place": place if wants_part(request) and place in (LIST, HEAD) else "",
        "is_editing": is_editing or not wants_part(request),
        "typed": experiment.name if typed is None else typed,
        "error": error,
    }
    return render_page(
        request, "experiments/rename.html", context, part="experiments/_name.html", status=status
    )


@page
def describe_form(request: Request, name: str) -> HttpResponse:
    """The editor, filled with what is stored."""
    experiment = find_experiment(request, name)
    return form(request, experiment, experiment.description, experiment.description_version)


@action
def describe(request: Request, name: str) -> HttpResponse:
    """Save the description; a conflict shows both texts and keeps what was typed."""
    experiment = find_experiment(request, name)
    text, version = typed_text(request), read_from(request)
    try:
        describe_experiment(experiment, text, by=request.actor, expected_version=version)
    except Invalid as wrong:
        return form(request, experiment, text, version, error=str(wrong), status=422)
    except actions.EditConflict as conflict:
        facts: dict[str, Any] = {"error": str(conflict), "conflict": conflict.current}
        return form(request, experiment, text, conflict.current.version, **facts, status=409)
    return done(request, address(experiment))


@action
def preview(request: Request, name: str) -> HttpResponse:
    """The description as it would look; nothing is stored. Without HTMX the whole form again."""
    experiment = find_experiment(request, name)
    if Permission.EDIT_EXPERIMENT not in request.permissions:
        raise NotAllowed(NO_EDIT)
    text, version = typed_text(request), read_from(request)
    return form(request, experiment, text, version, part="runs/_preview.html")


def form(
    request: Request,
    experiment: Experiment,
    text: str,
    version: int | None,
    *,
    error: str = "",
    conflict: Description | ExperimentDescription | None = None,
    status: int = 200,
    part: str = "descriptions/_form.html",
) -> HttpResponse:
    """The editor with `text` in it."""
    context = {
        **frame(request, active="experiments"),
        "experiment": experiment,
        "text": text,
        "version": "" if version is None else version,
        **preview_of(request, text),
        "error": error,
        "conflict": conflict,
        "edit_refused": why_not_edit(request),
        "links": Links.of(experiment, request.workspace.name),
    }
    page_name = "experiments/edit_description.html"
    return render_page(request, page_name, context, part=part, status=status)
