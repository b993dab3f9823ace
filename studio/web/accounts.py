"""Signing in and out, and the way to the last-used workspace."""

import hashlib
from typing import Any

from django import forms
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from studio.accounts.models import User, Workspace
from studio.web.access import Request, page, public, to_sign_in

TRIES = 10
TRIES_WINDOW_S = 300
LAST_WORKSPACE = "studio_workspace"


class SignInForm(AuthenticationForm):
    """Django's own form: it tells neither whether the account exists nor how long it looked."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "This user name and password do not match. Both are case-sensitive.",
        "too_many": "Too many tries. Wait five minutes, then try again.",
    }

    def clean(self) -> dict[str, Any]:
        key = self._key()
        if cache.get(key, 0) >= TRIES:
            raise forms.ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            cache.add(key, 0, TRIES_WINDOW_S)
            cache.incr(key)
            raise
        cache.delete(key)
        return cleaned

    def _key(self) -> str:
        """One counter per account and source. The address is the connection's own: a forwarded
        one can be made up, and would reset the counter."""
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()[:150]
        return f"sign-in:{address}:{hashlib.sha256(name.encode()).hexdigest()}"


@public(reason="nobody is signed in yet")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    target = safe_target(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(target)
        form = SignInForm(request)
        return render(request, "accounts/sign_in.html", {"form": form, "next": target})
    form = SignInForm(request, data=request.POST)
    if not form.is_valid():
        context = {"form": form, "next": target}
        return render(request, "accounts/sign_in.html", context, status=422)
    login(request, form.get_user())
    return redirect(target)


def safe_target(request: HttpRequest) -> str:
    """Where to go after signing in: a page of this site only."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    allowed = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if allowed else "/"


@public(reason="signing out twice is harmless")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
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
    answer.set_cookie(
        LAST_WORKSPACE,
        request.workspace.name,
        max_age=365 * 24 * 3600,
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )
    return answer
