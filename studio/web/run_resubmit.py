"""Resubmit: a dialog with what would be submitted again, and the new run that comes of it."""

import shlex
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.compute.actions import UnknownTarget, usable_targets
from studio.execution.resubmitting import (
    Changes,
    may_reuse_variables,
    original_of,
    resubmit_run,
    split_arguments,
    why_not_resubmit,
)
from studio.runs.actions import ExperimentName, UidTaken
from studio.runs.history import Refused
from studio.runs.limits import Invalid
from studio.runs.models import Experiment, Run, new_uid
from studio.search.values import parse_duration_s
from studio.web.access import Request, action, find_run, page
from studio.web.environment_words import environment_words
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.run_header import NO_SUBMIT
from studio.web.typed import typed_text
from studio.wire.checks import MAX_TIME_S

# The last one may hold line ends.
FIELDS = ("uid", "display_name", "experiment", "target", "max_duration", "arguments")
EXPERIMENTS_OFFERED = 50


@page
def form(request: Request, uid: str) -> HttpResponse:
    """What would be submitted, as it was. The new run's uid is made here, so that sending the form
    twice makes one run."""
    run = find_run(request, uid)
    fields = {"uid": new_uid(), "display_name": run.display_name}
    fields |= {"experiment": run.experiment.name, "target": run.target.name if run.target else ""}
    fields["max_duration"] = typed_duration(run.max_duration_s)
    return _shown(request, run, fields)


@action
def start(request: Request, uid: str) -> HttpResponse:
    """Submit, and open the new run."""
    run = find_run(request, uid)
    fields = {name: request.POST.get(name, "").strip() for name in FIELDS[:-1]}
    typed = "arguments" in request.POST
    if typed:
        fields["arguments"] = typed_text(request, "arguments")
    try:
        changes = Changes(
            uid=fields["uid"],
            display_name=fields["display_name"],
            experiment=fields["experiment"],
            target=fields["target"],
            argv=split_arguments(fields["arguments"]) if typed else None,
            max_duration_s=duration_in(fields["max_duration"])
            if "max_duration" in request.POST
            else None,
        )
        made, is_new = resubmit_run(run, changes, by=request.actor)
    except UnknownTarget as wrong:
        return _shown(request, run, fields, error=str(wrong), field="target")
    except (Invalid, Refused, UidTaken) as wrong:
        field = "experiment" if isinstance(wrong, ExperimentName) else getattr(wrong, "field", "")
        return _shown(request, run, fields, error=str(wrong), field=field)
    words = "Submitted" if is_new else "Submitted already"
    messages.success(request, f"{words}, as a copy of “{run.display_name}”")
    return done(request, reverse("run-detail", args=[request.workspace.name, made.uid]))


def duration_in(text: str) -> float:
    """Seconds, of an empty text 0: no limit. Raises Invalid."""
    try:
        found = parse_duration_s(text) if text else 0.0
    except ValueError as wrong:
        raise Invalid("max_duration", str(wrong)) from wrong
    if text and not 0 < found <= MAX_TIME_S:
        raise Invalid("max_duration", "The longest run time must be above 0 s. Empty: no limit.")
    return found


def typed_duration(length_s: float | None) -> str:
    """A length as `duration_in` reads it: 2h30m, 90s; "" for none."""
    if not length_s:
        return ""
    whole, words = int(length_s), ""
    if whole != length_s or whole < 60:
        return f"{length_s:g}s"
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        n, whole = divmod(whole, size)
        words += f"{n}{letter}" if n else ""
    return words


def _shown(
    request: Request, run: Run, fields: dict[str, str], *, error: str = "", field: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {
        **frame(request, active="runs"),
        "run": run,
        "fields": fields,
        "error": error,
        "error_field": field if field in FIELDS[1:] else "",
        "refused": why_not_resubmit(run),
    }
    if Permission.SUBMIT_RUN not in request.permissions:
        context["refused"] = NO_SUBMIT
    if run.job is not None:
        original = original_of(run)
        fields.setdefault("arguments", shlex.join(original.argv))
        listed = Experiment.objects.of(request.workspace).listed()
        names = listed.values_list("name", flat=True)[:EXPERIMENTS_OFFERED]
        targets = [target.name for target in usable_targets(request.workspace)]
        context["keeps_variables"] = may_reuse_variables(run, request.actor)
        context["environment"] = environment_words(original.environment)
        context |= {"original": original, "experiments": list(names), "targets": targets}
    page_name, part = "runs/resubmit.html", "runs/_resubmit.html"
    return render_page(request, page_name, context, part=part, status=422 if error else 200)
