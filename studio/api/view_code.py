"""Custom views as code: YAML out and in."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Path, Router
from ninja.params.functions import Query

from studio.api.access import actor_of, workspace_of
from studio.api.body import UnsupportedMediaType
from studio.api.custom_views import Owner
from studio.api.schemas import Closed, answers, refusals
from studio.api.view_items import UnknownName, no_such_view, require_writing, unknown_items
from studio.custom_views.as_code import ViewReport, export_views, import_views
from studio.custom_views.listing import listed_views
from studio.custom_views.plain_yaml import MAX_BYTES

router = Router(tags=["views"])
REFUSALS = refusals(400, 401, 403, 404, 422, 503)
YAML = "application/yaml"
# What programs sent before the type was registered.
YAML_TYPES = {YAML, "application/x-yaml", "text/yaml", "text/x-yaml"}
# Of what the text holds: a document is an object.
SCHEMA = {YAML: {"schema": {"type": "object"}}}
FILE = {"responses": {200: {"description": "The document", "content": SCHEMA}}}
BODY = {"requestBody": {"required": True, "content": SCHEMA}}


class ImportItem(Closed):
    name: str
    result: str
    reason: str
    changes: str
    unknown: list[UnknownName]
    uid: str | None
    version: int | None


class ImportReport(Closed):
    dry_run: bool
    items: list[ImportItem]


@router.get("/views.yaml", response=REFUSALS, openapi_extra=FILE)
def export_yaml(
    request: HttpRequest,
    workspace: Path[str],
    view: list[str] = Query([]),  # noqa: B008
    owner: Owner = "all",
) -> Any:
    """Views as one YAML document, by name: all that the token's person sees, those of an `owner` as
    in the list, or those named by `view`, which may come again. The same views give the same
    text."""
    room = workspace_of(request, workspace)
    views = listed_views(room, actor_of(request), owner=owner)
    if view:
        uids = {address.rpartition("-")[2]: address for address in view}
        views = views.filter(uid__in=uids)
        found = set(views.values_list("uid", flat=True))
        for uid, address in uids.items():
            if uid not in found:
                raise no_such_view(workspace, address)
    answer = HttpResponse(
        export_views(room, views, by=actor_of(request)), content_type=f"{YAML}; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="views-{room.name}.yaml"'
    return answer


@router.post("/views/import", response=answers(ImportReport), openapi_extra=BODY)
def import_yaml(
    request: HttpRequest, workspace: Path[str], dry_run: bool = False, share: bool = False
) -> Any:
    """Make the own views of the token's person as a YAML document says, and tell what became of
    each. `dry_run`: only tell what would; `share`: also whom each is shared with."""
    room = workspace_of(request, workspace)
    require_writing(request, room)
    if request.content_type not in YAML_TYPES:
        raise UnsupportedMediaType(f"Send YAML, with the header Content-Type: {YAML}.")
    if len(request.body) > MAX_BYTES:
        told = f"The document has {len(request.body):,} bytes; at most {MAX_BYTES:,} are read."
        raise RequestDataTooBig(told)
    reports = import_views(room, request.body, by=actor_of(request), dry_run=dry_run, share=share)
    return JsonResponse({"dry_run": dry_run, "items": [_item(report) for report in reports]})


def _item(report: ViewReport) -> dict[str, Any]:
    return {
        **{name: getattr(report, name) for name in ("name", "result", "reason", "changes")},
        "unknown": unknown_items(report.unknown),
        "uid": report.uid or None,
        "version": report.version or None,
    }
