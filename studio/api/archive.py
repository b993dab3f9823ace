"""Runs with everything they have as one ZIP."""

from typing import Any

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema
from pydantic import Field

from studio.api.access import actor_of, workspace_of
from studio.api.schemas import refusals
from studio.bulk.selection import Selection, checked, selected_ids
from studio.custom_views.as_code import export_views
from studio.custom_views.listing import shared_views
from studio.exports.archive import archive_of
from studio.exports.download import download_archive

router = Router(tags=["runs"])
REFUSALS = refusals(400, 401, 403, 404, 422, 503)
FILE = {
    "responses": {
        200: {
            "description": "The archive",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


class Archived(Schema):
    """Which runs: those that `query` matches, or those named; without either the whole workspace
    with its shared views."""

    query: str | None = Field(None, description="Root runs that match; empty for all of them")
    experiment: str = Field("", description="Only runs of this experiment")
    runs: str = Field("", description="Ids, separated by commas, instead of a query")


@router.get("/export.zip", response=REFUSALS, openapi_extra=FILE)
def export_archive(request: HttpRequest, workspace: Path[str], wanted: Query[Archived]) -> Any:
    """Runs with their child runs, points, files, logs, sources and history as a ZIP that imports
    again (`manage.py import studio-zip`), made while it is sent."""
    room = workspace_of(request, workspace)
    user, views = actor_of(request).user, ""
    uids = tuple(uid for uid in wanted.runs.split(",") if uid)
    is_whole = not uids and wanted.query is None and not wanted.experiment
    if is_whole:
        views = export_views(room, shared_views(room, and_of=None), by=actor_of(request))
    selection = Selection(
        uids=uids or None,
        query=wanted.query or "",
        experiment=wanted.experiment,
    )
    ids = selected_ids(checked(selection), room, user=user, is_whole=is_whole)
    return download_archive(request, archive_of(room, ids, views=views), name=f"runs-{room}")
