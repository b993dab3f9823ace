"""Files of runs and of logged models: put, got, listed and removed, streamed both ways.

The errors of a PUT come before its body is read; the gate then drops the body, so that the next
request on the connection is understood.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.http import HttpResponseBase

from studio.accounts.permissions import Permission
from studio.artifacts.actions import find_artifact, put_artifact
from studio.artifacts.bodies import Upload
from studio.artifacts.listing import entries_in
from studio.artifacts.removing import remove_artifacts
from studio.artifacts.serving import attachment
from studio.mlflow_api.answers import filled
from studio.mlflow_api.artifact_paths import (
    Place,
    checked_label,
    files_at,
    place_in_run,
    place_of,
)
from studio.mlflow_api.asked import Asked
from studio.mlflow_api.errors import MlflowError, missing, wrong
from studio.mlflow_api.finding import refuse_if_cancelled, run_id_of
from studio.mlflow_api.runs_json import artifact_uri_of
from studio.runs.actions.rights import require_on


def put(asked: Asked, path: str) -> Mapping[str, Any]:
    """Store the body as a file; an earlier one of that path is replaced."""
    place = place_of(asked, path, writes=True)
    if not place.inside:
        raise wrong("Name a file below the artifacts.")
    refuse_if_cancelled(place.run)
    require_on(asked.actor, Permission.LOG_TO_RUN, place.run)
    body = Upload(asked.request, name=place.inside, limit_bytes=settings.MAX_ARTIFACT_BYTES)
    kind = asked.request.content_type
    stream = cast(BinaryIO, body)
    put_artifact(place.run, place.label, stream, by=asked.actor, content_type=kind)
    return {}


def get(asked: Asked, path: str) -> HttpResponseBase:
    """The bytes of a file, as a download; `Range` is honoured."""
    return _download(asked, place_of(asked, path))


def delete(asked: Asked, path: str) -> Mapping[str, Any]:
    """Remove a file, or a folder with all below it."""
    place = place_of(asked, path, writes=True)
    if not place.inside:
        raise wrong("Name a file or folder. All files of a run go when the run is deleted.")
    if not remove_artifacts(place.run, place.label, by=asked.actor):
        raise missing(f"There is no file “{place.inside[:200]}”.")
    return {}


def listing(asked: Asked) -> Mapping[str, Any]:
    """What lies in a folder, by base names."""
    place = place_of(asked, asked.text("path"))
    return filled(files=_entries(place))


def list_of_run(asked: Asked) -> Mapping[str, Any]:
    """What lies in a folder of a run, by paths from its top."""
    place = place_in_run(asked, run_id_of(asked), checked_label(asked.text_or("path")))
    start = f"{place.inside}/" if place.inside else ""
    return filled(root_uri=artifact_uri_of(place.run), files=_entries(place, start=start))


def get_of_run(asked: Asked) -> HttpResponseBase:
    """The bytes of a file that the query names by run and path."""
    inside = checked_label(asked.text("path"))
    return _download(asked, place_in_run(asked, run_id_of(asked), inside))


def in_parts(asked: Asked, rest: str = "") -> Mapping[str, Any]:
    """What clients ask for only where the server says that it has it."""
    raise MlflowError(
        "NOT_IMPLEMENTED",
        "Files are put and got whole, through this server: it takes no uploads in parts and hands "
        "out no presigned addresses.",
    )


def _download(asked: Asked, place: Place) -> HttpResponseBase:
    artifact = find_artifact(place.run, place.label) if place.inside else None
    if artifact is None:
        raise missing(f"There is no file “{place.inside[:200]}”.")
    return attachment(asked.request, artifact)


def _entries(place: Place, *, start: str = "") -> list[dict[str, Any]]:
    return [
        filled(path=start + each.name, file_size=each.n_bytes) | {"is_dir": each.n_bytes is None}
        for each in entries_in(files_at(place), place.label)
    ]
