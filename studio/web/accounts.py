"""Signing in and out, and the way to the last-used workspace."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from studio.accounts.models import User, Workspace
from studio.accounts.passwords import TOO_MANY, WRONG, refused
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import source_of
from studio.accounts.tries import Tries
from studio.web.access import LAST_WORKSPACE, Request, note_workspace, page, public, to_sign_in
from studio.web.signing import begin


class SignInForm(AuthenticationForm):
    """Django's own form: it tells neither whether the account exists nor how long it looked."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not match. Both are case-sensitive.",
        "no_passwords": "Nobody signs in by password here. Use single sign-on.",
        "too_many": "Too many tries. Wait five minutes, then try again.",
    }

    def clean(self) -> dict[str, Any]:
        if self.request is None:
            raise TypeError("signing in needs its request")
        name, source = str(self.cleaned_data.get("username", "")), source_of(self.request)
        if not settings.PASSWORD_SIGN_IN:
            raise forms.ValidationError(self.error_messages["no_passwords"], code="no_passwords")
        tries = Tries(name, source.address)
        if tries.are_used_up:
            if tries.is_first_refusal:
                refused(name, user_called(name), "password", TOO_MANY, source)
            raise forms.ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            tries.count()
            refused(name, user_called(name), "password", WRONG, source)
            raise
        tries.forget()
        return cleaned


def user_called(name: str) -> User | None:
    return User.objects.filter(username=name[:150]).first() if "\0" not in name else None


@public(reason="nobody is signed in yet")
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    target = safe_target(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(target)
        return render(request, "accounts/sign_in.html", sign_in_context(request))
    form = SignInForm(request, data=request.POST)
    if not form.is_valid():
        context = {**sign_in_context(request), "form": form}
        return render(request, "accounts/sign_in.html", context, status=422)
    begin(request, form.get_user(), how="password")
    return redirect(target)


def sign_in_context(request: HttpRequest, error: str = "") -> dict[str, Any]:
    """What the page shows: `error`: why single sign-on let nobody in."""
    return {
        "form": SignInForm(request),
        "next": safe_target(request),
        "error": error,
        "has_passwords": settings.PASSWORD_SIGN_IN,
        "single_sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
    }


def safe_target(request: HttpRequest) -> str:
    """Where to go after signing in: a page of this site only."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A word alone would be taken for the name of a page (`redirect`).
    return wanted if allowed and wanted.startswith("/") else "/"


@public(reason="signing out twice is harmless")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    user = request.user
    if isinstance(user, User):
        record_sign_in("signed-out", user=user, source=source_of(request))
    logout(request)
    return redirect("sign-in")


@public(reason="sends everybody somewhere they may be")
@require_http_methods(["GET", "HEAD"])
def home(request: HttpRequest) -> HttpResponseBase:
    """To the last-used workspace, else the first one; says so when there is none."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    found = last_workspace(request, request.user)
    if found is None:
        return render(request, "accounts/no_workspace.html", {"user": request.user})
    return redirect("run-list", workspace=found.name)


def last_workspace(request: HttpRequest, user: User) -> Workspace | None:
    """The last-used workspace, else the first one of the person, else None (2 queries at most)."""
    mine = Workspace.objects.visible_to(user)
    last = request.COOKIES.get(LAST_WORKSPACE, "")
    return mine.filter(name=last).first() or mine.first()


@page
def workspace_home(request: Request) -> HttpResponse:
    """The way in through the switcher; the choice is the browser's, so that GET stores nothing."""
    answer = redirect("run-list", workspace=request.workspace.name)
    note_workspace(request, answer)
    return answer
