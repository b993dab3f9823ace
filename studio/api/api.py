"""The JSON API, version 1: every address, one error shape, one way to sign in."""

from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from studio.api import (
    alert_rules,
    archive,
    attachments,
    bulk,
    creating,
    custom_views,
    descriptions,
    events,
    experiments,
    export,
    files,
    keeping,
    labels,
    lineage,
    log_lines,
    members,
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
from studio.api.repeating import PARAMETER, takes_key, with_key
from studio.api.schemas import ErrorBody, Refusal

IN_WORKSPACE = "/workspaces/{workspace}"
REF = "#/components/schemas/{model}"


class Api(NinjaAPI):
    def get_openapi_schema(self, **asked: Any) -> OpenAPISchema:
        """The document, with the one shape of every refusal, and the header of changes."""
        document = super().get_openapi_schema(**asked)
        parts = document["components"]["schemas"]
        for model in (Refusal, ErrorBody):
            told = model.model_json_schema(ref_template=REF)
            told.pop("$defs", None)
            parts[model.__name__] = told
        content = {"application/json": {"schema": {"$ref": REF.format(model=Refusal.__name__)}}}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if takes_key(method, path):
                    operation["parameters"].append(PARAMETER)
                for code, answer in operation["responses"].items():
                    if int(code) >= HTTPStatus.BAD_REQUEST:
                        answer.setdefault("content", content)
        return document


api = Api(
    title="studio",
    version="1",
    description="Track machine-learning training runs. Send `Authorization: Bearer <token>`.",
    urls_namespace="api",
    auth=TokenAuth(),
)
add_handlers(api)
api.add_decorator(with_key)
api.add_router("", workspaces.router)
# First what programs ask hundreds of times a second: addresses are tried one after the other.
for part in (
    metrics,
    creating,
    experiments,
    steps,
    labels,
    metric_values,
    files,
    lineage,
    log_lines,
    keeping,
    bulk,
    export,
    archive,
    tags,
    targets,
    members,
    view_code,
    custom_views,
    attachments,
    descriptions,
    events,
    alert_rules,
):
    api.add_router(IN_WORKSPACE, part.router)
api.add_router(f"{IN_WORKSPACE}/work", bulk.works)
