"""One e-mail: text and HTML, from templates."""

from collections.abc import Sequence
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from studio.alerts import words
from studio.alerts.models import Channel, Delivery, Destination
from studio.alerts.smtp import hand_over

# A digest names so many; the page of the rule has all.
MOST_IN_A_DIGEST = 50
UNSUBSCRIBE = "studio.alerts.unsubscribe"
# So long after the mail its link stops the mails.
GOOD_FOR = timedelta(days=400)


def send(destination: Destination, deliveries: Sequence[Delivery], *, message_id: str) -> None:
    """Hand one mail about these deliveries to the mail server. Raises smtp.Trouble."""
    hand_over(compose(destination, deliveries, message_id=message_id))


def compose(
    destination: Destination, deliveries: Sequence[Delivery], *, message_id: str
) -> EmailMultiAlternatives:
    """The mail, not sent yet. Names in headers are one line, whatever they hold."""
    context = content(destination, deliveries)
    _, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    domain = sender.rpartition("@")[2] or "localhost"
    message = EmailMultiAlternatives(
        subject=words.subject(deliveries),
        body=render_to_string("mail/alert.txt", context),
        to=[destination.user.email] if destination.user else [],
        headers={
            "Message-ID": f"<{message_id}@{domain}>",
            "List-Unsubscribe": f"<{context['unsubscribe_url']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("mail/alert.html", context), "text/html")
    return message


def content(destination: Destination, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """What the templates show: `items`, each {headline, url, rows, runs, n_unnamed, error_lines};
    all texts but the last are single lines. One destination is of one rule."""
    items = [_item(one.firing.facts) for one in deliveries[:MOST_IN_A_DIGEST]]
    return {
        "items": items,
        "rule": words.one_line(deliveries[0].firing.rule.name),
        "rule_url": words.rule_url(deliveries[0]),
        "n": len(deliveries),
        "n_more": max(0, len(deliveries) - MOST_IN_A_DIGEST),
        "subject": words.subject(deliveries),
        "is_test": deliveries[0].firing.is_test,
        "user": destination.user,
        "unsubscribe_url": unsubscribe_url(destination),
    }


def _item(told: dict[str, Any]) -> dict[str, Any]:
    runs = [
        {
            "text": words.one_line(f"{run['experiment']} / {run['name']}"),
            "status": run["status"],
            "url": run["url"],
        }
        for run in told.get("runs", ())
    ]
    return {
        "headline": words.headline(told),
        "url": told.get("url") or words.view_url(told),
        "rows": words.rows(told),
        "runs": runs,
        "n_unnamed": max(0, told.get("n", 0) - len(runs)) if runs else 0,
        "error_lines": told.get("error_lines", ""),
    }


def destination_of(token: str) -> Destination | None:
    """The e-mail destination that an unsubscribe link is about; None for a link that is no good
    (any more). 1 query."""
    try:
        held = signing.loads(token, salt=UNSUBSCRIBE, max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    found = Destination.objects.select_related("rule__workspace", "rule__owner", "user")
    found = found.filter(rule__workspace__closed_at=None)
    return found.filter(pk=held["destination"], channel=Channel.EMAIL, user__isnull=False).first()


def unsubscribe_url(destination: Destination) -> str:
    """Where the person stops the mails of this rule without signing in."""
    token = signing.dumps({"destination": destination.pk}, salt=UNSUBSCRIBE)
    return f"{settings.STUDIO_BASE_URL}/unsubscribe/{token}"
