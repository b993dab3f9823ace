"""One real Chromium for all journeys, signed in against Django's live server.

Each page collects what goes wrong in it: console errors, exceptions and refused content.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from playwright.sync_api import Browser, BrowserContext, Page

from tests.chromium import PATIENCE_MS, is_trouble

REPORT_REFUSALS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the content policy: ${event.violatedDirective} ${event.sourceFile}`))"""


@dataclass
class Tab:
    """A page, the address of the site, and the troubles seen so far."""

    page: Page
    site: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.site + path)
        return self.page


class FromMemory:
    """Answers for static files from memory, to be kept by the browser, as in production: Django's
    own handler looks for each of a page's forty files in every application's folder again."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self.answers: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(settings.STATIC_URL) or environ["REQUEST_METHOD"] != "GET":
            return self.app(environ, start)
        if path not in self.answers:
            told: list[Any] = []
            with closing(self.app(environ, lambda *words: told.extend(words[:2]))) as answer:
                body = b"".join(answer)
            status, headers = told
            if not status.startswith("200"):
                start(status, headers)
                return [body]
            kept = [*headers, ("Cache-Control", "max-age=3600, immutable")]
            self.answers[path] = status, kept, body
        status, headers, body = self.answers[path]
        start(status, headers)
        return [body]


class Requests:
    """How many requests the server is answering. A page asks on while its test ends; what is not
    answered by then would use the database that is being emptied."""

    def __init__(self) -> None:
        self.n = 0
        self.changed = Condition()

    def begin(self, **_: Any) -> None:
        with self.changed:
            self.n += 1

    def end(self, **_: Any) -> None:
        with self.changed:
            self.n -= 1
            self.changed.notify_all()

    def wait_for_none(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: not self.n, PATIENCE_MS / 1_000), self.n


@pytest.fixture(scope="session")
def requests() -> Iterator[Requests]:
    counted = Requests()
    request_started.connect(counted.begin)
    request_finished.connect(counted.end)
    yield counted
    request_started.disconnect(counted.begin)
    request_finished.disconnect(counted.end)


@pytest.fixture(scope="session")
def live_server(live_server: Any) -> Any:
    server = live_server.thread.httpd
    # Head and body of an answer leave in two pieces: the second must not wait for the browser's
    # acknowledgement of the first, 40 ms each time.
    server.RequestHandlerClass.disable_nagle_algorithm = True
    server.set_app(FromMemory(server.get_app()))
    return live_server


@pytest.fixture
def open_tab(
    browser: Browser, live_server: Any, requests: Requests, transactional_db: None
) -> Iterator[Callable[..., Tab]]:
    """`open_tab(user, width=1440, theme="light")`: a tab in which `user` is signed in.

    calm: nothing moves."""
    contexts: list[BrowserContext] = []

    def make_tab(
        user: Any, *, width: int = 1440, height: int = 900, theme: str = "light", calm: bool = False
    ) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce" if calm else None,
            timezone_id="UTC",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(REPORT_REFUSALS)
        sign_in(context, user, live_server.url)
        tab = Tab(context.new_page(), live_server.url)
        tab.page.on("console", lambda said: is_trouble(said) and tab.troubles.append(said.text))
        tab.page.on("pageerror", lambda error: tab.troubles.append(str(error)))
        return tab

    yield make_tab
    for context in contexts:
        context.close()
    requests.wait_for_none()


def sign_in(context: BrowserContext, user: Any, site: str) -> None:
    """Give the browser a session of `user` without walking through the form."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": site}])
