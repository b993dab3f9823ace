"""What a mail server may say, or not say, and what becomes of the mail then."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from studio.accounts.models import User
from studio.alerts import sending, smtp
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, Firing, State
from studio.alerts.sending import LEASE_OF_ONE, claim, send_due
from studio.runs import actions
from studio.runs.actions.create import create_runs
from tests import make
from tests.alerts.mailbox import Mailbox
from tests.alerts.scripted import CONTENT, GREETING, Server, smtp_that_says

pytestmark = pytest.mark.data


@pytest.fixture
def to_port(settings: Any) -> Callable[[int], None]:
    """This studio's mails go to a port of this machine, with half a second for each answer."""

    def use(port: int) -> None:
        settings.EMAIL_BACKEND = smtp.OWN_BACKEND
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 0.5
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""

    return use


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TOTAL_S", 0.8)
    monkeypatch.setattr(smtp, "VERDICT_S", 0.5)


def fail(run: Any) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), error={"message": "no"}, reason="wrong")


def hang(server: Server, connection: Any) -> None:
    server.over.wait(20)


def drip(server: Server, connection: Any) -> None:
    server.drip(connection, b"2")


AWAY, LATER, NEVER, SENT = "away", "waiting", "failed", "sent"


def named(value: Any) -> str:
    """A name of a case that is the same in every process."""
    if not isinstance(value, dict):
        return str(value)
    return " ".join(
        f"{when} {getattr(said, '__name__', str(said)[:30])}" for when, said in value.items()
    )


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("said", "becomes", "n_mails", "keeps_id"),
    [
        ({GREETING: b"554 no service\r\n"}, AWAY, 0, False),
        ({GREETING: None}, AWAY, 0, False),
        ({GREETING: b"HTTP/1.1 400 Bad Request\r\n"}, AWAY, 0, False),
        ({GREETING: hang}, AWAY, 0, False),
        ({GREETING: drip}, AWAY, 0, False),
        ({"MAIL": b"550 we do not know you\r\n"}, AWAY, 0, False),
        ({"MAIL": b"421 too many\r\n"}, AWAY, 0, False),
        ({"RCPT": b"450 greylisted\r\n"}, LATER, 0, False),
        ({"RCPT": b"421 going down\r\n"}, AWAY, 0, False),
        ({"RCPT": b"530 sign in first\r\n"}, AWAY, 0, False),
        ({"RCPT": b"550 no such mailbox\r\n"}, NEVER, 0, False),
        ({"DATA": b"451 later\r\n"}, LATER, 0, False),
        ({CONTENT: b"452 no room\r\n"}, LATER, 1, False),
        ({CONTENT: b"554 looks like spam\r\n"}, NEVER, 1, False),
        ({CONTENT: b"421 going down\r\n"}, AWAY, 1, False),
        ({CONTENT: None}, AWAY, 1, True),
        ({CONTENT: hang}, AWAY, 1, True),
        ({CONTENT: drip}, AWAY, 1, True),
        ({"QUIT": None}, SENT, 1, True),
        ({"QUIT": b"5" * 9_000 + b"\r\n"}, SENT, 1, True),
        ({"QUIT": b"500 what?\r\n"}, SENT, 1, True),
    ],
    ids=named,
)
def test_what_the_mail_server_says_decides_what_becomes_of_the_mail(
    said: dict[str, Any],
    becomes: str,
    n_mails: int,
    keeps_id: bool,
    run: Any,
    rule_of: Callable[..., AlertRule],
    to_port: Callable[[int], None],
    impatient: None,
) -> None:
    rule_of()
    fail(run)
    mails: list[bytes] = []
    with smtp_that_says(said, mails) as server:
        to_port(server.port)
        match_news()
        send_due()

    found = Delivery.objects.get()
    assert found.state == {AWAY: State.WAITING}.get(becomes, becomes), found.trouble
    assert ("away" in found.trouble or "said" in found.trouble) == (becomes != SENT)
    assert len(mails) == n_mails
    assert bool(found.message) == (keeps_id or becomes == NEVER)


def test_a_password_that_is_wrong_loses_no_mail(
    run: Any,
    rule_of: Callable[..., AlertRule],
    to_port: Callable[[int], None],
    settings: Any,
) -> None:
    rule_of()
    fail(run)
    ehlo = b"250-here\r\n250 AUTH PLAIN\r\n"
    with smtp_that_says({"EHLO": ehlo, "AUTH": b"535 wrong\r\n"}, []) as server:
        to_port(server.port)
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "studio", "wrong"
        match_news()
        send_due()

    assert Delivery.objects.get().state == State.WAITING
    assert "535" in Delivery.objects.get().trouble


def test_a_recipient_who_must_wait_holds_up_nobody_else(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of("alice", name="hers", shared=True)
    rule_of("bob", name="his")
    mailbox.refuse, mailbox.refused = "450 greylisted", {"alice@example.org"}
    fail(run)
    match_news()

    send_due()

    assert [mail["To"] for mail in mailbox.mails] == ["bob@example.org"]


def test_an_address_that_is_none_is_given_up(
    run: Any, people: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    User.objects.filter(pk=people.bob.pk).update(email="bob@example.org\nBcc: eve@example.org")
    fail(run)
    match_news()

    send_due()

    assert not mailbox.mails
    assert Delivery.objects.get().state == State.FAILED


def test_an_outage_ends_in_a_digest_and_no_storm(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    """What was tried one by one while the server was away leaves together when it is back."""
    rule_of()
    mailbox.close()
    for _ in range(6):
        for _ in range(10):
            fail(make.run(experiment))
        match_news()
        send_due()
    assert Delivery.objects.filter(state=State.WAITING).count() == 60
    mailbox.open_again()

    send_due(timezone.now() + timedelta(hours=1))

    assert Delivery.objects.filter(state=State.SENT).count() == 60
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("hours", "n_tries", "digest", "state"),
    [
        (23, 50, "", State.WAITING),
        (25, 50, "", State.FAILED),
        (72, 1, "", State.WAITING),
        (25, 50, "daily", State.WAITING),
        (49, 50, "daily", State.FAILED),
    ],
)
def test_a_message_is_given_up_after_a_day_of_tries(
    hours: int,
    n_tries: int,
    digest: str,
    state: str,
    run: Any,
    rule_of: Callable[..., AlertRule],
    mailbox: Mailbox,
) -> None:
    """A digest's day begins when it was due; and a studio that was off for long still tries."""
    rule_of(digest=digest)
    fail(run)
    match_news()
    now = timezone.now()
    Firing.objects.update(at=now - timedelta(hours=hours))
    Delivery.objects.update(due_at=now, n_tries=n_tries)
    mailbox.answer = "451 later"

    send_due()

    assert Delivery.objects.get().state == state


def test_a_message_whose_answer_was_lost_leaves_again_as_it_was(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox, settings: Any
) -> None:
    """Whoever has it already can tell: the same id, and the same runs."""
    settings.MAX_MAILS_PER_HOUR = 2
    rule_of()
    for _ in range(5):
        fail(make.run(experiment))
    mailbox.taken = lambda mail: False
    match_news()
    send_due()
    mailbox.taken = lambda mail: True
    fail(make.run(experiment))
    match_news()
    # Of a turn that takes only a few, all of the message are taken.
    sending_turn, sending.ONE_TURN = sending.ONE_TURN, 2
    try:
        send_due(timezone.now() + timedelta(hours=1))
    finally:
        sending.ONE_TURN = sending_turn

    first, again = [mail for mail in mailbox.mails if "5 alerts" in str(mail["Subject"])]
    assert first["Message-ID"] == again["Message-ID"]
    assert Delivery.objects.filter(state=State.SENT).count() == 6


def test_who_lost_the_lease_sends_nothing(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    """A sender that was stopped for long goes on when another has the message."""
    rule_of()
    fail(run)
    match_news()
    now = timezone.now()
    late = sending._messages(claim(now), now)
    assert claim(now + LEASE_OF_ONE)

    assert sending._send_all(late) == 0
    assert not mailbox.mails


@pytest.fixture
def two_threads(transactional_db: None) -> Callable[[Callable[[], Any]], list[Any]]:
    def run_twice(work: Callable[[], Any]) -> list[Any]:
        results: list[Any] = []
        at_once = threading.Barrier(2)

        def one() -> None:
            try:
                at_once.wait()
                results.append(work())
            finally:
                connection.close()

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 2, "a thread failed"
        return results

    return run_twice


def test_two_workers_share_news_and_messages(
    two_threads: Any, workspace: Any, experiment: Any, rule_of: Callable[..., AlertRule]
) -> None:
    for number in range(3):
        rule_of(name=f"rule {number}")
    by = make.actor(make.contributor_of(workspace))
    for run in create_runs(
        experiment, [actions.NewRun(start=True) for _ in range(40)], by=by, parent=None
    ):
        fail(run)

    two_threads(match_news)

    assert Firing.objects.count() == Delivery.objects.count() == 3 * 40
    claimed = two_threads(lambda: [one.pk for one in claim(timezone.now())])
    assert len(claimed[0]) + len(claimed[1]) == len({*claimed[0], *claimed[1]})
    rest = [one.pk for one in claim(timezone.now())]
    assert len({*claimed[0], *claimed[1], *rest}) == 3 * 40
