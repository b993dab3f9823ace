"""The tab Raw JSON: a run as the API answers it."""

import json
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from tests import make
from tests.web.pages import HTMX, read

HOSTILE = "</pre><script>alert(1)</script>"


def address(run: Any) -> str:
    return f"{run.page_path}/json"


def shown(answer: Any) -> Any:
    """The JSON that the page shows, read from its text as a reader copies it."""
    found = re.search(
        r'<pre [^>]*id="runs-json_text"[^>]*>(.*?)</pre>', answer.content.decode(), re.S
    )
    assert found
    return json.loads(unescape(re.sub(r"<[^>]*>", "", found[1])))


@pytest.fixture
def full(experiment: Any, people: Any) -> Any:
    run = make.run(
        experiment,
        display_name=HOSTILE,
        tags={"quality": "great", "seen": None},
        parameters={"lr": "1e-3", "marks": "a\u202eb\x85c\ttab"},
        properties={"data_set": "Zürich 数据 🎉"},
        definition={"command_line": "python train.py", "git": {"dirty": "True"}},
    )
    actions.describe_run(run, "A **first**\ntry", by=make.actor(people.bob))
    actions.complete_run(run, by=make.actor(people.bob))
    return run


@pytest.mark.parametrize("who", ["alice", "bob", "carol"])
def test_the_page_shows_what_the_api_answers(full: Any, people: Any, who: str) -> None:
    person = getattr(people, who)
    asked = make.Api(person, full.workspace, scope="read").get(f"/runs/{full.uid}")
    answer = make.client(person).get(address(full))

    assert answer.status_code == 200
    assert shown(answer) == asked.json()
    assert HOSTILE not in answer.content.decode()


def test_a_star_is_the_readers_own(full: Any, bob_client: Client, carol_client: Client) -> None:
    bob_client.post(f"{full.page_path}/star", {"starred": "1"})

    assert shown(bob_client.get(address(full)))["starred"] is True
    assert shown(carol_client.get(address(full)))["starred"] is False


def test_an_outsider_sees_nothing(full: Any, dave_client: Client) -> None:
    assert dave_client.get(address(full)).status_code == 404


def test_the_address_and_the_command_ask_the_api(full: Any, carol_client: Client) -> None:
    page = read(carol_client.get(address(full)))
    api = f"http://testserver/api/v1/workspaces/lab/runs/{full.uid}"
    command = f'curl -H "Authorization: Bearer $STUDIO_TOKEN" {api}'

    assert command in page.text
    assert page.one("button", **{"data-copy": command})
    assert page.href(href=api)
    assert page.one("button", **{"data-copy-of": "runs-json_text"})
    assert page.one("a", href=address(full))["aria-current"] == "page"


def test_the_part_is_that_of_the_page(full: Any, carol_client: Client) -> None:
    page, part = (carol_client.get(address(full), headers=h) for h in ({}, HTMX))

    assert shown(part) == shown(page)
    assert "<html" not in part.content.decode()


def test_letters_stay_readable_and_keys_have_a_colour(full: Any, carol_client: Client) -> None:
    html = carol_client.get(address(full)).content.decode()

    assert "Zürich 数据 🎉" in html
    assert "a\\u202eb\\u0085c\\ttab" in html
    assert '<span class="nt">&#34;uid&#34;</span>' in html
