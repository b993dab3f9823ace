"""Images of descriptions: taken in from the editor, and shown to members of the workspace."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse

from studio.artifacts.actions import TooLarge
from studio.artifacts.attachments import (
    ImageTooLarge,
    attach_image,
    find_attachment,
    markdown_of,
    open_attachment,
)
from studio.artifacts.serving import Pieces, disposition, inert
from studio.blobs import BlobNotFound, StorageFull
from studio.runs.limits import Invalid
from studio.runs.models import Attachment, Experiment, Run
from studio.web import experiment_actions, run_description
from studio.web.access import Request, action, find_experiment, find_run, page
from studio.web.description_editor import read_from
from studio.web.render import wants_part
from studio.web.typed import typed_text

MOST_AT_ONCE = 20
NONE_CHOSEN = "Choose one or more images first."
FULL = "The studio's storage is full; nothing was stored. Ask its admin for room."
# What lies at such an address never changes; not for good, because a member may leave.
KEPT_S = 7 * 24 * 3600


@action
def add_to_run(request: Request, uid: str) -> HttpResponse:
    """Store images for the description of a run; see `_added`."""
    run = find_run(request, uid)

    def form(text: str, error: str, status: int) -> HttpResponse:
        draft = run_description.typed(request, run)
        draft.text = text
        return run_description.form(request, run, draft, error=error, status=status)

    return _added(request, run, form)


@action
def add_to_experiment(request: Request, name: str) -> HttpResponse:
    """Store images for the description of an experiment; see `_added`."""
    experiment = find_experiment(request, name)

    def form(text: str, error: str, status: int) -> HttpResponse:
        version = read_from(request)
        how: dict[str, Any] = {"error": error, "status": status}
        return experiment_actions.form(request, experiment, text, version, **how)

    return _added(request, experiment, form)


def _added(
    request: Request,
    described: Run | Experiment,
    form: Callable[[str, str, int], HttpResponse],
) -> HttpResponse:
    """Scripts get the Markdown that shows the images, or words, as plain text; a browser without
    them the editor again, with what was typed and the images below it."""
    lines: list[str] = []
    error, status = "", 200
    try:
        for image in _images(request):
            stored = attach_image(described, image.name or "", image, by=request.actor)
            lines.append(markdown_of(stored))
    except Invalid as wrong:
        error, status = str(wrong), 422
    except TooLarge as large:
        error, status = str(large), 413
    except StorageFull:
        error, status = FULL, 507
    if wants_part(request):
        answer = HttpResponse(error or "\n".join(lines), status=status, content_type="text/plain")
        answer["X-Content-Type-Options"] = "nosniff"
        return answer
    text = "\n\n".join(part for part in (typed_text(request), *lines) if part)
    return form(text, error, status)


def _images(request: Request) -> list[Any]:
    """The files of the form. Raises Invalid without any, ImageTooLarge where they were too much to
    be read (settings.FILE_UPLOAD_MAX_MEMORY_SIZE)."""
    found = request.FILES.getlist("image")
    if not found:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            raise ImageTooLarge("image")
        raise Invalid("image", NONE_CHOSEN)
    if len(found) > MOST_AT_ONCE:
        raise Invalid("image", f"At most {MOST_AT_ONCE} images at once.")
    return found


@page
def show(request: Request, digest: str) -> HttpResponseBase:
    """One image, inline: its bytes were looked at when it was stored."""
    image = find_attachment(request.workspace, digest)
    if image is None:
        raise Http404("There is no such image in this workspace.")
    tag = f'"{image.digest}"'
    answer: HttpResponseBase
    if request.headers.get("If-None-Match") == tag:
        answer = HttpResponse(status=304)
    else:
        answer = StreamingHttpResponse(_pieces(image))
        answer["Content-Length"] = str(image.n_bytes)
        answer["Content-Disposition"] = disposition(image.name, kind="inline")
    answer["ETag"] = tag
    answer["Cache-Control"] = f"private, max-age={KEPT_S}, immutable"
    return inert(answer, kind=image.content_type)


def _pieces(image: Attachment) -> Pieces:
    try:
        return Pieces(open_attachment(image))
    except BlobNotFound as lost:
        raise Http404("Storage has lost this image.") from lost
