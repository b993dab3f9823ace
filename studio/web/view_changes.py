"""What else is done with a view: name and description, copies, deletion, pins, defaults."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from studio.custom_views.actions import (
    ViewConflict,
    bring_back,
    delete_view,
    duplicate_view,
    save_view,
)
from studio.custom_views.finding import find_deleted_view
from studio.custom_views.models import CustomView
from studio.custom_views.rights import rights
from studio.custom_views.sharing import (
    drop_default,
    note_use,
    order_pins,
    pin_view,
    set_default,
)
from studio.runs.limits import Invalid
from studio.web.access import Request, action, page
from studio.web.frame import frame
from studio.web.render import back, done, render_page
from studio.web.typed import number_in, typed_text
from studio.web.view_bar import permalink
from studio.web.views_found import found_view


@page
def details_form(request: Request, address: str) -> HttpResponse:
    """Name and description as a form."""
    view = found_view(request, address)
    return _form(request, view, view.name, view.description)


@action
def details(request: Request, address: str) -> HttpResponse:
    """Save name and description as the view's next version; nothing is lost in a conflict."""
    view, form = found_view(request, address), request.POST
    name, text = form.get("name", ""), typed_text(request, "description")
    version = number_in(form.get("version", "")) or 0
    try:
        saved = save_view(
            view,
            by=request.actor,
            expected_version=version,
            # Who may only edit sends the name as it was.
            name=None if name == view.name else name,
            description=text,
        )
    except Invalid as wrong:
        facts = {"error": str(wrong), "field": wrong.field}
        return _form(request, view, name, text, **facts, status=422)
    except ViewConflict as conflict:
        told = f"{conflict.view.changed_by} saved this view meanwhile. Saving again keeps yours."
        return _form(request, conflict.view, name, text, error=told, status=409)
    messages.success(request, f"Saved “{saved.name}”.")
    return done(request, permalink(request, saved))


def _form(
    request: Request,
    view: CustomView,
    name: str,
    text: str,
    *,
    error: str = "",
    field: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        **frame(request, active=""),
        "view": view,
        "view_rights": rights(request.actor, view),
        "typed": {"name": name, "description": text},
        "error": error,
        "error_field": field,
    }
    return render_page(
        request, "views/details.html", context, part="views/_details.html", status=status
    )


@action
def duplicate(request: Request, address: str) -> HttpResponse:
    """An own copy of the view, opened."""
    view = found_view(request, address)
    try:
        copy = duplicate_view(view, by=request.actor)
    except Invalid as wrong:
        messages.error(request, str(wrong))
        return done(request, permalink(request, view))
    messages.success(request, f"Saved “{copy.name}”. Only you see it until you share it.")
    return done(request, permalink(request, copy))


@action
def delete(request: Request, address: str) -> HttpResponse:
    """Take the view away; the page of all views offers Undo."""
    view = found_view(request, address)
    delete_view(view, by=request.actor)
    here = reverse("view-list", args=[request.workspace.name])
    return done(request, f"{here}?deleted={view.uid}")


@action
def undelete(request: Request, address: str) -> HttpResponse:
    """Undo a deletion; for who could delete it."""
    view = find_deleted_view(request.workspace, request.actor, address)
    if view is None:
        raise Http404("There is no such view, or it is not shared with you.")
    try:
        bring_back(view, by=request.actor)
    except Invalid as wrong:
        messages.error(request, str(wrong))
        return done(request, reverse("view-list", args=[request.workspace.name]))
    messages.success(request, f"“{view.name}” is back.")
    return done(request, permalink(request, view))


@action
def pin(request: Request, address: str) -> HttpResponse:
    """`pinned`: 1 puts the view in the person's sidebar, 0 takes it away."""
    view = found_view(request, address)
    pinned = request.POST.get("pinned") == "1"
    try:
        pin_view(view, by=request.actor, pinned=pinned)
    except Invalid as wrong:
        messages.error(request, str(wrong))
    return done(request, back(request, permalink(request, view)))


@action
def order(request: Request) -> HttpResponse:
    """Put the person's pins in the order of the fields `view`."""
    order_pins(request.workspace, request.POST.getlist("view"), by=request.actor)
    if request.htmx:
        return HttpResponse(status=204)
    return done(request, back(request, reverse("view-list", args=[request.workspace.name])))


@action
def default(request: Request, address: str) -> HttpResponse:
    """`on`: 1 opens the list with this view, 0 no longer; `everyone`: 1 for the whole workspace."""
    view, form = found_view(request, address), request.POST
    for_everyone = form.get("everyone") == "1"
    if form.get("on") == "1":
        try:
            set_default(view, by=request.actor, for_everyone=for_everyone)
        except Invalid as wrong:
            messages.error(request, str(wrong))
            return done(request, permalink(request, view))
        whom = "everyone without a default of their own" if for_everyone else "you"
        messages.success(request, f"“{view.name}” opens this list for {whom}.")
    else:
        drop_default(
            request.workspace,
            view.place,
            view.experiment,
            by=request.actor,
            for_everyone=for_everyone,
        )
        messages.success(request, f"“{view.name}” is no default any more.")
    return done(request, back(request, permalink(request, view)))


@action
def used(request: Request, address: str) -> HttpResponse:
    """The person's browser has opened the view; reading it stores nothing by itself."""
    note_use(found_view(request, address), by=request.actor)
    return HttpResponse(status=204)
