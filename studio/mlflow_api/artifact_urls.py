"""Addresses of files. A path may hold any character, so it is the whole rest of an address."""

from django.urls import URLPattern, path, re_path

from studio.mlflow_api import artifacts
from studio.mlflow_api.gate import endpoint

A = "api/2.0/mlflow/"
F = "api/2.0/mlflow-artifacts/"

urlpatterns: list[URLPattern] = [
    path(f"{F}artifacts", endpoint(GET=artifacts.listing)),
    re_path(
        rf"^{F}artifacts/(?P<path>[\s\S]*)$",
        endpoint(reads_body=False, PUT=artifacts.put, GET=artifacts.get, DELETE=artifacts.delete),
    ),
    path(f"{A}artifacts/list", endpoint(GET=artifacts.list_of_run)),
    path("get-artifact", endpoint(GET=artifacts.get_of_run)),
    *(
        path(
            f"{F}{what}/<path:rest>",
            endpoint(reads_body=False, GET=artifacts.in_parts, POST=artifacts.in_parts),
        )
        for what in ("mpu", "presigned")
    ),
]
