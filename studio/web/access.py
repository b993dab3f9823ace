"""Who may open a page: every page function carries `@page`, `@action`, `@personal` or
`@public`.

A test walks the URL map and fails on a function without one of them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from studio.accounts import rooms
from studio.accounts.limits import (
    EXPORTS,
    SEARCHES,
    UPLOADS,
    WRITES,
    LimitReached,
    spend,
)
from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, permissions_of
from studio.runs.models import Experiment, Run
from studio.web.run_signs import signed, sourced
from studio.web.zones import zone_of

View = Callable[..., HttpResponseBase]
PERSONAL = "for whoever is signed in"
LAST_WORKSPACE = "studio_workspace"


class Request(HttpRequest):
    """What a page function gets: a signed-in member of `workspace`."""

    user: User
    htmx: HtmxDetails
    workspace: Workspace
    actor: Actor
    permissions: frozenset[Permission]


def page(function: View) -> View:
    """A page of a workspace (GET and HEAD): for its members; outsiders get 404."""
    return _member_only(function, methods=("GET", "HEAD"))


def action(function: View) -> View:
    """A change made on a page (POST only). The right itself is checked in the action it calls."""
    return _member_only(function, methods=("POST",))


def personal(*methods: str) -> Callable[[View], View]:
    """A page of the person who is signed in, in no workspace; `request.actor` is that person."""

    def decorate(function: View) -> View:
        @wraps(function)
        def wrapper(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            request.actor = Actor.of_user(request.user)
            try:
                count(request)
                return function(request, *args, **kwargs)
            except LimitReached as reached:
                return too_many(request, reached)
            except NotAllowed as refused:
                raise PermissionDenied(str(refused)) from refused

        wrapper.studio_policy = PERSONAL  # type: ignore[attr-defined]
        return wrapper

    return decorate


def public(*, reason: str) -> Callable[[View], View]:
    """A page for everybody; `reason` says why that is right."""

    def decorate(function: View) -> View:
        function.studio_policy = f"public: {reason}"  # type: ignore[attr-defined]
        return function

    return decorate


def _member_only(function: View, *, methods: tuple[str, ...]) -> View:
    @wraps(function)
    def wrapper(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        enter(request, kwargs.pop("workspace"))
        if request.method not in methods:
            return HttpResponseNotAllowed(methods)
        try:
            count(request)
            # The thread answers another person next.
            with timezone.override(zone_of(request)):
                return noted(request, function(request, *args, **kwargs))
        except LimitReached as reached:
            return too_many(request, reached)
        except NotAllowed as refused:
            raise PermissionDenied(str(refused)) from refused

    wrapper.studio_policy = "member"  # type: ignore[attr-defined]
    return wrapper


def noted(request: Request, answer: HttpResponseBase) -> HttpResponseBase:
    """Remember in the browser which workspace was on screen last: `/` leads there. GET stores
    nothing."""
    is_whole = answer.headers.get("Content-Type", "").startswith("text/html") and not request.htmx
    if request.method == "GET" and is_whole and answer.status_code == 200:
        note_workspace(request, answer)
    return answer


def note_workspace(request: Request, answer: HttpResponseBase) -> None:
    name = request.workspace.name
    if request.COOKIES.get(LAST_WORKSPACE) == name:
        return
    answer.set_cookie(
        LAST_WORKSPACE,
        name,
        max_age=365 * 24 * 3600,
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )


# Pages that ask as much of the studio as a search, and whole lists as files, by name of address.
SEARCHES_BY_NAME = frozenset(
    {
        *("run-list", "run-list-counts", "run-list-explain", "run-list-logs"),
        *("run-suggest", "run-find", "monitor"),
    }
)
EXPORTS_BY_NAME = frozenset(
    {"run-list-export", "run-compare-table", "monitor-export", "view-export"}
)
UPLOADS_BY_NAME = frozenset({"run-description-images", "experiment-description-images"})


def count(request: Request) -> None:
    """Raise LimitReached for too much of what the request is (no query)."""
    match = request.resolver_match
    name = match.url_name if match else ""
    if name in EXPORTS_BY_NAME:
        spend(EXPORTS, user_id=request.user.pk)
    elif request.method == "POST":
        spend(UPLOADS if name in UPLOADS_BY_NAME else WRITES, user_id=request.user.pk)
    elif name in SEARCHES_BY_NAME:
        spend(SEARCHES, user_id=request.user.pk)


def too_many(request: HttpRequest, reached: LimitReached) -> HttpResponseBase:
    """429: a page that says when to try again."""
    answer = render(request, "429.html", {"reason": str(reached)}, status=429)
    answer["Retry-After"] = str(reached.retry_after_s)
    return answer


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """The sign-in page, coming back here, after a form to the page it is on; an HTMX part must send
    the whole window there."""
    is_form = request.method not in ("GET", "HEAD")
    here = (is_form and sent_from(request)) or request.get_full_path()
    answer = redirect_to_login(here)
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(answer["Location"])
    return answer


def sent_from(request: HttpRequest) -> str:
    """The path of the studio's own page that sent the request, "" when it tells of none."""
    told = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(told, allowed_hosts={request.get_host()}):
        return ""
    parts = urlsplit(told)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def enter(request: Request, name: str) -> None:
    """Set `workspace`, `actor`, `permissions`; 404 for outsiders as for no workspace (1 query)."""
    found = rooms.enter(Actor.of_user(request.user), name)
    if found is None:
        raise Http404("There is no such workspace, or you are not a member of it.")
    request.workspace, request.actor = found
    request.permissions = permissions_of(request.actor, request.workspace)


class InTrash(Http404):
    """The run was deleted, and can be restored."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"The run “{run.display_name}” is in the trash.")


def find_run(request: Request, uid: str) -> Run:
    """The run of the request's workspace with everything its pages show (1 query), else 404.

    Raises InTrash for a deleted one.
    """
    known = Run.objects.of(request.workspace).for_detail()
    found = sourced(signed(known)).filter(uid=uid).first()
    if found is None:
        deleted = Run.objects.filter(workspace=request.workspace, uid=uid).in_trash().first()
        if deleted is not None:
            raise InTrash(deleted)
        raise Http404(f"There is no run “{uid[:80]}” in the workspace “{request.workspace}”.")
    return found


def find_plain_run(request: Request, uid: str) -> Run:
    """The run of the request's workspace for parts that are asked for all the time and show nothing
    of it (1 query, the cheapest), else 404."""
    found = Run.objects.of(request.workspace).filter(uid=uid).first()
    if found is None:
        raise Http404(f"There is no run “{uid[:80]}” in the workspace “{request.workspace}”.")
    return found


def find_experiment(request: Request, name: str) -> Experiment:
    found: Experiment | None = Experiment.objects.of(request.workspace).filter(name=name).first()
    if found is None:
        raise Http404(f"There is no experiment “{name[:80]}” in “{request.workspace}”.")
    found.workspace = request.workspace
    return found
