"""What happens before django-ninja: unknown addresses and methods get the API's error shape."""

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from studio.api.errors import error

View = Callable[..., HttpResponse]


def with_error_shape(view: View) -> View:
    """The view with its 404 and 405 in JSON.

    Exempt from CSRF: no browser sends a token by itself.
    """

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            answer = view(request, *args, **kwargs)
        except Http404:
            return nothing_here(request)
        if not isinstance(answer, HttpResponseNotAllowed):
            return answer
        shaped = error(405, "method_not_allowed", f"{request.method} is not possible here.")
        if "Allow" in answer:
            shaped["Allow"] = answer["Allow"]
        return shaped

    return wrapped


@csrf_exempt
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    return error(404, "not_found", "There is no such address in the API; see /api/v1/docs.")
