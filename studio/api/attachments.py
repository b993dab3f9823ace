"""Images of descriptions: upload one, then name it in the Markdown that comes back."""

from typing import Any, BinaryIO, cast

from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja import Path, Router

from studio.api.access import NotFound, actor_of, experiment_of, run_of, workspace_of
from studio.api.body import RAW_BODY
from studio.api.schemas import Closed, answers
from studio.artifacts import attachments
from studio.artifacts.bodies import Upload
from studio.artifacts.serving import Pieces, disposition, inert
from studio.blobs import BlobNotFound
from studio.runs.models import Attachment, Experiment, Run

router = Router(tags=["descriptions"])
BYTES: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The image",
            "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


class ImageItem(Closed):
    """`markdown` shows the image in a description of the same workspace."""

    digest: str
    name: str
    content_type: str
    size: int
    markdown: str


@router.post(
    "/runs/{uid}/images",
    response=answers(ImageItem, made=ImageItem),
    openapi_extra=RAW_BODY,
)
def add_image_to_run(request: HttpRequest, workspace: Path[str], uid: str, file: str = "") -> Any:
    """Store the body, a PNG, JPEG, GIF or WebP called `file`, for the description of the run. An
    image that no saved description names is gone after a day."""
    return _added(request, run_of(request, workspace, uid), file)


@router.post(
    "/experiments/{name}/images",
    response=answers(ImageItem, made=ImageItem),
    openapi_extra=RAW_BODY,
)
def add_image_to_experiment(
    request: HttpRequest, workspace: Path[str], name: str, file: str = ""
) -> Any:
    """As for a run, for the description of an experiment."""
    room = workspace_of(request, workspace)
    found = experiment_of(room, name)
    found.workspace = room
    return _added(request, found, file)


def _added(request: HttpRequest, described: Run | Experiment, name: str) -> JsonResponse:
    body = Upload(
        request,
        name=name,
        limit_bytes=attachments.MAX_IMAGE_BYTES,
        refusal=attachments.ImageTooLarge,
    )
    image = attachments.attach_image(described, name, cast(BinaryIO, body), by=actor_of(request))
    return JsonResponse(_item(image), status=201)


def _item(image: Attachment) -> dict[str, Any]:
    return {
        "digest": image.digest,
        "name": image.name,
        "content_type": image.content_type,
        "size": image.n_bytes,
        "markdown": attachments.markdown_of(image),
    }


@router.get("/attachments/{digest}", openapi_extra=BYTES)
def get_image(request: HttpRequest, workspace: Path[str], digest: str) -> HttpResponseBase:
    """The bytes of an image that a description names as `attachment:<digest>`."""
    image = attachments.find_attachment(workspace_of(request, workspace), digest)
    if image is None:
        raise NotFound("There is no such image in this workspace.")
    try:
        source = attachments.open_attachment(image)
    except BlobNotFound as lost:
        raise NotFound("Storage has lost this image.") from lost
    answer = StreamingHttpResponse(Pieces(source))
    answer["Content-Length"] = str(image.n_bytes)
    answer["Content-Disposition"] = disposition(image.name, kind="inline")
    return inert(answer, kind=image.content_type)
