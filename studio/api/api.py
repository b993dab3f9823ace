"""The JSON API, version 1: every address, one error shape, one way to sign in."""

from ninja import NinjaAPI

from studio.api import (
    alert_rules,
    attachments,
    bulk,
    creating,
    custom_views,
    events,
    experiments,
    export,
    files,
    keeping,
    labels,
    log_lines,
    metric_values,
    metrics,
    steps,
    tags,
    targets,
    view_code,
    workspaces,
)
from studio.api.access import TokenAuth
from studio.api.errors import add_handlers

IN_WORKSPACE = "/workspaces/{workspace}"

api = NinjaAPI(
    title="studio",
    version="1",
    description="Track machine-learning training runs. Send `Authorization: Bearer <token>`.",
    urls_namespace="api",
    auth=TokenAuth(),
)
add_handlers(api)
api.add_router("", workspaces.router)
for part in (
    experiments,
    creating,
    steps,
    labels,
    metric_values,
    metrics,
    files,
    log_lines,
    keeping,
    bulk,
    export,
    tags,
    targets,
    view_code,
    custom_views,
    attachments,
    events,
    alert_rules,
):
    api.add_router(IN_WORKSPACE, part.router)
api.add_router(f"{IN_WORKSPACE}/work", bulk.works)
