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


class HeldAnswer(Held):
    """The same for the answer: the server has given it, from what it knew then."""

    def __init__(self, page: Page, end: str) -> None:
        self.page = page
        self.route = None
        page.route(lambda address: address.endswith(end), self._meet)

    def _meet(self, route: Route) -> None:
        if self.route is None:
            self.answer = route.fetch()
            self.route = route
        else:
            route.continue_()

    def let_go(self) -> None:
        """Return when it has come, or was given up for a newer one."""
        assert self.route is not None
        self.route.fulfill(response=self.answer)
