"""Parts of a list with an open view that are asked for by themselves."""

from django.http import HttpResponse

from studio.custom_views.gone import missing_names
from studio.web.access import Request, page
from studio.web.frame import frame
from studio.web.render import render_parts
from studio.web.run_list_reading import listing_aside
from studio.web.view_bar import view_context


@page
def bar(request: Request) -> HttpResponse:
    """The bar of the open view, for an address that scripts have changed."""
    listing = listing_aside(request)
    context = {
        **frame(request, active="runs"),
        **view_context(request, listing),
        "listing": listing,
        "state": listing.state,
    }
    return render_parts(request, ["views/_bar.html"], context)


@page
def lost(request: Request) -> HttpResponse:
    """Names of the list's state that no run has (V9), in a note that takes the place of its asker;
    an empty one for none."""
    listing = listing_aside(request)
    context = {"lost": missing_names(request.workspace, listing.state)}
    return render_parts(request, ["views/_lost.html"], context)
