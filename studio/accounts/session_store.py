"""Sessions as rows that know whose they are, so that a person sees and ends them."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import CharField, DateTimeField, QuerySet
from django.utils import timezone

from studio.accounts.models import BrowserSession
from studio.queries.fixed import fixed

# Kept in the session itself, as seconds since 1970: so no page asks one question more.
BEGAN, SEEN, AGENT, ADDRESS = "began", "seen", "agent", "address"


class SessionStore(DatabaseStore):
    """Django's own, in `BrowserSession`, with an end of its own to each session: after
    SESSION_MOST_AGE_S, however much it is used."""

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def save(self, must_create: bool = False) -> None:
        if SESSION_KEY in self and BEGAN not in self:
            self[BEGAN] = self[SEEN] = timezone.now().timestamp()
        super().save(must_create=must_create)

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        row = cast(BrowserSession, super().create_model_instance(data))
        now = timezone.now()
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.agent = data.get(AGENT, "")
        row.address = data.get(ADDRESS, "")
        row.began_at = _moment(data.get(BEGAN)) or now
        row.seen_at = _moment(data.get(SEEN)) or now
        return row

    def _get_session_from_db(self) -> BrowserSession | None:
        now = timezone.now()
        most = timedelta(seconds=settings.SESSION_MOST_AGE_S)
        for row in _going_on(key=self.session_key, now=now):
            if now - row.began_at <= most:
                return row
        self._session_key = None
        return None


@fixed(key=CharField(), now=DateTimeField())
def _going_on(key: Any, now: Any) -> "QuerySet[BrowserSession]":
    return BrowserSession.objects.filter(session_key=key, expire_date__gt=now)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
