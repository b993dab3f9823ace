"""From a status change to a mail: which rules it concerns, what the mail says, once each."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.members import remove_member
from studio.alerts.actions import mute_rule, notify_at_end, try_rule, unsubscribe
from studio.alerts.mail import unsubscribe_url
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, Destination, Firing, State
from studio.alerts.sending import LEASE, claim, send_due
from studio.runs import actions
from studio.runs.actions.create import create_runs
from studio.runs.models import StatusNews
from tests import make
from tests.alerts.mailbox import Mailbox, text_of

pytestmark = pytest.mark.data


def fail(run: Any, **error: str) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), error=error, reason="wrong data")


def tell() -> None:
    match_news()
    send_due()


def test_a_failed_run_is_told_by_mail_with_all_one_wants_to_know(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule = rule_of(query="experiment:vision")
    fail(run, code="ValueError", message="no <data>", traceback="Traceback\n  line 1\nValueError")

    tell()

    (mail,) = mailbox.mails
    assert mail["To"] == "bob@example.org"
    assert mail["Subject"] == f"[studio] Failed: vision / {run.display_name}"
    for part in ("plain", "html"):
        text = text_of(mail, part)
        for wanted in ("vision", run.display_name, "Failed", "Running", "bob", "ValueError"):
            assert wanted in text, (part, wanted)
        assert run.page_url in text
        assert f"/alerts/{rule.uid}" in text
    assert "no <data>" in text_of(mail)
    assert "no &lt;data&gt;" in text_of(mail, "html")


def test_one_change_is_told_once_for_each_rule_that_wants_it(
    run: Any, experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of(name="mine", query="is:mine")
    rule_of(name="another experiment", query="experiment:speech")
    rule_of(name="completed", statuses=["Completed"])
    rule_of("alice", name="all", shared=True)
    other = make.run(experiment)
    fail(run)
    tell()
    tell()
    actions.complete_run(other, by=make.actor(other.submitter))
    tell()

    assert sorted((mail["To"], mail["Subject"].split(":")[0]) for mail in mailbox.mails) == [
        ("alice@example.org", "[studio] Failed"),
        ("bob@example.org", "[studio] Completed"),
        ("bob@example.org", "[studio] Failed"),
    ]
    assert not StatusNews.objects.exists()


@pytest.mark.parametrize("name", ["a\nBcc: eve@example.org", "b\r\n\r\nbody", "c\x0b\x1c d"])
def test_a_name_adds_no_header(
    name: str, experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    fail(make.run(experiment, display_name=name))

    tell()

    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["To"] == "bob@example.org"
    assert "\n" not in str(mail["Subject"])


def test_a_server_that_is_away_gets_the_mail_when_it_is_back(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    fail(run)
    mailbox.answer = "451 try again later"
    tell()
    waiting = Delivery.objects.get()
    assert (waiting.state, waiting.n_tries) == (State.WAITING, 1)
    assert "451" in waiting.trouble
    mailbox.answer = ""

    send_due(waiting.due_at - timedelta(seconds=1))
    assert not mailbox.mails
    send_due(waiting.due_at)

    assert len(mailbox.mails) == 1
    assert Delivery.objects.get().state == State.SENT


def test_a_server_that_refuses_for_good_is_not_asked_again(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    fail(run)
    mailbox.refuse = "550 no such mailbox"

    tell()

    given_up = Delivery.objects.get()
    assert given_up.state == State.FAILED
    assert "550" in given_up.trouble


def test_a_sender_that_died_with_a_mail_is_followed_by_another_with_the_same_id(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    fail(run)
    match_news()
    now = timezone.now()
    (held,) = claim(now)
    Delivery.objects.filter(pk=held.pk).update(message="f" * 32)

    send_due(now + LEASE - timedelta(seconds=1))
    assert not mailbox.mails
    send_due(now + LEASE + timedelta(seconds=1))

    (mail,) = mailbox.mails
    assert "f" * 32 in mail["Message-ID"]


def test_two_hundred_failures_are_a_digest_and_no_storm(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    by = make.actor(make.contributor_of(experiment.workspace))
    new = [actions.NewRun(start=True) for _ in range(200)]
    for run in create_runs(experiment, new, by=by, parent=None):
        fail(run)

    tell()

    assert Delivery.objects.filter(state=State.SENT).count() == 200
    assert len(mailbox.mails) == 1
    assert mailbox.mails[0]["Subject"] == "[studio] 200 alerts of “Tell me”"
    assert "and 150 more" in text_of(mailbox.mails[0])


def test_above_the_limit_of_an_hour_the_rest_waits_for_a_digest(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    for _ in range(20):
        fail(make.run(experiment))
    tell()
    assert len(mailbox.mails) == 20
    for _ in range(5):
        fail(make.run(experiment))
    tell()
    assert len(mailbox.mails) == 20

    send_due(timezone.now() + timedelta(minutes=6))

    assert mailbox.mails[20]["Subject"] == "[studio] 5 alerts of “Tell me”"


def test_who_lost_access_hears_nothing(
    run: Any, workspace: Any, people: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of("carol")
    fail(run)
    match_news()
    remove_member(workspace, "carol", by=make.actor(people.alice))

    send_due()

    assert not mailbox.mails
    assert Delivery.objects.get().state == State.DROPPED
    assert "carol" in Delivery.objects.get().trouble


def test_a_muted_rule_lists_what_happened_and_tells_nobody(
    run: Any, people: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule = rule_of()
    mute_rule(rule, timezone.now() + timedelta(hours=1), by=make.actor(people.bob))
    fail(run)

    tell()

    assert not mailbox.mails
    assert Delivery.objects.get().state == State.DROPPED


def test_a_digest_waits_for_its_hour(
    experiment: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of(digest="hourly")
    for _ in range(2):
        fail(make.run(experiment))

    tell()
    assert not mailbox.mails
    send_due(timezone.now() + timedelta(hours=1))

    assert mailbox.mails[0]["Subject"] == "[studio] 2 alerts of “Tell me”"


def test_the_end_of_one_run_is_told_once(run: Any, people: Any, mailbox: Mailbox) -> None:
    by = make.actor(people.carol)
    assert notify_at_end(run, by=by) == notify_at_end(run, by=by)
    actions.complete_run(run, by=make.actor(run.submitter))
    tell()
    fail(run)

    tell()

    (mail,) = mailbox.mails
    assert mail["Subject"].startswith("[studio] Completed:")


def test_a_test_says_that_it_is_one(
    run: Any, people: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    try_rule(rule_of(), by=make.actor(people.bob))

    send_due()

    assert mailbox.mails[0]["Subject"].startswith("[studio] Test: ")
    assert "This is a test" in text_of(mailbox.mails[0])


def test_the_link_of_a_mail_stops_the_mails_of_its_rule(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule = rule_of()
    token = unsubscribe_url(Destination.objects.get()).rpartition("/")[2]
    assert unsubscribe(f"{token}x") is None

    assert unsubscribe(token) is not None

    rule.refresh_from_db()
    assert not rule.is_enabled
    fail(run)
    tell()
    assert not Firing.objects.exists()
