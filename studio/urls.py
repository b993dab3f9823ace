"""Every URL, grouped by who asks: programs under /api/, people elsewhere."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("studio.mlflow_api.urls")),
    path("", include("studio.operations.urls")),
    path("", include("studio.web.urls")),
    path("api/v1/", include("studio.api.urls")),
]
# What Django shows instead of its own page.
handler404 = "studio.web.missing.not_found"
handler500 = "studio.web.failing.server_error"
