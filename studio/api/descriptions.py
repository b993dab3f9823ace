"""The versions of a description: what it said before, by whom, and bringing one back. The same for
runs and experiments."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Path, Router
from pydantic import Field

from studio.api.access import actor_of, experiment_of, run_of, workspace_of
from studio.api.body import documented, read_body
from studio.api.events import row_id
from studio.api.experiments import experiment_answer
from studio.api.paging import Limit
from studio.api.runs import run_answer
from studio.api.schemas import Closed, ExperimentItem, RunItem, answers
from studio.api.serialize import iso
from studio.runs.actions.restore_description import (
    restore_description,
    restore_experiment_description,
)
from studio.runs.description_versions import Version, versions_of
from studio.runs.models import Experiment, Run
from studio.wire.changes import DescriptionRestore

router = Router(tags=["descriptions"])


class VersionItem(Closed):
    version: int
    text: str
    actor: str
    at: str
    note: str = Field(description="Where the text came from, if nobody wrote it anew")


class DescriptionVersions(Closed):
    items: list[VersionItem]
    next: str | None
    newest: int = Field(description="The version that is shown; 0 for none")


@router.get("/runs/{uid}/description/versions", response=answers(DescriptionVersions))
def list_run_versions(
    request: HttpRequest, workspace: Path[str], uid: str, cursor: str = "", limit: int = Limit
) -> Any:
    """Every text that the run's description had, the newest first."""
    return _listed(run_of(request, workspace, uid), cursor, limit)


@router.post(
    "/runs/{uid}/description/restore",
    response=answers(RunItem),
    openapi_extra=documented(DescriptionRestore),
)
def restore_run_version(request: HttpRequest, workspace: Path[str], uid: str) -> Any:
    """Save the text of a version again, as the newest one."""
    run, asked = run_of(request, workspace, uid), read_body(request, DescriptionRestore)
    expected = asked.description_version
    restore_description(run, asked.version, by=actor_of(request), expected_version=expected)
    return run_answer(request, run)


@router.get("/experiments/{name}/description/versions", response=answers(DescriptionVersions))
def list_experiment_versions(
    request: HttpRequest, workspace: Path[str], name: str, cursor: str = "", limit: int = Limit
) -> Any:
    """As of a run, of an experiment."""
    return _listed(_experiment(request, workspace, name), cursor, limit)


@router.post(
    "/experiments/{name}/description/restore",
    response=answers(ExperimentItem),
    openapi_extra=documented(DescriptionRestore),
)
def restore_experiment_version(request: HttpRequest, workspace: Path[str], name: str) -> Any:
    """As of a run, of an experiment."""
    found = _experiment(request, workspace, name)
    asked, by = read_body(request, DescriptionRestore), actor_of(request)
    expected = asked.description_version
    restore_experiment_description(found, asked.version, by=by, expected_version=expected)
    return experiment_answer(request, found)


def _experiment(request: HttpRequest, workspace: str, name: str) -> Experiment:
    room = workspace_of(request, workspace)
    found = experiment_of(room, name)
    found.workspace = room
    return found


def _listed(described: Run | Experiment, cursor: str, limit: int) -> JsonResponse:
    below = row_id("cursor", cursor) if cursor else None
    found = versions_of(described, below=below, size=limit)
    return JsonResponse(
        {
            "items": [_item(version) for version in found.versions],
            "next": None if found.below is None else str(found.below),
            "newest": found.newest,
        }
    )


def _item(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "text": version.text,
        "actor": version.actor,
        "at": iso(version.at),
        "note": version.note,
    }
