"""Addresses of logged models, and of what runs used and made."""

from django.urls import URLPattern, path

from studio.mlflow_api import logged_models, model_search, run_lineage
from studio.mlflow_api.gate import endpoint

A = "api/2.0/mlflow/"
MODELS = f"{A}logged-models"
MODEL = f"{MODELS}/<str:model_id>"

urlpatterns: list[URLPattern] = [
    path(f"{A}runs/log-inputs", endpoint(POST=run_lineage.log_inputs)),
    path(f"{A}runs/outputs", endpoint(POST=run_lineage.log_outputs)),
    path(MODELS, endpoint(POST=logged_models.create)),
    path(f"{MODELS}/search", endpoint(POST=model_search.search)),
    path(
        MODEL,
        endpoint(GET=logged_models.get, PATCH=logged_models.finish, DELETE=logged_models.delete),
    ),
    path(f"{MODEL}/params", endpoint(POST=logged_models.add_params)),
    path(f"{MODEL}/tags", endpoint(PATCH=logged_models.put_tags)),
    path(f"{MODEL}/tags/<path:key>", endpoint(DELETE=logged_models.remove_tag)),
]
