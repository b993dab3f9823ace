"""Rules, and a real mail server that keeps what it gets."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.alerts.actions import create_rule
from studio.alerts.drafts import RuleDraft
from studio.alerts.models import AlertRule
from tests import make
from tests.alerts.mailbox import Mailbox


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """An SMTP server on a port of its own, to which this studio's mails go."""
    with Mailbox() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield box


@pytest.fixture
def rule_of(workspace: Any, people: Any) -> Callable[..., AlertRule]:
    """`rule_of("bob", kind="status", statuses=["Failed"])`: a rule of bob's, with mail to him."""

    def create(who: str = "bob", *, shared: bool = False, subject: Any = None, **facts: Any) -> Any:
        facts.setdefault("name", "Tell me")
        if facts.get("kind", "status") == "status":
            facts.setdefault("statuses", ["Failed"])
        by = make.actor(getattr(people, who))
        draft = RuleDraft(**facts)
        return create_rule(workspace, draft, by=by, is_shared=shared, subject=subject)

    return create
