"""One real Chromium for all journeys of a test run (Playwright allows one at a time)."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright

# On a machine that does other work too, what a person waits a moment for may take many.
expect.set_options(timeout=20_000)
PATIENCE_MS = 60_000
# What HTMX says of a request that it gave up for a newer one; of one that failed it says more.
GIVEN_UP = ("htmx:afterRequest", "htmx:sendAbort")

# Without these a browser on a closed network spends its time on refused connections.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
    "--no-first-run",
)
# The shell is the same browser without windows, and a third faster.
BINARIES = ("chromium-headless-shell", "chromium", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BINARIES)), None)
    assert path, "Browser tests need Chromium: apt-get install chromium"
    args = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=path, args=args)
        yield found
        found.close()


def is_trouble(said: ConsoleMessage) -> bool:
    """Whether the console tells of something that went wrong."""
    return said.type == "error" and not said.text.startswith(GIVEN_UP)
