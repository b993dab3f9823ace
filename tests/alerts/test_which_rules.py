"""What becomes of news and rules when runs, people and rules go between the event and the mail."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from studio.accounts.members import remove_member
from studio.accounts.models import User
from studio.alerts import matching, watching
from studio.alerts.actions import create_rule, delete_rule, notify_at_end
from studio.alerts.drafts import Address, RuleDraft
from studio.alerts.forgetting import forget_firings
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule, Delivery, Firing, State
from studio.alerts.sending import send_due
from studio.alerts.watching import watch
from studio.custom_views.actions import Draft, create_view
from studio.runs import actions
from studio.runs.actions.create import create_runs
from studio.runs.actions.keeping import delete_run
from studio.runs.models import Run, RunEvent, StatusNews
from tests import make
from tests.alerts.mailbox import Mailbox

pytestmark = pytest.mark.data


def fail(run: Any) -> None:
    actions.fail_run(run, by=make.actor(run.submitter), reason="wrong")


def later(minutes: float) -> Any:
    return timezone.now() + timedelta(minutes=minutes)


def deactivate(run: Any, people: Any) -> None:
    User.objects.filter(pk=people.carol.pk).update(is_active=False)


def end_membership(run: Any, people: Any) -> None:
    remove_member(run.workspace, "carol", by=make.actor(people.alice))


def bin_run(run: Any, people: Any) -> None:
    delete_run(run, by=make.actor(people.alice))


def purge(run: Any, people: Any) -> None:
    bin_run(run, people)
    Run.objects.filter(pk=run.pk).delete()


def delete_carols_rule(run: Any, people: Any) -> None:
    for rule in AlertRule.objects.filter(owner=people.carol):
        delete_rule(rule, by=make.actor(people.carol))


GONE = [deactivate, end_membership, bin_run, purge, delete_carols_rule]


@pytest.mark.parametrize("gone", GONE)
def test_who_or_what_is_gone_before_the_news_are_read_is_not_told_of(
    gone: Callable[..., None],
    run: Any,
    people: Any,
    rule_of: Callable[..., AlertRule],
    mailbox: Mailbox,
) -> None:
    rule_of("carol")
    fail(run)
    gone(run, people)

    match_news()
    send_due()

    assert not mailbox.mails
    assert not StatusNews.objects.exists()


@pytest.mark.parametrize("gone", GONE)
def test_who_or_what_is_gone_while_a_message_waits_stops_nobody_elses(
    gone: Callable[..., None],
    run: Any,
    experiment: Any,
    people: Any,
    rule_of: Callable[..., AlertRule],
    mailbox: Mailbox,
) -> None:
    rule_of("carol")
    rule_of("bob")
    fail(run)
    fail(make.run(experiment))
    match_news()
    gone(run, people)

    send_due()

    told = [mail["To"] for mail in mailbox.mails]
    # A run in the trash is there still: what happened to it is told.
    n_carol = {bin_run: 2, purge: 1}.get(gone, 0)
    assert told.count("carol@example.org") == n_carol
    assert told.count("bob@example.org") == (1 if gone == purge else 2)
    assert not Delivery.objects.unfinished().exists()


def test_a_completed_run_that_is_marked_as_failed_is_told_as_failed(
    run: Any, rule_of: Callable[..., AlertRule], mailbox: Mailbox
) -> None:
    rule_of()
    actions.complete_run(run, by=make.actor(run.submitter))
    fail(run)
    match_news()
    send_due()

    (mail,) = mailbox.mails
    assert mail["Subject"].startswith("[studio] Failed:")
    assert Firing.objects.get().facts["before"] == "Completed"


def test_of_two_ends_of_a_run_in_one_turn_the_first_is_told(
    run: Any, people: Any, mailbox: Mailbox
) -> None:
    notify_at_end(run, by=make.actor(people.carol))
    actions.complete_run(run, by=make.actor(run.submitter))
    fail(run)
    match_news()
    send_due()

    assert [str(mail["Subject"])[:20] for mail in mailbox.mails] == ["[studio] Completed: "]


def test_each_of_many_runs_that_change_at_once_is_news(
    experiment: Any, rule_of: Callable[..., AlertRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a turn reads, and more than a transaction writes."""
    monkeypatch.setattr(matching, "ONE_TURN", 20)
    monkeypatch.setattr(matching, "ONE_WRITE", 15)
    rule_of(name="first")
    rule_of(name="second")
    by = make.actor(make.contributor_of(experiment.workspace))
    runs = create_runs(
        experiment, [actions.NewRun(start=True) for _ in range(50)], by=by, parent=None
    )
    for run in runs:
        fail(run)

    match_news()

    assert Firing.objects.count() == 2 * 50
    assert not StatusNews.objects.exists()


def test_news_that_nobody_read_for_a_week_is_history(
    run: Any, experiment: Any, rule_of: Callable[..., AlertRule]
) -> None:
    rule_of()
    fail(run)
    RunEvent.objects.filter(run=run).update(at=timezone.now() - timedelta(days=8))
    fail(make.run(experiment))

    match_news()

    assert Firing.objects.count() == 1
    assert not StatusNews.objects.exists()


def test_a_rule_that_breaks_is_switched_off_and_the_others_go_on(
    run: Any, rule_of: Callable[..., AlertRule], caplog: pytest.LogCaptureFixture
) -> None:
    bad = rule_of(name="bad")
    rule_of(name="good")
    AlertRule.objects.filter(pk=bad.pk).update(query="experiment:vision AND (")
    fail(run)

    with caplog.at_level(logging.CRITICAL):
        match_news()

    bad.refresh_from_db()
    assert (bad.is_enabled, bool(bad.trouble)) == (False, True)
    assert [firing.rule.name for firing in Firing.objects.all()] == ["good"]


def test_runs_that_were_told_of_do_not_hide_the_next_silent_one(
    experiment: Any, rule_of: Callable[..., AlertRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_RUNS", 2)
    rule_of(kind="silence", seconds=1_800)
    runs = [make.run(experiment) for _ in range(3)]

    for minute in (31, 62, 93):
        watch(later(minute))

    assert {firing.run_id for firing in Firing.objects.all()} == {run.pk for run in runs}
    assert Firing.objects.count() == 3


def test_a_view_that_its_owner_stopped_sharing_is_told_of_no_more(
    workspace: Any, people: Any, run: Any, mailbox: Mailbox
) -> None:
    view = create_view(
        workspace, Draft("Broken", {"q": "status:failed"}), by=make.actor(people.bob)
    )
    rule = create_rule(
        workspace,
        RuleDraft("enters", kind="view", edge="enter", addresses=[Address("email")]),
        by=make.actor(people.bob),
        subject=view,
    )
    watch()
    fail(run)
    AlertRule.objects.filter(pk=rule.pk).update(owner=people.carol)  # as if it had been shared

    watch(later(1))

    rule.refresh_from_db()
    assert not rule.is_enabled
    assert not Firing.objects.exists()


def test_a_rule_that_fired_once_is_kept_while_its_message_waits(
    run: Any, people: Any, mailbox: Mailbox
) -> None:
    rule = notify_at_end(run, by=make.actor(people.carol))
    month_ago = timezone.now() - timedelta(days=40)
    AlertRule.objects.filter(pk=rule.pk).update(changed_at=month_ago)
    fail(run)
    match_news()
    mailbox.answer = "451 later"
    send_due()

    forget_firings()

    assert Delivery.objects.get().state == State.WAITING
