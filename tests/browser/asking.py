"""What a page asks for by itself, on a clock that is turned instead of waited for."""

from playwright.sync_api import Page, Request

from tests.waiting import wait_until

# Longer than the time between two questions of the slowest part of a page.
TURN_MS = 3_500
QUIET_TURNS, MOST_TURNS = 3, 30


def comes_to_rest(page: Page, part: str = "") -> bool:
    """Whether turn after turn passes without a request whose address holds `part`.

    The page's clock has to be installed: `page.clock.install()` before it is opened."""
    under_way: set[Request] = set()
    asked: list[str] = []

    def begin(request: Request) -> None:
        if part in request.url:
            under_way.add(request)
            asked.append(request.url)

    page.on("request", begin)
    page.on("requestfinished", lambda request: under_way.discard(request))
    page.on("requestfailed", lambda request: under_way.discard(request))
    n_quiet = 0
    for _ in range(MOST_TURNS):
        page.clock.run_for(TURN_MS)
        wait_until(lambda: page.evaluate("1") and not under_way)
        n_quiet = 0 if asked else n_quiet + 1
        asked.clear()
        if n_quiet == QUIET_TURNS:
            break
    page.remove_listener("request", begin)
    return n_quiet == QUIET_TURNS
