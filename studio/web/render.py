"""One place decides between a whole page and a part of it, so that both come from one template."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from studio.web.access import Request, sent_from


def wants_part(request: Request) -> bool:
    """Whether HTMX asks for a part (not a boosted link, not its history)."""
    htmx = request.htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: Request,
    page: str,
    context: Mapping[str, Any],
    *,
    part: str = "",
    also: Iterable[str] = (),
    status: int = 200,
) -> HttpResponse:
    """`page` as a whole, or for HTMX `part` followed by the out-of-band parts `also`."""
    if part and wants_part(request):
        response = render_parts(request, [part, *also], context, status=status)
    else:
        html = render_to_string(page, dict(context), request=request)
        response = HttpResponse(html, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def render_parts(
    request: Request, parts: Iterable[str], context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Only parts; those after the first are swapped out of band by their ids."""
    first, *others = parts
    html = [render_to_string(first, {**context, "is_oob": False}, request=request)]
    html += [
        render_to_string(name, {**context, "is_oob": True}, request=request) for name in others
    ]
    response = HttpResponse("\n".join(html), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def done(request: Request, where: str) -> HttpResponse:
    """After a successful change: go (back) to `where`, by HTMX or by 303."""
    if request.htmx:
        return HttpResponseClientRedirect(where)
    response = redirect(where)
    response.status_code = 303
    return response


def back(request: Request, otherwise: str) -> str:
    """The path of the studio's page that sent the form, else `otherwise`."""
    return sent_from(request) or otherwise
