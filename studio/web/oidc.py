"""Single sign-on: to the provider and back."""

import logging

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from studio.accounts.models import User
from studio.accounts.oidc import SignInRefused, account_of, person_of
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import source_of
from studio.web.access import public
from studio.web.accounts import safe_target, sign_in_context
from studio.web.signing import begin

logger = logging.getLogger(__name__)
TIMEOUT_S = 10
UNFINISHED_S = 3600
FAILED = "Single sign-on did not work. Try again; if this stays, tell an admin of the studio."
AWAY = "The provider of single sign-on does not answer. Try again in a moment."
TARGET, LINKS = "oidc_target", "oidc_links"


@public(reason="nobody is signed in yet")
@require_http_methods(["GET"])
def start(request: HttpRequest) -> HttpResponseBase:
    """To the provider; somebody who is signed in already asks to link their account."""
    from studio.web.oidc_client import PROBLEMS, provider

    back = settings.STUDIO_BASE_URL + reverse("oidc-back")
    try:
        answer: HttpResponseBase = provider().authorize_redirect(request, back)
    except PROBLEMS as problem:
        return _failed(request, problem)
    request.session[TARGET] = safe_target(request)
    if not request.user.is_authenticated:
        # A sign-in that is not finished is not kept for long.
        request.session.set_expiry(UNFINISHED_S)
    request.session[LINKS] = request.user.pk if request.user.is_authenticated else None
    return answer


@public(reason="whom the provider vouches for is signed in")
@require_http_methods(["GET"])
def come_back(request: HttpRequest) -> HttpResponseBase:
    """What the provider sends somebody back with. It is good once, in the browser that asked."""
    if not settings.OIDC_ISSUER:
        raise Http404("Single sign-on is not set up here.")
    from studio.web.oidc_client import PROBLEMS, checked

    try:
        person = person_of(checked(request))
        asks_to_link = request.user.is_authenticated
        if asks_to_link and request.session.get(LINKS) != request.user.pk:
            raise SignInRefused("You are signed in already, as somebody else.")
        known = request.user if isinstance(request.user, User) else None
        user = account_of(person, signed_in=known, source=source_of(request))
    except SignInRefused as refused:
        return _refused(request, refused)
    except PROBLEMS as problem:
        return _failed(request, problem)
    target = request.session.pop(TARGET, "/")
    if asks_to_link:
        messages.success(request, f"You can sign in with {settings.OIDC_NAME} now.")
        return redirect("account")
    begin(request, user, how="oidc")
    return redirect(target)


def _refused(request: HttpRequest, refused: SignInRefused) -> HttpResponseBase:
    record_sign_in(
        "oidc",
        user=refused.user,
        succeeded=False,
        detail=str(refused),
        source=source_of(request),
    )
    return _page(request, str(refused), status=403)


def _failed(request: HttpRequest, problem: Exception) -> HttpResponseBase:
    """Why stands in the log alone; it may be made up by whoever sent the answer."""
    from requests import RequestException

    logger.warning("single sign-on failed because=%r", f"{type(problem).__name__}: {problem}"[:300])
    if isinstance(problem, RequestException):
        return _page(request, AWAY, status=503)
    source = source_of(request)
    # Anybody can ask for this address: that writes one row in a while, not one each time.
    if cache.add(f"oidc-failed:{source.address}", 1, TIMEOUT_S):
        record_sign_in("oidc", succeeded=False, detail="wrong answer", source=source)
    return _page(request, FAILED, status=403)


def _page(request: HttpRequest, error: str, *, status: int) -> HttpResponseBase:
    if request.user.is_authenticated:
        messages.error(request, error)
        return redirect("account")
    return render(request, "accounts/sign_in.html", sign_in_context(request, error), status=status)
