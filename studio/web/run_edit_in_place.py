"""Display name and tags, edited in their cells of a list without leaving it.

The address of a form carries the list's state, so that the answer is the whole row as that list
draws it. Without HTMX the form is a page, and saving leads back to the list.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import reswap, retarget

from studio.accounts.models import Workspace
from studio.accounts.permissions import Permission
from studio.runs import actions
from studio.runs.limits import MAX_NAME, Invalid
from studio.runs.models import Run
from studio.search.column_finder import find_columns
from studio.search.facets import values_of
from studio.search.tree import UNSTORABLE, Key
from studio.web.access import Request, action, find_run, page
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.run_actions import asked_tags
from studio.web.run_list_reading import listing_aside, reading_of
from studio.web.run_rows import MAX_DEPTH, Listing, Row, rows_of


@dataclass(frozen=True, slots=True)
class TagField:
    """A tag in the form: as stored, and as it is typed."""

    key: str
    was: str
    value: str
    is_removed: bool = False


@page
def edit_name(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    return _form(request, run, "name", {"typed": run.display_name})


@page
def edit_tags(request: Request, uid: str) -> HttpResponse:
    """The form; for what is typed into its box of new tags only the choices."""
    run = find_run(request, uid)
    typed = request.GET.get("add", "")
    if str(request.htmx.target or "").startswith("runs-edit_tag_choices"):
        choices = tag_choices(request.workspace, typed)
        context = {**frame(request, active="runs"), "run": run, "choices": choices}
        return render_parts(request, ["runs/_edit_tag_choices.html"], context)
    stored = run.tags.order_by("key").values_list("key", "value")
    tags = [TagField(key, value or "", value or "") for key, value in stored]
    return _form(request, run, "tags", {"tags": tags, "typed": typed})


@page
def row(request: Request, uid: str) -> HttpResponse:
    """The run's row of a list as it is now; without HTMX the list."""
    run = find_run(request, uid)
    listing = listing_aside(request)
    if not request.htmx:
        return HttpResponseRedirect(listing.url(listing.state))
    return _row(request, run, listing)


@action
def save_name(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    typed = request.POST.get("display_name", "")
    try:
        actions.rename_run(run, typed, by=request.actor)
    except Invalid as wrong:
        return _form(request, run, "name", {"typed": typed, "error": str(wrong)})
    return _saved(request, run)


@action
def save_tags(request: Request, uid: str) -> HttpResponse:
    """`add` ("key" or "key: value"); `key`, `value` and `was` of each tag there was; `gone`: keys.
    Only what was edited is changed."""
    run = find_run(request, uid)
    removed = request.POST.getlist("gone")
    try:
        actions.change_tags(run, by=request.actor, put=asked_tags(request), remove=removed)
    except Invalid as wrong:
        fields = (request.POST.getlist(name) for name in ("key", "was", "value"))
        tags = [TagField(k, w, v, k in removed) for k, w, v in zip(*fields, strict=False)]
        typed = request.POST.get("add", "")
        return _form(request, run, "tags", {"tags": tags, "typed": typed, "error": str(wrong)})
    return _saved(request, run)


def tag_choices(workspace: Workspace, typed: str) -> list[str]:
    """Tags there are, for who types "key" or "key: value" (2 queries at most)."""
    if UNSTORABLE.search(typed):
        return []
    key, colon, value = typed.partition(":")
    if colon and key.strip():
        values = values_of(workspace, Key("tag", key.strip()), value.strip())
        return [f"{key.strip()}: {one}" for one in values]
    return [column.name for column in find_columns(workspace, f"tag.{typed.strip()}")]


def _form(request: Request, run: Run, what: str, context: dict[str, Any]) -> HttpResponse:
    """The form of the cell or the page; what was refused stands in the place of the old form."""
    listing = listing_aside(request)
    names = {"save_url": f"run-row-{what}", "row_url": "run-row", "form_url": f"run-edit-{what}"}
    whole = {
        **frame(request, active="runs"),
        "run": run,
        "error": "",
        "choices": [],
        "max_name": MAX_NAME,
        "can_edit": Permission.EDIT_RUN in request.permissions,
        "list_url": listing.url(listing.state),
        **{name: _address(request, run, listing, page) for name, page in names.items()},
        **context,
    }
    part = f"runs/_edit_{what}.html"
    status = 422 if whole["error"] else 200
    answer = render_page(request, f"runs/edit_{what}.html", whole, part=part, status=status)
    if status == 422:
        return reswap(retarget(answer, f"#runs-edit_{what}-{run.uid}"), "outerHTML")
    return answer


def _address(request: Request, run: Run, listing: Listing, page: str) -> str:
    """A page of the run that knows of the list, at the place where its reader is."""
    state = listing.state
    asked = {"after": state.after, "before": state.before, "depth": str(_depth(request) or "")}
    more = {name: value for name, value in asked.items() if value}
    address = reverse(page, args=[request.workspace.name, run.uid])
    return listing.without_ticks().aside(address, **more)


def _depth(request: Request) -> int:
    """How deep the row is below an opened parent."""
    text = request.GET.get("depth", "")
    return min(int(text), MAX_DEPTH) if text.isascii() and text.isdecimal() else 0


def _saved(request: Request, run: Run) -> HttpResponse:
    listing = listing_aside(request)
    if not request.htmx:
        return done(request, listing.url(listing.state))
    return _row(request, run, listing)


def _row(request: Request, run: Run, listing: Listing) -> HttpResponse:
    """The whole row, every column fresh (3 queries and those of `rows_of`)."""
    found = Run.objects.of(request.workspace).filter(pk=run.pk).for_list()
    rows: list[Row] = rows_of(
        request,
        listing,
        list(found),
        reading_of(listing).columns,
        depths={run.pk: _depth(request)},
    )
    context = {**frame(request, active="runs"), "row": rows[0]}
    return render_parts(request, ["runs/_row.html"], context)
