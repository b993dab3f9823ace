"""What the editor of a description offers while somebody types a link: runs, experiments, views,
metrics and logs that the person may see."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from django.http import HttpResponse

from studio.artifacts.models import Artifact
from studio.custom_views.finding import visible_views
from studio.metrics.models import Kind, Metric
from studio.runs.models import Experiment, Run
from studio.search.apply import apply
from studio.search.errors import SearchSyntaxError
from studio.search.syntax import parse
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_parts

MOST_OFFERED = 8
# A line of text is read from its end, and a link is no longer than this.
LONGEST = 600
# The end of what stands before the cursor: a kind and what follows it, or four and more characters
# that may begin an id.
_TYPED = re.compile(
    r"(?:^|(?<=[^\w/#=&?.:@-]))(?:(?P<kind>run|experiment|view|metric|log):(?P<key>[\w./%-]*)"
    r"|(?P<uid>[A-Za-z0-9_-]{4,64}))$"
)


@dataclass(frozen=True, slots=True)
class Offer:
    """`insert` replaces the characters start..end-1 of the text; `label` says what it is."""

    insert: str
    label: str
    kind: str
    start: int
    end: int


@page
def suggest(request: Request) -> HttpResponse:
    """The links that may be meant at `cursor` in `text`, counted in code points (at most 3 queries
    and those of the page)."""
    text = request.GET.get("text", "")
    cursor = request.GET.get("cursor", "")
    is_number = cursor.isascii() and cursor.isdecimal() and len(cursor) <= 6
    end = min(int(cursor), len(text)) if is_number else len(text)
    context = {**frame(request, active=""), "suggestions": offers(request, text[:end])}
    return render_parts(request, ["runs/_suggestions.html"], context)


def offers(request: Request, before: str) -> list[Offer]:
    """What may follow at the end of `before`, best first; [] where nothing is known."""
    start = max(0, len(before) - LONGEST)
    typed = _TYPED.search(before, start)
    if typed is None:
        return []
    kind = typed["kind"] or "uid"
    found = FINDERS[kind](request, typed["key"] or typed["uid"] or "")
    place = (typed.start(), len(before))
    return [Offer(insert, label, kind, *place) for insert, label in found]


Found = list[tuple[str, str]]


def runs_by_id(request: Request, typed: str) -> Found:
    """By the beginning of an id, newest first."""
    # No letter or digit sorts behind these, whatever the order of the database.
    runs = Run.objects.of(request.workspace).filter(uid__gte=typed, uid__lt=f"{typed}zzzz")
    return [(f"run:{run.uid}", run.display_name) for run in runs.newest()[:MOST_OFFERED]]


def runs(request: Request, typed: str) -> Found:
    """By the beginning of an id or by words of the name; the newest where nothing is typed."""
    found = runs_by_id(request, typed) if len(typed) > 1 else []
    known = {insert for insert, _ in found}
    if len(found) < MOST_OFFERED:
        listed = Run.objects.of(request.workspace).listed()
        try:
            tree = parse(re.sub(r"[^\w]+", " ", typed))
        except SearchSyntaxError:
            return found
        named = apply(listed, tree, user=request.user, workspace=request.workspace).newest()
        pairs = [(f"run:{run.uid}", run.display_name) for run in named[:MOST_OFFERED]]
        found += [pair for pair in pairs if pair[0] not in known]
    return found[:MOST_OFFERED]


def experiments(request: Request, typed: str) -> Found:
    listed = Experiment.objects.of(request.workspace).listed().named_like(typed)
    return [(f"experiment:{one.name}", "experiment") for one in listed[:MOST_OFFERED]]


def views(request: Request, typed: str) -> Found:
    """Those shared with the person and their own, by words of the name or by uid."""
    seen = visible_views(request.workspace, request.actor)
    words = re.sub(r"[-_]+", " ", typed).strip()
    by_name, by_uid = seen.filter(name__icontains=words), seen.filter(uid=typed)
    found = (by_name | by_uid).order_by("name", "pk")
    return [(f"view:{view.uid}", view.name) for view in found[:MOST_OFFERED]]


def metrics(request: Request, typed: str) -> Found:
    """First the run, then its metrics by a part of their name."""
    uid, is_chosen, name = typed.partition("/")
    if not is_chosen:
        return [(f"metric:{insert[4:]}/", label) for insert, label in runs(request, typed)]
    found = Metric.objects.filter(run__uid=uid, run__in=Run.objects.of(request.workspace))
    found = found.exclude(kind=Kind.IMAGE).filter(name__icontains=name).order_by("name")
    names = found.values_list("name", flat=True)[:MOST_OFFERED]
    return [(f"metric:{uid}/{written(name)}", name) for name in names]


def logs(request: Request, typed: str) -> Found:
    """First the run, then its logs and other files by a part of their path."""
    uid, is_chosen, path = typed.partition("/")
    if not is_chosen:
        return [(f"log:{insert[4:]}/", label) for insert, label in runs(request, typed)]
    files = Artifact.objects.filter(run__uid=uid, run__in=Run.objects.of(request.workspace))
    files = files.filter(path__icontains=path).order_by("-is_log", "path")
    paths = files.values_list("path", flat=True)[:MOST_OFFERED]
    return [(f"log:{uid}/{written(path)}", path) for path in paths]


def written(name: str) -> str:
    """A name as it stands in a link: what would end the link, encoded."""
    return quote(name, safe="/").replace("~", "%7E")


FINDERS = {
    "uid": runs_by_id,
    "run": runs,
    "experiment": experiments,
    "view": views,
    "metric": metrics,
    "log": logs,
}
