"""Choosing more runs for a comparison: offered ones, and those that a typed search finds."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse

from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import apply
from studio.search.comparing import MOST_RUNS
from studio.search.errors import SearchSyntaxError
from studio.search.scanner import MAX_CHARACTERS
from studio.search.syntax import parse
from studio.search.tree import UNSTORABLE
from studio.web.access import Request, page
from studio.web.compare_state import Comparison
from studio.web.frame import frame
from studio.web.render import done, render_page

# So many of each kind are offered, and so many that a search finds.
MAX_OFFERED = 6
MAX_FOUND = 30
# By the id of what an answer takes the place of; else the dialog.
PARTS = {
    "compare-add_found": "compare/_add_found.html",
    "compare-add_form": "compare/_add_form.html",
}
_SHORT_UID = re.compile(r"[0-9a-f]{6,32}")


@dataclass(frozen=True, slots=True)
class Offer:
    """Runs to tick under a heading."""

    title: str
    runs: list[Run]


@page
def add_runs(request: Request) -> HttpResponse:
    """The dialog; `apply` leads to the comparison with the ticked runs (`add`)."""
    state = Comparison.from_query(request.GET)
    ticked = Comparison.from_query({"chosen": ",".join(request.GET.getlist("add"))}).chosen
    error = ""
    if "apply" in request.GET:
        if ticked:
            here = reverse("run-compare", args=[request.workspace.name])
            return done(request, here + state.with_runs(ticked).to_query())
        error = "Tick at least one run."
    find = UNSTORABLE.sub("", request.GET.get("add_find", "")).strip()[:MAX_CHARACTERS]
    found, wrong = _offers(request, state, ticked, find)
    context = {
        **frame(request, active="runs"),
        "state": state,
        "hidden": state.parameters(),
        "address": reverse("run-compare-add", args=[request.workspace.name]),
        "offers": found,
        "ticked": ticked,
        "find": find,
        "error": wrong or error,
        "room": MOST_RUNS - len(state.chosen),
        "back_url": _back_url(request, state),
    }
    part = PARTS.get(str(request.htmx.target or ""), "compare/_add.html")
    status = 422 if error else 200
    return render_page(request, "compare/add.html", context, part=part, status=status)


def _back_url(request: Request, state: Comparison) -> str:
    name = request.workspace.name
    if len(state.chosen) == 1:
        return reverse("run-detail", args=[name, state.chosen[0]])
    return reverse("run-compare", args=[name]) + state.to_query()


def _offers(
    request: Request, state: Comparison, ticked: Iterable[str], find: str
) -> tuple[list[Offer], str]:
    """What to tick, the ticked ones first, and what is wrong with the search (5 queries)."""
    runs = Run.objects.of(request.workspace)
    others = runs.exclude(uid__in=[*state.chosen, *ticked])
    kept = Offer("Ticked", list(runs.filter(uid__in=list(ticked)).newest()))
    wrong = ""
    if find:
        try:
            offers = [Offer("Found", list(_found(request, others, find)[:MAX_FOUND]))]
        except SearchSyntaxError as error:
            offers, wrong = [], error.message
    else:
        first = runs.filter(uid__in=state.chosen[:1]).first()
        offers = [] if first is None else _near(others, first)
    return [offer for offer in (kept, *offers) if offer.runs], wrong


def _found(request: Request, runs: RunQuerySet, find: str) -> RunQuerySet:
    """Runs of a query, newest first; also by the beginning of an id. Raises SearchSyntaxError."""
    if _SHORT_UID.fullmatch(find):
        by_id = runs.filter(uid__gte=find, uid__lt=f"{find}g")
        if by_id.exists():
            return by_id
    found = apply(runs.listed(), parse(find), user=request.user, workspace=request.workspace)
    return found.newest()


def _near(others: RunQuerySet, run: Run) -> list[Offer]:
    """The runs that one is likely to be compared with: its parent's others, its own child runs,
    those that its experiment had before it (at most 3 queries)."""
    listed, offers = others.listed(), []
    if run.parent_id:
        siblings = listed.filter(parent=run.parent_id).newest()
        offers.append(Offer("Other child runs of its parent", list(siblings[:MAX_OFFERED])))
    children = listed.filter(parent=run).newest()
    offers.append(Offer("Its child runs", list(children[:MAX_OFFERED])))
    earlier = others.listed_of(run.experiment).before(run).newest()[:MAX_OFFERED]
    name = run.experiment.name
    offers.append(Offer(f"Earlier runs of {name}", list(earlier)))
    if not offers[-1].runs:
        newest = others.listed_of(run.experiment).newest()[:MAX_OFFERED]
        offers[-1] = Offer(f"Other runs of {name}", list(newest))
    return offers
