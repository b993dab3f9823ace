"""A person is added, sets a password by the link elsewhere, signs in, and is removed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.accounts.models import Membership
from tests.browser.looking import broken_rules
from tests.chromium import PATIENCE_MS

pytestmark = pytest.mark.browser
PAGE = "/w/lab/members"
PASSWORD = "quite another long one"
Open = Callable[..., Any]


@pytest.fixture
def stranger(browser: Browser, live_server: Any, transactional_db: None) -> Iterator[Page]:
    """A browser in which nobody is signed in."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def test_a_person_comes_and_goes(
    open_tab: Open, stranger: Page, people: Any, workspace: Any
) -> None:
    tab = open_tab(people.alice)
    page = tab.open("/w/lab/runs")
    page.get_by_role("button", name="Account of alice").click()
    page.get_by_role("menuitem", name="Members").click()
    form = page.locator("form", has=page.get_by_role("heading", name="Create an account"))
    form.get_by_label("User name").fill("erin")
    form.get_by_label("Full name").fill("Erin Hale")
    form.get_by_role("button", name="Create and show the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Account erin created")
    assert broken_rules(page) == []
    link = page.locator("#members-link").inner_text()

    stranger.goto(link)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_label("The same again").fill(PASSWORD)
    stranger.get_by_role("button", name="Set the password").click()
    expect(stranger.locator("#toasts")).to_contain_text("The password of erin is set")
    stranger.get_by_label("User name").fill("erin")
    stranger.get_by_label("Password").fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger).to_have_url(f"{tab.site}/w/lab/runs")

    page.get_by_role("link", name="Back to the members").click()
    page.get_by_role("link", name="Remove erin").click()
    dialog = page.get_by_role("dialog", name="Remove erin from lab")
    expect(dialog).to_contain_text("nothing in lab opens for erin")
    assert broken_rules(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("link", name="Remove erin")).to_be_focused()
    page.get_by_role("link", name="Remove erin").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.locator("#toasts")).to_contain_text("Removed erin")
    expect(page.locator("#members-history")).to_contain_text("removed erin")

    answer = stranger.goto(f"{tab.site}/w/lab/runs")
    assert answer is not None
    assert answer.status == 404
    stranger.goto(tab.site)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("No workspace yet")
    assert tab.troubles == []


def test_a_role_is_saved_in_its_row(open_tab: Open, people: Any, workspace: Any) -> None:
    tab = open_tab(people.alice)
    page = tab.open(PAGE)
    page.get_by_label("Role of carol", exact=True).select_option("contributor")
    page.get_by_role("button", name="Save the role of carol").click()
    expect(page.locator("#toasts")).to_contain_text("carol is Contributor now")
    assert Membership.objects.get(user=people.carol).role == "contributor"
    page.get_by_label("Role of alice", exact=True).select_option("reader")
    page.get_by_role("button", name="Save the role of alice").click()
    expect(page.get_by_role("alert").first).to_contain_text("Make somebody else an owner first")


def test_a_token_is_made_and_revoked(open_tab: Open, people: Any, workspace: Any) -> None:
    tab = open_tab(people.bob)
    page = tab.open("/account")
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Create token").click()
    expect(page.locator("#account-secret")).to_contain_text("studio_")
    assert broken_rules(page) == []
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.locator("#toasts")).to_contain_text("Revoked “laptop”")
    assert tab.troubles == []
