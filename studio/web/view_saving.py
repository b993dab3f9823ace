"""Saving what a list shows: as a new view, or into the one that is open; and what to do when two
people save one view."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.urls import reverse

from studio.accounts.permissions import Permission
from studio.custom_views.actions import Draft, ViewConflict, create_view, save_view
from studio.custom_views.differences import BOTH, MINE, PARTS, THEIRS, clashes, differences, merged
from studio.custom_views.finding import base_of
from studio.custom_views.models import CustomView, Place
from studio.custom_views.rights import READER
from studio.custom_views.state import TICKS, ViewState
from studio.custom_views.stored import state_of
from studio.runs.limits import Invalid
from studio.web.access import Request, action, find_experiment, page
from studio.web.frame import frame
from studio.web.render import done, render_page
from studio.web.run_list_reading import listing_aside
from studio.web.sweeps import among_all_runs
from studio.web.typed import number_in, typed_text
from studio.web.view_bar import permalink, place_of
from studio.web.views_found import found_view

FIELDS = ("name", "description", "state", "place", "experiment", "back", "of", "ticks", "below")


@page
def new_view(request: Request) -> HttpResponse:
    """The form that names what the list shows now."""
    listing = listing_aside(request)
    state = listing.state
    if listing.parent is not None:
        state = among_all_runs(state, listing.parent)
    fields = {
        "state": state.first_page().to_form(),
        "place": place_of(listing),
        "experiment": listing.experiment.name if listing.experiment else "",
        "back": listing.url(listing.state),
    }
    if listing.parent is not None:
        fields["below"] = listing.state.children or "1"
    if listing.view is not None:
        fields |= {"of": listing.view.name, "description": listing.view.description}
    return _form(request, fields)


@action
def create(request: Request) -> HttpResponse:
    """Save a new view, and open it."""
    form = request.POST
    fields = {name: form.get(name, "") for name in FIELDS}
    fields["description"] = typed_text(request, "description")
    try:
        experiment = (
            find_experiment(request, fields["experiment"]) if fields["experiment"] else None
        )
        state = _texts(fields["state"], ticks=fields["ticks"] == "1")
        draft = Draft(fields["name"], state, fields["description"], fields["place"], experiment)
        view = create_view(request.workspace, draft, by=request.actor)
    except Invalid as wrong:
        return _form(request, fields, error=str(wrong), field=wrong.field, status=422)
    messages.success(request, f"Saved “{view.name}”. Only you see it until you share it.")
    return done(request, permalink(request, view))


def _form(
    request: Request,
    fields: dict[str, str],
    *,
    error: str = "",
    field: str = "",
    status: int = 200,
) -> HttpResponse:
    state = _state(fields["state"])
    may = Permission.EDIT_OWN_VIEWS in request.permissions
    context = {
        **frame(request, active=""),
        "fields": fields,
        "n_ticks": len(state.chosen),
        "error": error or ("" if may else READER),
        "error_field": field,
        "refused": not may,
    }
    return render_page(request, "views/new.html", context, part="views/_new.html", status=status)


@action
def save(request: Request, address: str) -> HttpResponse:
    """Save what the list shows as the view's next version. `version`: the one it was made from;
    when another is stored the person is asked (409). `how`: "" at first; then "overwrite", or
    "merge" with whose part counts where both have changed it (`whose-<part>`), both only upon the
    version that was shown (`seen`)."""
    view, form = found_view(request, address), request.POST
    # A form that does not say what it was made from overwrites nothing: it is a conflict.
    version = number_in(form.get("version", "")) or 0
    base = base_of(view, version)
    ticks = bool(TICKS & set(base.state.texts()))
    mine = _texts(form.get("state", ""), ticks=ticks)
    how, seen = form.get("how", ""), number_in(form.get("seen", "")) or 0
    facts: dict[str, Any] = {"base": base.state.kept(ticks=True), "version": version}
    try:
        if how == "merge" and seen == view.version:
            theirs = state_of(view.state).kept(ticks=True)
            choices = {part: form.get(f"whose-{part}", "") for part in PARTS}
            state = merged(facts["base"], mine, theirs, _known(choices))
        else:
            state = mine
        expected = seen if how in ("merge", "overwrite") else version
        saved = save_view(view, by=request.actor, expected_version=expected, state=state)
    except ViewConflict as conflict:
        return _conflict(request, conflict.view, mine, str(conflict), **facts)
    except Invalid as wrong:
        # Deleted meanwhile, or a query that can't be understood: nothing of it is lost.
        fields = _fields_of(view, ViewState.from_query(mine))
        return _form(request, fields, error=f"This can't be saved: {wrong}", status=422)
    except KeyError:
        told = "Say whose part counts, where both of you changed it."
        return _conflict(request, view, mine, told, **facts)
    messages.success(request, f"Saved “{saved.name}”, version {saved.version}.")
    return done(request, permalink(request, saved))


def _known(choices: dict[str, str]) -> dict[str, str]:
    return {
        part: whose
        for part, whose in choices.items()
        if whose in (MINE, THEIRS) or (whose == BOTH and part == "filters")
    }


def _conflict(
    request: Request,
    view: CustomView,
    mine: dict[str, str],
    told: str,
    *,
    base: dict[str, str],
    version: int,
) -> HttpResponse:
    """What both have changed since the version they began with, and three ways on."""
    theirs = state_of(view.state).kept(ticks=True)
    state = ViewState.from_query(mine)
    context = {
        **frame(request, active=""),
        "view": view,
        "told": told,
        "their_changes": differences(base, theirs),
        "my_changes": differences(base, mine),
        "clashes": clashes(base, mine, theirs),
        "version": version,
        "state": state.to_form(),
        "save_as_url": _save_as_url(request, view, state),
    }
    return render_page(
        request, "views/conflict.html", context, part="views/_conflict.html", status=409
    )


def _fields_of(view: CustomView, state: ViewState) -> dict[str, str]:
    """What the form for a new view begins with, in the place of one that can't be saved."""
    name = view.experiment.name if view.experiment else ""
    place = Place.RUNS if view.place == Place.EXPERIMENT and not name else view.place
    return {"state": state.to_form(), "place": place, "experiment": name, "of": view.name}


def _save_as_url(request: Request, view: CustomView, state: ViewState) -> str:
    """The form for a new view of the same list in another state."""
    limits = {"type": "pipeline"} if view.place == Place.PIPELINES else {}
    if view.experiment is not None:
        limits["experiment"] = view.experiment.name
    query = urlencode(state.parameters() | limits, safe=":,")
    return reverse("view-new", args=[request.workspace.name]) + f"?{query}"


def _state(query: str) -> ViewState:
    return ViewState.from_query(QueryDict(query.removeprefix("?"), mutable=True))


def _texts(query: str, *, ticks: bool) -> dict[str, str]:
    return _state(query).kept(ticks=ticks)
