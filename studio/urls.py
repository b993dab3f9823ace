"""Every URL, grouped by who asks: programs under /api/, people elsewhere."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    # First what programs ask hundreds of times a second: each address before costs them time.
    path("api/v1/", include("studio.api.urls")),
    path("", include("studio.mlflow_api.urls")),
    path("", include("studio.operations.urls")),
    path("", include("studio.web.urls")),
]
# What Django shows instead of its own page.
handler404 = "studio.web.missing.not_found"
handler500 = "studio.web.failing.server_error"
