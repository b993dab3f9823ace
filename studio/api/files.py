"""Files of runs, growing logs, and the sources of submissions: bytes in and out, streamed."""

from typing import Any, BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from ninja import Path, Query, Router

from studio import wire
from studio.api.access import (
    NotFound,
    actor_of,
    count_uploads,
    run_of,
    run_to_log_to,
    workspace_of,
)
from studio.api.body import RAW_BODY, documented, read_body
from studio.api.file_schemas import (
    ArtifactItem,
    ArtifactPage,
    BlobItem,
    BlobList,
    LogSize,
    MissingList,
    SnapshotFiles,
    SnapshotItem,
)
from studio.api.paging import DEFAULT_LIMIT, MAX_LIMIT, page
from studio.api.schemas import answers
from studio.api.serialize import iso
from studio.artifacts import actions, bundles, logs, snapshots
from studio.artifacts.bodies import Upload, read_piece
from studio.artifacts.find_answers import find_answer
from studio.artifacts.finding import HITS_SENT, Asked, read_cursor
from studio.artifacts.hits import MAX_CONTEXT
from studio.artifacts.models import MAIN_LOG, Artifact, Snapshot
from studio.artifacts.ripgrep import Pattern, checked
from studio.artifacts.serving import attachment, disposition, inert, zip_answer
from studio.runs.models import Run
from studio.wire.bundles import MAX_BUNDLE_BYTES

router = Router(tags=["files"])

MAX_LOG_PIECE = 4 * 1024 * 1024
BYTES: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The bytes",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    }
}
HITS: dict[str, Any] = {
    "responses": {
        200: {
            "description": "Hits, progress and one ending, each a line of JSON",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    }
}


@router.get("/runs/{uid}/artifacts", response=answers(ArtifactPage))
def list_artifacts(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    prefix: str = "",
    cursor: str = "",
    limit: Query[int] = DEFAULT_LIMIT,
) -> Any:
    """The run's files in the order of their paths."""
    run = run_of(request, workspace, uid)
    limit = max(1, min(limit, MAX_LIMIT))
    files = Artifact.objects.of(run, below=prefix).order_by("path")
    if cursor:
        files = files.filter(path__gt=cursor)
    found = list(files[: limit + 1])
    return page(found, limit=limit, item=lambda file: artifact_dict(file, run), cursor=_path)


def _path(artifact: Artifact) -> str:
    return artifact.path


def artifact_dict(artifact: Artifact, run: Run) -> dict[str, Any]:
    top = artifact.path.partition("/")[0]
    return {
        "path": artifact.path,
        "size": artifact.n_bytes,
        "digest": artifact.digest or None,
        "content_type": artifact.content_type,
        "kind": top if top in {"outputs", "logs"} else "file",
        "complete": logs.is_finished(artifact, run),
        "damage": artifact.damage,
        "updated_at": iso(artifact.updated_at),
    }


@router.put(
    "/runs/{uid}/artifacts/{path:path}",
    response=answers(ArtifactItem, made=ArtifactItem),
    openapi_extra=RAW_BODY,
)
def put_artifact(request: HttpRequest, workspace: Path[str], uid: str, path: str) -> Any:
    """Store the body as a file of the run; an earlier file of that path is replaced."""
    run = run_of(request, workspace, uid)
    body = Upload(request, name=path, limit_bytes=settings.MAX_ARTIFACT_BYTES)
    artifact = actions.put_artifact(
        run, path, cast(BinaryIO, body), by=actor_of(request), content_type=request.content_type
    )
    return JsonResponse(artifact_dict(artifact, run), status=201)


@router.get("/runs/{uid}/artifacts/{path:path}", openapi_extra=BYTES)
def get_artifact(
    request: HttpRequest, workspace: Path[str], uid: str, path: str
) -> HttpResponseBase:
    """The bytes of a file, as a download; `Range` is honoured."""
    run = run_of(request, workspace, uid)
    return attachment(request, find_artifact(run, path))


def find_artifact(run: Run, path: str) -> Artifact:
    found = actions.find_artifact(run, path)
    if found is None:
        raise NotFound(f"The run has no file “{path[:200]}”.")
    return found


@router.post("/runs/{uid}/logs/{path:path}", response=answers(LogSize), openapi_extra=RAW_BODY)
def append_log(
    request: HttpRequest, workspace: Path[str], uid: str, path: str, offset: Query[int]
) -> Any:
    """Append the body at byte `offset`; bytes that are there already are skipped."""
    run, actor = run_to_log_to(request, workspace, uid)
    data = read_piece(request, name=path, limit_bytes=MAX_LOG_PIECE)
    return {"size": logs.append_log(run, path, offset, data, by=actor)}


@router.get("/runs/{uid}/logs/{path:path}", openapi_extra=BYTES)
def read_log(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    path: str,
    offset: Query[int] = 0,
    limit: Query[int] = 65536,
) -> HttpResponseBase:
    """Bytes of a log from `offset`, with its size and whether it grows no more in headers."""
    run = run_of(request, workspace, uid)
    artifact = find_artifact(run, path)
    limit = max(0, min(limit, MAX_LOG_PIECE))
    # Asked before reading: what is read from a finished log is all of it.
    is_finished = logs.is_finished(artifact, run)
    window = logs.read_window(artifact, offset, offset + limit)
    answer = HttpResponse(window.data)
    answer["X-Log-Size"] = str(window.size)
    answer["X-Log-Complete"] = "1" if is_finished else "0"
    answer["Content-Disposition"] = disposition(artifact.path)
    return inert(answer)


@router.get("/runs/{uid}/find", openapi_extra=HITS)
def find_in_file(
    request: HttpRequest,
    workspace: Path[str],
    uid: str,
    find: str,
    path: str = MAIN_LOG,
    regex: bool = False,
    case: bool = False,
    word: bool = False,
    context: int = 0,
    most: int = HITS_SENT,
    after: str = "",
) -> HttpResponseBase:
    """Find a text, or with `regex` an expression of linear time, in all of a file, also while it
    grows; upper and lower case are the same unless `case`. `context`: lines around each hit, at
    most 5; `after`: the `next` of an earlier ending.

    Lines of JSON: `hit` (line, byte `start` of the line, byte `at` of the first match, `parts` of
    text with whether each matched, `before`, `after`), `progress`, and one `end` (`n` lines match,
    or that many and more unless `is_exact`; `next`: where to go on, null at the end of the file).
    To stop, close the connection. 422 for what can't be found, 429 when too many search at once.
    """
    run = run_of(request, workspace, uid)
    artifact = find_artifact(run, path)
    pattern = checked(Pattern(find, regex, case, word))
    start, line = read_cursor(after)
    asked = Asked(start, line, max(1, min(most, HITS_SENT)), max(0, min(context, MAX_CONTEXT)))
    user = actor_of(request).user
    return find_answer(artifact, pattern, asked, user_id=user.pk if user else 0)


@router.post(
    "/snapshots/missing", response=answers(MissingList), openapi_extra=documented(wire.DigestList)
)
def missing_blobs(request: HttpRequest, workspace: Path[str]) -> Any:
    """Which of these source files must be uploaded."""
    found = workspace_of(request, workspace)
    body = read_body(request, wire.DigestList)
    return {"missing": snapshots.missing(found, body.digests, by=actor_of(request))}


@router.put("/blobs/{digest}", response=answers(BlobItem, made=BlobItem), openapi_extra=RAW_BODY)
def put_blob(request: HttpRequest, workspace: Path[str], digest: str) -> Any:
    """Upload one source file under its SHA-256."""
    found = workspace_of(request, workspace)
    body = Upload(
        request,
        name=digest,
        limit_bytes=settings.SNAPSHOT_MAX_BYTES,
        refusal=snapshots.SourceTooLarge,
    )
    blob = snapshots.store_blob(found, digest, cast(BinaryIO, body), by=actor_of(request))
    return JsonResponse({"digest": blob.digest, "size": blob.n_bytes}, status=201)


@router.post("/blobs", response=answers(BlobList, made=BlobList), openapi_extra=RAW_BODY)
def put_blobs(request: HttpRequest, workspace: Path[str]) -> Any:
    """Upload many small source files at once: at most 200, in a body of at most 4 MB.

    Of each, one after another with nothing between: its SHA-256 in 64 hexadecimal digits, a space,
    its length in 7 decimal digits, a line feed, its bytes. A body with any fault is refused whole;
    after a fault of the storage, what was stored is no longer missing. Counts as so many uploads.
    """
    found = workspace_of(request, workspace)
    body = Upload(
        request, name="blobs", limit_bytes=MAX_BUNDLE_BYTES, refusal=bundles.BundleTooLarge
    )
    stored = bundles.store_bundle(found, cast(BinaryIO, body), by=actor_of(request))
    count_uploads(request, len(stored) - 1)
    items = [{"digest": digest, "size": n_bytes} for digest, n_bytes in stored.items()]
    return JsonResponse({"blobs": items}, status=201)


@router.post(
    "/snapshots",
    response=answers(SnapshotItem, made=SnapshotItem),
    openapi_extra=documented(wire.SnapshotCreate),
)
def make_snapshot(request: HttpRequest, workspace: Path[str]) -> Any:
    """Name a set of uploaded files; the same set again is the same snapshot."""
    found = workspace_of(request, workspace)
    body = read_body(request, wire.SnapshotCreate)
    snapshot = snapshots.make_snapshot(found, body.files, by=actor_of(request))
    n_files = len(snapshot.files)
    item = {"id": snapshot.digest, "n_files": n_files, "n_bytes": snapshot.n_bytes}
    return JsonResponse(item, status=201)


@router.get("/snapshots/{digest}", response=answers(SnapshotFiles))
def get_snapshot(request: HttpRequest, workspace: Path[str], digest: str) -> Any:
    """The files of a snapshot."""
    found = find_snapshot(request, workspace, digest)
    return {"id": found.digest, "files": found.files}


@router.get("/snapshots/{digest}/zip", openapi_extra=BYTES)
def get_snapshot_zip(request: HttpRequest, workspace: Path[str], digest: str) -> HttpResponseBase:
    """The files of a snapshot as a ZIP archive."""
    found = find_snapshot(request, workspace, digest)
    return zip_answer(f"snapshot-{found.digest[:12]}.zip", snapshots.zip_members(found))


def find_snapshot(request: HttpRequest, workspace: str, digest: str) -> Snapshot:
    try:
        return snapshots.find(workspace_of(request, workspace), digest)
    except snapshots.SnapshotNotFound as error:
        raise NotFound(str(error)) from error
