"""A list of runs as a file: all that match, not only a page; or those that are ticked."""

from django.http import HttpResponse, HttpResponseBase

from studio.exports.archive import archive_of
from studio.exports.download import download, download_archive
from studio.exports.formats import CSV, FORMATS
from studio.exports.table import table_of
from studio.search.errors import SearchSyntaxError
from studio.web.access import Request, page
from studio.web.run_list_reading import listing_aside, matching, order_of, reading_of
from studio.web.run_rows import Listing

ZIP = "zip"


@page
def export(request: Request) -> HttpResponseBase:
    """The runs of the list as the parameter `format` says, in its order and with its columns; the
    ticked ones with `only`. `zip`: with everything they have, and their child runs. What can't be
    understood is 422, in words."""
    wanted = request.GET.get("format", CSV.name)
    kind = FORMATS.get(wanted)
    if kind is None and wanted != ZIP:
        return _refusal(f"There is no such format. There are: {', '.join((*FORMATS, ZIP))}.")
    listing = listing_aside(request)
    reading = reading_of(listing)
    if wrong := reading.wrong:
        return _mistake(wrong.field, wrong.position, wrong.message, wrong.example)
    try:
        runs = matching(request, listing, reading.node)
    except SearchSyntaxError as error:
        return _mistake(error.field, error.position, error.message, error.example)
    if kind is None:
        archive = archive_of(request.workspace, runs)
        return download_archive(request, archive, name=_name(request, listing))
    columns = [shown.column for shown in reading.columns]
    table = table_of(runs, columns, order_of(request, reading))
    return download(request, table, kind, name=_name(request, listing))


def _name(request: Request, listing: Listing) -> str:
    what = f"{listing.type}s" if listing.type else "runs"
    if listing.parent is not None:
        return f"child-runs-{request.workspace.name}-{listing.parent.short_uid}"
    parts = [what, request.workspace.name]
    if listing.experiment is not None:
        parts.append(listing.experiment.name)
    return "-".join(parts)


def _mistake(field: str, position: int, message: str, example: str) -> HttpResponse:
    place = f"In “{field}”, at character {position + 1}"
    return _refusal(f"{place}: {message}\nThis one can be understood: {example}")


def _refusal(message: str) -> HttpResponse:
    text = f"The list was not exported.\n{message}\n"
    return HttpResponse(text, status=422, content_type="text/plain; charset=utf-8")
