"""Searches that the grammar allows and that are too much: each ends in time and says so, whoever
asks, and many of them at once keep nobody from asking how the studio is."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import requests

from tests.amount import form
from tests.faults.conftest import Promise
from tests.live.shared import show_log
from tests.live.studio import Studio
from tests.live.web_hosts import Browser
from tests.postgres import address_of, database_of_its_own
from tests.waiting import wait_until

pytestmark = [pytest.mark.live, pytest.mark.faults]

TOO_LONG = "This search takes too long. Narrow it down."
LIMIT_S = 0.1
N_RUNS = 6_000
N_AT_ONCE = form(40, 200)
# Many texts that are in no description: each of them is looked for in each of the runs.
HEAVY = "-(-(" + " OR ".join(f"description~b{i}" for i in range(180)) + "))"
# Longer than the limit, by SQL alone.
SLEEP = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) "
    "SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(1)",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def studio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    with ExitStack() as stack:
        more = {"STUDIO_QUERY_TIMEOUT_S": str(LIMIT_S), "TEST_DATABASE": request.param}
        if request.param == "postgresql":
            more["DATABASE_URL"] = address_of(stack.enter_context(database_of_its_own()))
        made = Studio(tmp_path_factory.mktemp("slow"), **more).start()
        stack.callback(show_log, made)
        stack.callback(made.stop)
        made.manage("seed_load", "--runs", str(N_RUNS))
        yield made


@pytest.fixture(scope="module")
def headers(studio: Studio) -> dict[str, str]:
    token = studio.manage("createtoken", "admin", "--workspace=load", "--scope=read")
    return {"Authorization": f"Bearer {token}"}


def test_it_ends_in_time_and_says_so(studio: Studio, headers: dict[str, str]) -> None:
    person = Browser()
    person.sign_in(studio.url)
    asked = {"q": HEAVY}

    page = person.get(f"{studio.url}/w/load/runs", params=asked)
    part = person.get(f"{studio.url}/w/load/runs", params=asked, headers={"HX-Request": "true"})
    told = requests.get(
        f"{studio.url}/api/v1/workspaces/load/runs", params=asked, headers=headers, timeout=60
    )

    assert [page.status_code, part.status_code, told.status_code] == [503] * 3
    assert TOO_LONG in page.text
    assert part.headers["X-Studio-Reason"] == TOO_LONG
    assert told.json()["error"] == {"code": "unavailable", "message": TOO_LONG}
    assert int(told.headers["Retry-After"]) > 0


def test_what_is_no_request_has_as_long_as_it_needs(studio: Studio) -> None:
    sql = SLEEP[studio.env["TEST_DATABASE"]]
    code = f"from django.db import connection as c; c.cursor().execute({sql!r}); print('done')"

    assert studio.manage("shell", "-v0", "-c", code) == "done"


def test_many_at_once_keep_nobody_from_asking_how_it_is(
    studio: Studio, headers: dict[str, str], promise: Promise
) -> None:
    promise("P24 heavy searches at once", n=N_AT_ONCE, broker=studio.env["TEST_DATABASE"])
    url = f"{studio.url}/api/v1/workspaces/load/runs"
    over = threading.Event()

    def search(_: int) -> requests.Response:
        return requests.get(url, params={"q": HEAVY}, headers=headers, timeout=120)

    def ask_on() -> list[int]:
        asked = []
        while not over.is_set():
            asked.append(requests.get(f"{studio.url}/healthz", timeout=20).status_code)
            over.wait(0.05)
        return asked

    with ThreadPoolExecutor(N_AT_ONCE + 1) as pool:
        health = pool.submit(ask_on)
        try:
            answers = list(pool.map(search, range(N_AT_ONCE)))
        finally:
            over.set()

    assert {answer.status_code for answer in answers} == {503}
    assert all("Retry-After" in answer.headers for answer in answers)
    assert len(health.result()) > 1
    assert set(health.result()) == {200}
    asked = {"headers": headers, "timeout": 60}
    wait_until(lambda: requests.get(url, **asked).ok, 30, "a short list")
