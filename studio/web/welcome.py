"""The page behind a password link: a person sets the password of their account."""

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from studio.accounts.sources import source_of
from studio.accounts.welcome import use_link, user_of_link
from studio.web.access import public


@public(reason="the signed link says whose account it is")
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def first_password(request: HttpRequest, uidb64: str, token: str) -> HttpResponseBase:
    """The form, then the sign-in page. A link that is used up, too old or made up gets 404 and one
    sentence for all three; opening the page does not use it up."""
    user = user_of_link(uidb64, token)
    if user is None:
        return no_longer_good(request)
    form = SetPasswordForm(user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        password = form.cleaned_data["new_password1"]
        if use_link(uidb64, token, password, source=source_of(request)) is None:
            return no_longer_good(request)
        messages.success(request, f"The password of {user.username} is set. Sign in with it.")
        answer = redirect("sign-in")
        answer.status_code = 303
        return answer
    context = {"form": form, "person": user, "uidb64": uidb64, "token": token}
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/welcome.html", context, status=status)


def no_longer_good(request: HttpRequest) -> HttpResponseBase:
    return render(request, "accounts/no_welcome.html", status=404)
