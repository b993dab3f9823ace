"""Holding a request on its way, as a slow network or a busy server does."""

from playwright.sync_api import Page, Route


class Held:
    """The first request whose address holds `part` waits on its way until it is let go."""

    def __init__(self, page: Page, part: str) -> None:
        self.page = page
        self.route: Route | None = None
        page.route(lambda address: part in address, self._meet)

    def _meet(self, route: Route) -> None:
        if self.route is None:
            self.route = route
        else:
            route.continue_()

    def expect_asked(self) -> None:
        """Return when the page has asked."""
        if self.route is None:
            self.page.wait_for_event("request", lambda _: self.route is not None)

    def let_go(self) -> None:
        """Return when the answer has come."""
        self.expect_asked()
        assert self.route is not None
        address = self.route.request.url
        with self.page.expect_event("response", lambda got: got.url == address):
            self.route.continue_()
