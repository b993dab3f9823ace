"""A rule is made from a list, a run fails, the mail arrives, its link leads to the run, and the
mails are stopped."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from studio.alerts.actions import create_rule
from studio.alerts.drafts import RuleDraft
from studio.alerts.matching import match_news
from studio.alerts.models import AlertRule
from studio.alerts.sending import send_due
from studio.runs import actions
from tests import make
from tests.alerts.mailbox import Mailbox, text_of
from tests.browser.looking import broken_rules

pytestmark = pytest.mark.browser
Open = Callable[..., Any]


@pytest.fixture
def mailbox(settings: Any, live_server: Any) -> Iterator[Mailbox]:
    with Mailbox() as box:
        settings.STUDIO_BASE_URL = live_server.url
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield box


def fail(run: Any) -> None:
    error = {"message": "CUDA out of memory", "traceback": "Traceback\nRuntimeError"}
    actions.fail_run(run, by=make.actor(run.submitter), error=error, reason="wrong data")


def test_a_rule_is_made_a_run_fails_and_the_mails_are_stopped(
    open_tab: Open, people: Any, run: Any, mailbox: Mailbox
) -> None:
    tab = open_tab(people.alice)
    page = tab.open("/w/lab/experiments/vision")
    page.get_by_role("link", name="Tell me when…").click()
    expect(page.get_by_label("Of runs that match")).to_have_value("experiment:vision")
    page.get_by_label("Name", exact=True).fill("Broken")
    people_list = page.get_by_role("checkbox", name="bob")
    expect(people_list).to_be_hidden()
    page.get_by_label("The workspace’s").check()
    expect(page.get_by_role("checkbox", name="Me")).to_be_hidden()
    people_list.check()
    page.get_by_role("button", name="Create rule").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Broken")

    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#alerts-firings")).to_contain_text("Waiting")
    fail(run)
    match_news()
    send_due()
    expect(page.locator("#alerts-firings")).to_contain_text("Failed: vision /")
    expect(page.locator("#alerts-firings")).not_to_contain_text("Waiting")
    expect(page.locator("#alerts-firings .tone-completed")).to_have_count(2)

    mail = mailbox.mails[-1]
    assert mail["To"] == "bob@example.org"
    links = re.findall(r"https?://\S+", text_of(mail))
    reader = open_tab(people.bob).page
    reader.goto(next(link for link in links if "/runs/" in link))
    expect(reader.get_by_role("heading", level=1)).to_contain_text(run.display_name)
    reader.context.clear_cookies()
    reader.goto(next(link for link in links if "/unsubscribe/" in link))
    reader.get_by_role("button", name="Stop the mails").press("Enter")
    expect(reader.get_by_role("heading", level=1)).to_have_text("The mails are stopped")
    assert not AlertRule.objects.get().destinations.exists()
    assert tab.troubles == []


def test_a_rule_is_muted_and_deleted_by_keys_and_a_given_up_mail_is_tried_again(
    open_tab: Open, people: Any, run: Any, workspace: Any, mailbox: Mailbox
) -> None:
    draft = RuleDraft("Broken", statuses=["Failed"])
    rule = create_rule(workspace, draft, by=make.actor(people.bob))
    mailbox.refuse = "550 no such mailbox"
    fail(run)
    match_news()
    send_due()
    mailbox.refuse = ""
    tab = open_tab(people.bob)
    page = tab.open("/w/lab/runs")
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", level=1)).to_have_text("Monitor")
    page.get_by_role("link", name="Alert rules").press("Enter")
    page.get_by_role("link", name="Broken").press("Enter")
    page.get_by_role("button", name="Try again").press("Enter")
    expect(page.locator("#alerts-firings")).to_contain_text("Waiting")
    send_due()
    expect(page.locator("#alerts-firings")).to_contain_text("Sent")
    assert len(mailbox.mails) == 1

    page.get_by_role("button", name="Mute").press("Enter")
    expect(page.get_by_role("menuitem", name="For an hour")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".page-head")).to_contain_text("Muted, ends in 1 d")
    page.get_by_role("button", name="Unmute").press("Enter")
    expect(page.locator(".page-head")).not_to_contain_text("Muted")
    page.get_by_role("link", name="Delete").press("Enter")
    dialog = page.get_by_role("dialog", name="Delete “Broken”")
    assert broken_rules(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Delete")).to_be_focused()
    page.get_by_role("link", name="Delete").press("Enter")
    dialog.get_by_role("button", name="Delete").press("Enter")
    expect(page.locator("#toasts")).to_contain_text("The rule “Broken” is deleted")
    assert not AlertRule.objects.filter(pk=rule.pk).exists()
    assert tab.troubles == []


def test_typing_into_the_filter_of_monitor_narrows_it_and_its_address(
    open_tab: Open, people: Any, experiment: Any
) -> None:
    for name in ("alpha", "beta"):
        make.run(experiment, display_name=name)
    tab = open_tab(people.bob)
    page = tab.open("/w/lab/monitor")
    page.get_by_label("Name or id of the run").press_sequentially("alp")
    expect(page.locator("#monitor-results tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"run=alp"))
    expect(page.locator("#monitor-export")).to_have_attribute("href", re.compile(r"run=alp"))
    page.get_by_label("New status").select_option("Failed")
    expect(page.locator("#monitor-results")).to_contain_text("No event is like that")
    page.get_by_role("link", name="Clear the filter").click()
    expect(page.locator("#monitor-results tbody tr")).to_have_count(2)
    assert tab.troubles == []
