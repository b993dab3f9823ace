"""Display name and tags, edited in their cells of a list without leaving it.

The address of a form carries the list's state, so that the answer is the whole row as that list
draws it. Without HTMX the form is a page, and saving leads back to the list.
"""

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import reswap, retarget

from studio.accounts.permissions import Permission
from studio.runs import actions
from studio.runs.limits import MAX_NAME, Invalid
from studio.runs.models import Run
from studio.web.access import Request, action, find_run, page
from studio.web.frame import frame
from studio.web.render import done, render_page, render_parts
from studio.web.run_actions import save_form
from studio.web.run_list_reading import listing_aside, reading_of
from studio.web.run_rows import MAX_DEPTH, Listing, Row, rows_of
from studio.web.tag_form import choices_for, read_form, tag_form


@page
def edit_name(request: Request, uid: str) -> HttpResponse:
    run = find_run(request, uid)
    return _form(request, run, "name", {"typed": run.display_name})


@page
def edit_tags(request: Request, uid: str) -> HttpResponse:
    """The form; for what is typed into one of its boxes only the choices: into that of new tags
    (add), of another key (rename), of the value of a key (of)."""
    run = find_run(request, uid)
    typed = request.GET.get("add", "")
    if str(request.htmx.target or "").startswith("runs-edit_tag_choices"):
        choices = choices_for(request.workspace, request.GET)
        context = {**frame(request, active="runs"), "run": run, "choices": choices}
        return render_parts(request, ["runs/_edit_tag_choices.html"], context)
    return _form(request, run, "tags", {"tag_form": tag_form(run, add=typed)})


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
    """The form of `tag_form`: only what was edited is changed, and nothing that somebody else
    saved meanwhile."""
    run = find_run(request, uid)
    saved = save_form(run, read_form(request.POST), by=request.actor)
    if saved is not None:
        return _form(request, run, "tags", {"tag_form": saved, "error": saved.error})
    return _saved(request, run)


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
    is_conflict = "tag_form" in context and context["tag_form"].is_conflict
    status = 409 if is_conflict else 422 if whole["error"] else 200
    answer = render_page(request, f"runs/edit_{what}.html", whole, part=part, status=status)
    if status != 200:
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
