"""The find bar of a log: hits as they come for its script, a page of them without one."""

from contextlib import closing
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse

from studio.artifacts.find_answers import asked_of, find_answer, pattern_of, stopped_words
from studio.artifacts.find_slots import TooManyFinds, slot
from studio.artifacts.finding import Asked, Ending, find
from studio.artifacts.hits import Hit
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.artifacts.ripgrep import FindFailed, Pattern, WrongPattern
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.files import find_artifact
from studio.web.render import render_page
from studio.web.run_detail import run_context

PAGE_HITS = 100
PAGE_LIMIT_S = 20.0
SWITCHES = ("regex", "case", "word")


def find_context(request: Request, run: Run, path: str) -> dict[str, Any]:
    """For `artifacts/_find.html`: find (what stands in the field), find_on (switches that are on),
    find_url (a page), hits_url (for the script), line_url (a line is to be added), across_url (the
    list of runs)."""
    here = [request.workspace.name, run.uid]
    logs_url = reverse("run-logs", args=here)
    return {
        "path": path,
        "find": request.GET.get("find", ""),
        "find_on": [name for name in SWITCHES if request.GET.get(name) == "1"],
        "find_url": reverse("run-find", args=here),
        "hits_url": reverse("run-find-hits", args=here),
        "line_url": f"{logs_url}?{urlencode({'path': path})}&line=",
        "across_url": f"{reverse('run-list', args=here[:1])}?q=",
    }


@page
def find_hits(request: Request, uid: str) -> HttpResponseBase:
    """Hits, progress and an ending as lines of JSON (see `find_answer`); {"message", "position"}
    with 422 for what can't be found and with 429 when too many search."""
    artifact = find_artifact(find_run(request, uid), request.GET.get("path", "") or MAIN_LOG)
    try:
        pattern, asked = pattern_of(request.GET), asked_of(request.GET)
        return find_answer(artifact, pattern, asked, user_id=request.user.pk)
    except WrongPattern as wrong:
        return JsonResponse({"message": str(wrong), "position": wrong.position}, status=422)
    except Invalid as wrong:
        return JsonResponse({"message": str(wrong), "position": None}, status=422)
    except TooManyFinds as refused:
        return JsonResponse({"message": str(refused), "position": None}, status=429)
    except FindFailed as failure:
        return JsonResponse({"message": str(failure), "position": None}, status=503)


@page
def find_page(request: Request, uid: str) -> HttpResponse:
    """The first hits with the lines around them as a page, for a browser without scripts."""
    run = find_run(request, uid)
    artifact = find_artifact(run, request.GET.get("path", "") or MAIN_LOG)
    hits: list[Hit] = []
    ending, wrong, status = None, "", 200
    try:
        pattern, asked = pattern_of(request.GET), asked_of(request.GET)
        limits = Asked(asked.start, asked.line, PAGE_HITS, 2, PAGE_LIMIT_S)
        with slot(request.user.pk):
            hits, ending = _all_of(artifact, pattern, limits)
    except Invalid as refused:
        wrong, status = str(refused), 422
    except TooManyFinds as refused:
        wrong, status = str(refused), 429
    except FindFailed as failure:
        wrong, status = str(failure), 503
    query = {name: request.GET[name] for name in ("path", "find", *SWITCHES) if name in request.GET}
    more = {**query, "after": ending.cursor} if ending and ending.cursor else None
    context = {
        **run_context(request, run, tab="logs"),
        **find_context(request, run, artifact.path),
        "hits": hits,
        "ending": ending,
        "stopped": stopped_words(ending) if ending else "",
        "wrong": wrong,
        "more_url": f"{request.path}?{urlencode(more)}" if more else "",
    }
    return render_page(request, "runs/find.html", context, status=status)


def _all_of(artifact: Artifact, pattern: Pattern, asked: Asked) -> tuple[list[Hit], Ending | None]:
    """What a find says, at once."""
    hits, ending = [], None
    with closing(find(artifact, pattern, asked)) as said:
        for one in said:
            if isinstance(one, Hit):
                hits.append(one)
            elif isinstance(one, Ending):
                ending = one
    return hits, ending
