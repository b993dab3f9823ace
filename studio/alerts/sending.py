"""From deliveries to messages: claimed with a lease, sent, marked. At least once: a worker killed
between the two leaves its lease, and the same message (the same id) leaves once more."""

import logging
import secrets
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from studio.accounts.permissions import Actor, Permission, can
from studio.alerts import mail, webhook
from studio.alerts.models import Channel, Delivery, Destination, State
from studio.alerts.outgoing import Away, Refused
from studio.custom_views.rights import may_see

logger = logging.getLogger(__name__)

ONE_TURN = 1_000
LEASE = timedelta(minutes=5)
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3_600.0
GIVEN_UP_AFTER = timedelta(hours=24)
# Over the limit of an hour, digests follow each other at this distance.
BETWEEN_DIGESTS = timedelta(minutes=5)
MAX_POSTS_PER_HOUR = 120
NO_ACCESS = "{name} is no member of the workspace any more"
NO_ADDRESS = "{name} has no e-mail address"
NO_VIEW = "The view is gone, or not shared with {name} any more"

# One sender in a process: a slow mail server must not take all of its task slots.
_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class Message:
    """Deliveries that leave together, to one destination; all carry `id`."""

    id: str
    destination: Destination
    deliveries: list[Delivery]


def send_due(now: datetime | None = None) -> int:
    """Send what is due; returns how many messages left. Nothing when this process sends already."""
    if not _turn.acquire(blocking=False):
        return 0
    try:
        n_sent = 0
        while claimed := claim(now or timezone.now()):
            n_sent += _send_all(_messages(claimed, now or timezone.now()))
        return n_sent
    finally:
        _turn.release()


def claim(now: datetime) -> list[Delivery]:
    """Take up to 1,000 due deliveries, for all of which this call then answers."""
    lease = uuid.uuid4().hex
    due = list(Delivery.objects.due(now).values_list("pk", flat=True)[:ONE_TURN])
    if not due:
        return []
    with transaction.atomic():
        Delivery.objects.due(now).order_by().filter(pk__in=due).update(
            state=State.SENDING, lease=lease, leased_until=now + LEASE, n_tries=F("n_tries") + 1
        )
    mine = Delivery.objects.filter(lease=lease, state=State.SENDING).select_related(
        "firing__rule__workspace", "firing__rule__view__workspace", "destination__user"
    )
    return list(mine.order_by("pk"))


def _messages(claimed: list[Delivery], now: datetime) -> list[Message]:
    """What leaves now, and as how many messages; the rest is put off or dropped."""
    by_destination: dict[int, list[Delivery]] = defaultdict(list)
    for one in claimed:
        if why := why_not(one):
            _close(one, State.DROPPED, trouble=why)
        else:
            by_destination[one.destination_id].append(one)
    return [
        message
        for deliveries in by_destination.values()
        for message in _of_one(deliveries[0].destination, deliveries, now)
    ]


def why_not(delivery: Delivery) -> str:
    """Why the delivery must not leave (any more), "" when it may (at most 3 queries): whoever lost
    the workspace or the view hears nothing of it."""
    rule, user = delivery.firing.rule, delivery.destination.user
    reader = user or (None if rule.is_shared else rule.owner)
    if reader is not None:
        name = reader.get_username()
        if not can(Actor.of_user(reader), Permission.SEE, rule.workspace):
            return NO_ACCESS.format(name=name)
        if rule.view is not None and not may_see(Actor.of_user(reader), rule.view):
            return NO_VIEW.format(name=name)
    if user is not None and not user.email:
        return NO_ADDRESS.format(name=user.get_username())
    return ""


def _of_one(destination: Destination, due: list[Delivery], now: datetime) -> list[Message]:
    """One message for each delivery as long as the hour's limit allows, else one for all."""
    known: dict[str, list[Delivery]] = defaultdict(list)
    new = []
    for one in due:
        if one.message:
            known[one.message].append(one)
        else:
            new.append(one)
    again = [Message(id, destination, deliveries) for id, deliveries in known.items()]
    if not new:
        return again
    limit = (
        settings.MAX_MAILS_PER_HOUR if destination.channel == Channel.EMAIL else MAX_POSTS_PER_HOUR
    )
    lately = sent_lately(destination, now)
    if destination.rule.digest or len(lately) + len(new) > limit:
        if len(lately) >= limit and max(lately) > now - BETWEEN_DIGESTS:
            _put_off(new, until=max(lately) + BETWEEN_DIGESTS)
            return again
        return [*again, _message(destination, new)]
    return [*again, *(_message(destination, [one]) for one in new)]


def sent_lately(destination: Destination, now: datetime) -> list[datetime]:
    """When messages left for the same address in the last hour: a person's, whatever the rule, or
    the webhook's."""
    sent = Delivery.objects.filter(state=State.SENT, sent_at__gt=now - timedelta(hours=1))
    if destination.channel == Channel.EMAIL:
        sent = sent.filter(destination__user=destination.user)
    else:
        sent = sent.filter(destination__url=destination.url)
    times = sent.order_by().values_list("sent_at", flat=True).distinct()
    return [at for at in times if at is not None]


def _message(destination: Destination, deliveries: list[Delivery]) -> Message:
    """A new message; its id is written before it leaves for the first time."""
    message = Message(uuid.uuid4().hex, destination, deliveries)
    _mine(deliveries).update(message=message.id)
    return message


def _put_off(deliveries: list[Delivery], *, until: datetime) -> None:
    _mine(deliveries).update(state=State.WAITING, due_at=until, lease="", n_tries=F("n_tries") - 1)


def _send_all(messages: Iterable[Message]) -> int:
    """Send each; when the mail server is away, the other mails wait without trying."""
    n_sent, away = 0, ""
    for message in messages:
        is_mail = message.destination.channel == Channel.EMAIL
        if is_mail and away:
            _later(message, away)
            continue
        try:
            _send(message)
        except mail.ServerAway as error:
            away = str(error)
            _later(message, away)
        except Away as error:
            _later(message, str(error))
        except (Refused, mail.Rejected) as error:
            _mine(message.deliveries).update(state=State.FAILED, lease="", trouble=str(error))
        except Exception:
            logger.exception("alert message=%s failed", message.id)
            _later(message, "The studio failed over it; its log says why.")
        else:
            now = timezone.now()
            _mine(message.deliveries).update(state=State.SENT, sent_at=now, lease="", trouble="")
            n_sent += 1
    return n_sent


def _send(message: Message) -> None:
    if message.destination.channel == Channel.EMAIL:
        mail.send(message.destination, message.deliveries, message_id=message.id)
    else:
        webhook.send(message.destination, message.deliveries, message_id=message.id)


def _later(message: Message, trouble: str) -> None:
    """Try again after a while that doubles, up to an hour, for a day."""
    n_tries = max(one.n_tries for one in message.deliveries)
    now, oldest = timezone.now(), min(one.firing.at for one in message.deliveries)
    if now - oldest > GIVEN_UP_AFTER:
        _mine(message.deliveries).update(state=State.FAILED, lease="", trouble=trouble)
        return
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (n_tries - 1))
    wait_s *= 0.8 + 0.4 * secrets.randbelow(1_000) / 1_000  # not all at once
    _mine(message.deliveries).update(
        state=State.WAITING, due_at=now + timedelta(seconds=wait_s), lease="", trouble=trouble
    )


def _close(delivery: Delivery, state: str, *, trouble: str) -> None:
    _mine([delivery]).update(state=state, lease="", trouble=trouble)


def _mine(deliveries: list[Delivery]) -> QuerySet[Delivery]:
    """Those of the deliveries that this sender still answers for."""
    return Delivery.objects.filter(
        pk__in=[one.pk for one in deliveries], lease=deliveries[0].lease, state=State.SENDING
    )
