"""The beginning and the end of a session of a browser."""

from django.contrib.auth import SESSION_KEY, login
from django.http import HttpRequest
from django.utils import timezone

from studio.accounts.models import User
from studio.accounts.session_store import ADDRESS, AGENT, BEGAN, SEEN
from studio.accounts.sign_ins import record_sign_in
from studio.accounts.sources import source_of

BACKEND = "django.contrib.auth.backends.ModelBackend"


def begin(request: HttpRequest, user: User, *, how: str, detail: str = "") -> None:
    """Sign the person in: a session with a new key, and its event. `how`: a key of
    `sign_ins.HOW`."""
    if SESSION_KEY in request.session:
        # Django keeps the key of a session when the same person signs in once more.
        request.session.cycle_key()
    login(request, user, backend=BACKEND)
    request.session.set_expiry(None)
    # A session that goes on under a new key is a new one too.
    request.session[BEGAN] = request.session[SEEN] = timezone.now().timestamp()
    note_source(request)
    record_sign_in(how, user=user, detail=detail, source=source_of(request))


def note_source(request: HttpRequest) -> None:
    source = source_of(request)
    request.session[ADDRESS], request.session[AGENT] = source.address, source.agent
