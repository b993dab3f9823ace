"""The tab Raw JSON: a run as the API answers it."""

import json
from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from studio.runs.as_json import run_dict, with_parts
from studio.runs.coloured_lines import UNSEEN, coloured
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.render import render_page
from studio.web.run_detail import run_context


@page
def raw_json(request: Request, uid: str) -> HttpResponse:
    """The same values as `GET /runs/{uid}` gives to the reader's token (4 queries)."""
    run = find_run(request, uid)
    told = with_parts(Run.objects.filter(pk=run.pk), user=request.user).get()
    text = readable(run_dict(told))
    address = reverse("api:get_run", args=[request.workspace.name, run.uid])
    context = {
        **run_context(request, run, tab="json"),
        "lines": coloured(text, "json"),
        "n_bytes": len(text.encode()),
        "api_url": request.build_absolute_uri(address),
    }
    return render_page(request, "runs/json.html", context, part="runs/_json.html")


def readable(values: Any) -> str:
    """JSON in lines, letters as they are; what would not be seen stands as its escape, so that
    what is copied is what was given."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
