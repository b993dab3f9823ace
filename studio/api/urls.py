"""The API's addresses, and the one error shape for addresses and methods there are not."""

from django.urls import URLPattern, path

from studio.api.api import api
from studio.api.gate import nothing_here, with_error_shape

# Not called `app_name`: Django would take that for the namespace of this module.
routes, app, namespace = api.urls
for route in routes:
    if isinstance(route, URLPattern) and route.callback is not None:
        route.callback = with_error_shape(route.callback)

urlpatterns = [
    path("", (routes, app, namespace)),
    path("<path:rest>", nothing_here),
    path("", nothing_here),
]
