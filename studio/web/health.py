"""Whether the web process is alive."""

from django.http import HttpRequest, HttpResponse

from studio.web.access import public


@public(reason="a supervisor asks without an account, and it tells nothing")
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")
