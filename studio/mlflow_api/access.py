"""Who asks, and in which workspace. Outsiders and unknown names get the same answer."""

import base64
import binascii

from django.http import HttpRequest

from studio.accounts.actions import find_token
from studio.accounts.limits import SEARCHES, UPLOADS, WRITES, spend
from studio.accounts.models import TOKEN_PREFIX, Workspace
from studio.accounts.passwords import TooManyTries, find_by_password
from studio.accounts.permissions import Actor
from studio.accounts.rooms import enter, enter_own
from studio.accounts.sources import source_of
from studio.mlflow_api.errors import MlflowError, missing, wrong

HEADER = "X-MLFLOW-WORKSPACE"
USUAL = "default"
HOW = (
    "Set MLFLOW_TRACKING_TOKEN to a token of the studio (Account → Tokens), or "
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
)


def actor_of(request: HttpRequest) -> Actor:
    """Who sent the request, by token, by any name and a token, or by name and password (1 query).
    Raises MlflowError."""
    kind, _, rest = request.headers.get("Authorization", "").partition(" ")
    name, secret = "", rest.strip()
    if kind.lower() == "basic":
        name, secret = _name_and_password(secret)
    elif kind.lower() != "bearer":
        secret = ""
    if secret.startswith(TOKEN_PREFIX):
        found = find_token(secret)
        if found is not None:
            _count(request, found.user_id, token_id=found.pk, run_uid=found.run_uid)
            return Actor.of_token(found)
    elif name:
        actor = _by_password(request, name, secret)
        if actor.user is not None:
            _count(request, actor.user.pk)
        return actor
    raise MlflowError("UNAUTHENTICATED", f"This needs a valid token. {HOW}")


def _by_password(request: HttpRequest, name: str, password: str) -> Actor:
    try:
        user = find_by_password(name, password, source=source_of(request))
    except TooManyTries as problem:
        raise MlflowError("REQUEST_LIMIT_EXCEEDED", str(problem)) from problem
    if user is None:
        raise MlflowError("UNAUTHENTICATED", f"This name and password do not match. {HOW}")
    return Actor.of_user(user)


def _count(
    request: HttpRequest, user_id: int, *, token_id: int | None = None, run_uid: str = ""
) -> None:
    """Raise LimitReached for too much of what the request is."""
    is_read = request.method in ("GET", "HEAD")
    if "search" in request.path.rpartition("/")[2]:
        kind = SEARCHES
    elif is_read:
        return
    else:
        kind = UPLOADS if "/mlflow-artifacts/" in request.path else WRITES
    spend(kind, user_id=user_id, token_id=token_id, run_uid=run_uid)


def _name_and_password(credentials: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, password = text.partition(":")
    return ("", "") if "\0" in name else (name, password)


def room_of(request: HttpRequest, actor: Actor) -> tuple[Workspace, Actor]:
    """The workspace the request is about, and the actor who knows its role there: the one that the
    header names, else that of the token, else “default”, else the only one there is to see.

    Raises MlflowError. Queries: 1, 1 or 2 more when there is no “default” for this person.
    """
    named = request.headers.get(HEADER, "").strip()
    if not named and actor.workspace_id is not None:
        entered = enter_own(actor)
    else:
        entered = enter(actor, named or USUAL)
    if entered is None and not named and actor.user is not None and actor.workspace_id is None:
        names = list(Workspace.objects.visible_to(actor.user).values_list("name", flat=True)[:2])
        if len(names) > 1:
            raise wrong(f"Say which workspace you mean, with the header {HEADER}.")
        entered = enter(actor, names[0]) if names else None
    if entered is None:
        raise missing(f"There is no workspace “{(named or USUAL)[:80]}” that you can see.")
    return entered
