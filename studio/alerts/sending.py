"""From deliveries to messages: claimed with a lease, sent, marked. At least once: a worker killed
between the two leaves its lease, and the same message (the same id) leaves once more.

Mails and posts have a turn each, so that neither waits for the other's slow server.
"""

import logging
import secrets
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from urllib3.util import parse_url

from studio.accounts.permissions import Actor, Permission, can
from studio.alerts import mail, outgoing, smtp, webhook
from studio.alerts.models import DIGEST_EVERY, Channel, Delivery, Destination, Digest, State
from studio.custom_views.rights import may_see

logger = logging.getLogger(__name__)

ONE_TURN = 1_000
# What is not begun in this time is claimed anew, with what came since before what is tried again.
TURN_S = 30.0
LEASE = timedelta(minutes=2)
# From its first byte to its mark.
LEASE_OF_ONE = timedelta(seconds=smtp.TOTAL_S + 60)
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3_600.0
# A mail server that is back is noticed soon; nothing else waits for these tries.
LONGEST_WAIT_FOR_SERVER_S = 900.0
GIVEN_UP_AFTER = timedelta(hours=24)
# However late it is: the studio itself may have been off for long.
LEAST_TRIES = 12
# Over the limit of an hour, digests follow each other at this distance.
BETWEEN_DIGESTS = timedelta(minutes=5)
MAX_POSTS_PER_HOUR = 120
MARK_AGAIN_S = 1.0
CLOSED = "The workspace is closed"
NO_ACCESS = "{name} is no member of the workspace any more"
NO_ADDRESS = "{name} has no e-mail address"
NO_VIEW = "The view is gone, or not shared with {name} any more"

LINES: dict[str, Sequence[str]] = {
    "mails": [Channel.EMAIL],
    "posts": [Channel.WEBHOOK, Channel.SLACK],
}
# One sender of each line in a process.
_turns = {line: threading.Lock() for line in LINES}
# Set when the process ends: the message under way is sent, the others are left to the next one.
stopping = threading.Event()


@dataclass(frozen=True, slots=True)
class Message:
    """Deliveries that leave together, to one destination; all carry `id`. `may_be_there`: an
    earlier try had no answer, so the next one must be the same."""

    id: str
    destination: Destination
    deliveries: list[Delivery]
    may_be_there: bool = False

    @property
    def server(self) -> str:
        """Who takes it: one that is away is not tried for each message."""
        return self.destination.url or "mail"


def send_due(now: datetime | None = None, *, lines: Iterable[str] = tuple(LINES)) -> int:
    """Send what is due; returns how many messages left. Nothing of a line that this process sends
    already."""
    return sum(_serve(line, now) for line in lines)


def _serve(line: str, now: datetime | None) -> int:
    if not _turns[line].acquire(blocking=False):
        return 0
    try:
        n_sent = 0
        while not stopping.is_set() and (claimed := claim(now or timezone.now(), LINES[line])):
            n_sent += _send_all(_messages(claimed, now or timezone.now()))
        return n_sent
    finally:
        _turns[line].release()


def claim(now: datetime, channels: Sequence[str] = tuple(Channel.values)) -> list[Delivery]:
    """Take up to 1,000 due deliveries, for all of which this call then answers: fresh ones before
    those that were tried, and all of a message that was tried."""
    due = Delivery.objects.due(now)
    wanted = due.filter(destination__channel__in=channels).order_by("n_tries", "due_at", "pk")
    if not wanted.exists():
        return []
    lease = uuid.uuid4().hex
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            wanted = wanted.select_for_update(of=("self",), skip_locked=True)
        found = dict(wanted.values_list("pk", "message")[:ONE_TURN])
        together = Q(message__in=set(found.values()) - {""})
        due.order_by().filter(Q(pk__in=found) | together).update(
            state=State.SENDING, lease=lease, leased_until=now + LEASE, n_tries=F("n_tries") + 1
        )
    mine = Delivery.objects.filter(lease=lease, state=State.SENDING).select_related(
        "firing__rule__workspace",
        "firing__rule__owner",
        "firing__rule__view__workspace",
        "destination__user",
        "destination__rule",
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
    if rule.workspace.closed_at is not None:
        return CLOSED
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
    again = [
        Message(id, destination, deliveries, may_be_there=True) for id, deliveries in known.items()
    ]
    if not new:
        return again
    limit = (
        settings.MAX_MAILS_PER_HOUR if destination.channel == Channel.EMAIL else MAX_POSTS_PER_HOUR
    )
    lately = sent_lately(destination, now)
    if destination.rule.digest or len(lately) + len(again) + len(new) > limit:
        if len(lately) >= limit and max(lately) > now - BETWEEN_DIGESTS:
            _put_off(new, until=max(lately) + BETWEEN_DIGESTS)
            return again
        return [*again, _message(destination, new)]
    return [*again, *(_message(destination, [one]) for one in new)]


def sent_lately(destination: Destination, now: datetime) -> list[datetime]:
    """When messages left for the same place in the last hour: a person, whatever the rule, or the
    host of a webhook, by any rule of the same owner (many addresses of one host are one place)."""
    sent = Delivery.objects.filter(state=State.SENT, sent_at__gt=now - timedelta(hours=1))
    if destination.channel == Channel.EMAIL:
        sent = sent.filter(destination__user=destination.user)
    else:
        host = parse_url(destination.url).netloc or ""
        sent = sent.filter(
            destination__url__icontains=f"://{host}",
            destination__rule__owner=destination.rule.owner,
        )
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
    """Send each; when a server is away, the other messages for it wait without trying."""
    until = time.monotonic() + TURN_S
    n_sent, away = 0, dict[str, str]()
    for message in messages:
        if stopping.is_set() or time.monotonic() > until:
            _give_back(message)
        elif message.server in away:
            _later(message, away[message.server], server_away=True)
        elif _is_held(message):
            n_sent += _try(message, away)
    return n_sent


def _try(message: Message, away: dict[str, str]) -> bool:
    """Send one and write down what came of it; whether it left."""
    try:
        _send(message)
    except (smtp.ServerAway, outgoing.Away) as error:
        away[message.server] = str(error)
        _later(message, str(error), server_away=True, maybe_taken=error.maybe_taken)
    except smtp.NotNow as error:
        _later(message, str(error))
    except (smtp.Rejected, outgoing.Refused) as error:
        _mine(message.deliveries).update(state=State.FAILED, lease="", trouble=str(error))
    except Exception:
        logger.exception("alert message=%s failed", message.id)
        _later(message, "The studio failed over it; its log says why.", maybe_taken=True)
    else:
        _mark_sent(message)
        return True
    return False


def _send(message: Message) -> None:
    if message.destination.channel == Channel.EMAIL:
        mail.send(message.destination, message.deliveries, message_id=message.id)
    else:
        webhook.send(message.destination, message.deliveries, message_id=message.id)


def _is_held(message: Message) -> bool:
    """Hold the message for as long as sending it may take; False when another sender has it."""
    until = timezone.now() + LEASE_OF_ONE
    return bool(_mine(message.deliveries).update(leased_until=until))


def _mark_sent(message: Message) -> None:
    """With the database away, again until the lease is over: an unmarked message leaves twice."""
    sent_at, until = timezone.now(), time.monotonic() + LEASE_OF_ONE.total_seconds()
    while True:
        try:
            _mine(message.deliveries).update(
                state=State.SENT, sent_at=sent_at, lease="", trouble=""
            )
            return
        except (OperationalError, InterfaceError) as gone:
            logger.warning("alert message=%s sent, not marked because=%s", message.id, gone)
            if time.monotonic() > until:
                raise
            connection.close()
            time.sleep(MARK_AGAIN_S)


def _give_back(message: Message) -> None:
    _mine(message.deliveries).update(
        state=State.WAITING,
        lease="",
        n_tries=F("n_tries") - 1,
        message=message.id if message.may_be_there else "",
    )


def _later(
    message: Message, trouble: str, *, server_away: bool = False, maybe_taken: bool = False
) -> None:
    """Try again after a while that doubles, up to an hour, for a day. What certainly did not arrive
    may leave with others next time."""
    if _is_given_up(message):
        _mine(message.deliveries).update(state=State.FAILED, lease="", trouble=trouble)
        return
    n_tries = max(one.n_tries for one in message.deliveries)
    longest_s = LONGEST_WAIT_FOR_SERVER_S if server_away else LONGEST_WAIT_S
    wait_s = min(longest_s, FIRST_WAIT_S * 2.0 ** min(n_tries - 1, 20))
    wait_s *= 0.8 + 0.4 * secrets.randbelow(1_000) / 1_000  # not all at once
    _mine(message.deliveries).update(
        state=State.WAITING,
        due_at=timezone.now() + timedelta(seconds=wait_s),
        lease="",
        trouble=trouble,
        message=message.id if maybe_taken or message.may_be_there else "",
    )


def _is_given_up(message: Message) -> bool:
    oldest = min(one.firing.at for one in message.deliveries)
    digest = message.destination.rule.digest
    kept_for = DIGEST_EVERY[Digest(digest)] if digest else timedelta(0)
    n_tries = max(one.n_tries for one in message.deliveries)
    return timezone.now() - oldest > GIVEN_UP_AFTER + kept_for and n_tries >= LEAST_TRIES


def _close(delivery: Delivery, state: str, *, trouble: str) -> None:
    _mine([delivery]).update(state=state, lease="", trouble=trouble)


def _mine(deliveries: list[Delivery]) -> QuerySet[Delivery]:
    """Those of the deliveries that this sender still answers for."""
    return Delivery.objects.filter(
        pk__in=[one.pk for one in deliveries], lease=deliveries[0].lease, state=State.SENDING
    )
