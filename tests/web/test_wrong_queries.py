"""A wrong query is never an error page: it says where, what was meant, and how it is right."""

import html
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client

from tests import make
from tests.web.pages import HTMX, read, rows

LIST = "/w/lab/runs"
# (query, the marked part, part of the message); "" marks the end.
WRONG: list[tuple[str, str, str]] = [
    # Keys
    ("statsu:failed", "statsu", "Did you mean status?"),
    ("warm statsu:failed", "statsu", "Did you mean status?"),
    ("metrics_loss<1", "metrics_loss", "no key metrics_loss"),
    ("user:bob", "user", "Did you mean submitter?"),
    ("lr=0.1", "lr", "param.NAME"),
    ("http://example.org", "http", "put it in quotes"),
    ("status.x:failed", "status.x", "takes no name"),
    ("tag:quality", "tag", "tag needs a name"),
    ("tag.:x", "tag.", "tag needs a name"),
    ("has:quality", "quality", "no key quality"),
    ("has:is", "is", "has: takes the key"),
    ("is:fast", "is:fast", "starred, archived or mine"),
    ("0.1<metric.loss", "0.1", "The key comes first"),
    ("!status:failed", "!status", "minus"),
    ('"status":failed', '"status"', "A key is not quoted"),
    ("log:error", "log:error", "searched with ~"),
    # Half terms
    ("status:", "", "needs a value"),
    ("warm status:  ", "", "needs a value"),
    ("metric.loss", "metric.loss", "say what it must be"),
    ("metric.loss<", "", "needs a value"),
    ("tag.", "tag.", "say what it must be"),
    ("has:", "has:", "has: takes the key"),
    ("a OR", "OR", "OR needs"),
    ("a AND", "AND", "AND needs"),
    ("NOT", "NOT", "NOT needs"),
    ("a - b", "-", "follows it directly"),
    ("status: submitter:bob", "", "needs a value"),
    # Numbers, dates, durations
    ("metric.loss<abc", "abc", "number"),
    ("number:x", "x", "number"),
    ("metric.loss:0.1..abc", "0.1..abc", "number"),
    ("children>many", "many", "number"),
    ("duration>soon", "soon", "duration"),
    ("duration>5parsecs", "5parsecs", "duration"),
    ("submitted>someday", "someday", "is not a time"),
    ("submitted>2026-13-01", "2026-13-01", "is not a time"),
    ("submitted>2026-02-30", "2026-02-30", "is not a time"),
    ("submitted:2026-11-01..someday", "2026-11-01..someday", "is not a time"),
    ("submitted>-7parsecs", "-7parsecs", "is not a time"),
    # Ranges and lists
    ("metric.loss:..", "metric.loss:..", "value at one end"),
    ("metric.loss:1..2|5", "metric.loss:1..2", "not in a list"),
    ("metric.loss:1....5", "metric.loss:1....", "value at one end"),
    ("metric.loss!=1..2", "metric.loss!=1..2", "goes with a colon"),
    ("metric.loss<1|2", "metric.loss<1|2", "takes one value"),
    ("status:failed|", "", "both sides"),
    ("status:|failed", "|", "a value should stand"),
    ("status:failed||queued", "", "both sides"),
    # Operators on the wrong types
    ("status>failed", "status>failed", "status"),
    ("experiment<vision", "experiment<vision", "experiment"),
    ("is!=starred", "is!=starred", "starred, archived or mine"),
    ("submitted~2026", "submitted~2026", "submitted"),
    ("status::failed", "::", "not an operator"),
    ("metric.loss=>0.3", "=>", "not an operator"),
    ("a|b", "|", "between words write OR"),
    ("a && b", "&&", "AND stands between"),
    ("status:flying", "flying", "status"),
    ("type:rocket", "rocket", "type"),
    # Parentheses and quotes
    ("(a OR b", "(", "never closed"),
    ("a)", ")", "closes nothing"),
    ("a ( ) b", "( )", "are empty"),
    ("()", "()", "are empty"),
    ('"never closed', '"never closed', "never closed"),
    ('tag.x:"never', '"never', "never closed"),
    ('""', '""', "nothing between"),
    ("“first try”", "“", "straight double"),
    ('name:ab"c"', '"', "A quote begins"),
    ("status:(failed OR queued)", "(", "not a group"),
    # Odd characters
    ("a\x00b", "\x00", "cannot be part"),
    ("😀 statsu:😀", "statsu", "Did you mean status?"),
    ("‮dekram status:", "", "needs a value"),
    ("<script>:alert", "<", "no key before"),
    ("'; DROP TABLE runs --:x", "'", "straight double"),
    ("tag.\u202e:", "", "needs a value"),
]
# Sent as bytes, as no browser would: NUL, half a surrogate pair, no UTF-8 at all.
BYTES = ["a%00b", "%ED%A0%BD", "%FF%FE", "status%3A%00", "%00"]
LONG = ["(" * 10_000, "-" * 10_000, "a " * 50_000, "x" * 100_000, "status:" + "a|" * 300 + "a"]
# (parameter, text, the marked part, part of the message)
ASIDE: list[tuple[str, str, str, str]] = [
    ("order", "statsu", "statsu", "status"),
    ("order", "-metric", "metric", "name"),
    ("order", "name,,status", "", "a column should stand"),
    ("order", "a\x00", "\x00", "cannot be part"),
    ("columns", "name,statsu", "statsu", "status"),
    ("columns", "metric.", "metric.", "name"),
    ("columns", 'tag."x', '"x', "never closed"),
    ("columns", "name," * 2_000, "", "a column should stand"),
    ("group", "statsu", "statsu", "status"),
    ("group", "status,experiment,submitter", "submitter", "at most 2 keys"),
    ("group", "metric.loss", "metric.loss", "not by metric"),
    ("add", "status:", "", "needs a value"),
    ("add", "statsu:failed", "statsu", "Did you mean status?"),
    ("add", "(" * 10_000, "(" * 300, "at most 4,000"),
]


@pytest.fixture
def warm(experiment: Any) -> Any:
    """The run that the wrong queries leave on the screen."""
    return make.run(experiment, display_name="warm up")


def told(answer: Any) -> tuple[str, str, str]:
    """The marked part ("" for the end), the message, and the address of the example."""
    text = answer.content.decode()
    marked = re.search(r"<mark>(.*?)</mark>", text, re.DOTALL)
    said = re.search(r'query-error">.*?<p>(.*?)</p>', text, re.DOTALL)
    link = re.search(r'<a class="mono" href="(.*?)"', text)
    assert marked
    assert said
    assert link
    found = html.unescape(marked[1])
    return "" if found == "⌷" else found, html.unescape(said[1]), html.unescape(link[1])


@pytest.mark.parametrize(("query", "marked", "message"), WRONG)
def test_the_page_marks_the_place_and_leads_to_a_right_example(
    bob_client: Client, warm: Any, query: str, marked: str, message: str
) -> None:
    answer = bob_client.get(LIST, {"q": query})

    assert answer.status_code == 422
    place, said, link = told(answer)
    assert place == marked
    assert message.lower() in said.lower()
    box = read(answer).one("input", id="runs-q")
    assert box["value"] == query.strip()
    assert box["aria-invalid"] == "true"
    assert rows(answer) == [warm.uid]
    assert bob_client.get(link).status_code == 200


@pytest.mark.parametrize(("query", "marked", "message"), WRONG)
def test_the_part_leaves_the_results_and_the_address(
    bob_client: Client, warm: Any, query: str, marked: str, message: str
) -> None:
    answer = bob_client.get(LIST, {"q": query}, headers=HTMX)

    assert answer.status_code == 422
    assert told(answer)[0] == marked
    assert answer["HX-Retarget"] == "#runs-query_error"
    assert answer["HX-Push-Url"] == "false"
    assert read(answer).ids("runs-") == ["runs-query_error"]


@pytest.mark.parametrize(("name", "text", "marked", "message"), ASIDE)
def test_other_texts_of_the_address_are_told_of_alike(
    bob_client: Client, warm: Any, name: str, text: str, marked: str, message: str
) -> None:
    page = bob_client.get(LIST, {name: text, "q": "warm"})
    part = bob_client.get(LIST, {name: text, "q": "warm"}, headers=HTMX)

    assert (page.status_code, part.status_code) == (422, 422)
    for answer in (page, part):
        place, said, link = told(answer)
        assert place == marked
        assert message.lower() in said.lower()
        assert bob_client.get(link).status_code == 200
    assert rows(page) == [warm.uid]
    assert read(page).one("input", id="runs-q")["value"] == "warm"
    assert read(part).ids("runs-") == ["runs-query_error"]


def test_a_value_that_only_the_database_refuses_is_told_of_after_it_was_added(
    bob_client: Client, warm: Any
) -> None:
    query = {"q": "warm", "add": "submitted>someday"}

    assert told(bob_client.get(LIST, query, headers=HTMX))[0] == "someday"
    page = bob_client.get(LIST, query, follow=True)
    assert page.status_code == 422
    assert read(page).one("input", id="runs-q")["value"] == "warm submitted>someday"


@pytest.mark.parametrize("text", BYTES)
@pytest.mark.parametrize("name", ["q", "off", "order", "columns", "group", "add", "after", "open"])
def test_bytes_that_are_no_text_are_no_error_page(
    bob_client: Client, warm: Any, name: str, text: str
) -> None:
    for headers in ({}, HTMX):
        answer = bob_client.get(f"{LIST}?{name}={text}", headers=headers, follow=True)
        assert answer.status_code in {200, 422}


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("name", ["q", "off", "order", "columns", "group", "widths", "chosen"])
def test_an_endless_text_is_refused_with_a_page_of_usual_size(
    bob_client: Client, warm: Any, name: str, text: str
) -> None:
    page = bob_client.get(LIST, {name: text})
    part = bob_client.get(LIST, {name: text}, headers=HTMX)

    assert page.status_code in {200, 422}
    assert len(page.content) < 250_000 + len(text)
    assert len(part.content) < 250_000
    if name == "q":
        assert page.status_code == part.status_code == 422
        assert read(page).one("input", id="runs-q")["value"] == text.strip()
        assert bob_client.get(told(page)[2]).status_code == 200


def test_the_hints_name_what_is_near(bob_client: Client, warm: Any) -> None:
    for typed, meant in (
        ("stauts", "status"),
        ("experimnt", "experiment"),
        ("submited", "submitted"),
    ):
        _, said, link = told(bob_client.get(LIST, {"q": f"{typed}:x"}))
        assert f"Did you mean {meant}?" in said
        assert quote(meant) in link


def test_typing_is_told_of_without_alarm_and_its_end_not_at_all(
    bob_client: Client, warm: Any
) -> None:
    def said(query: str, cursor: int) -> dict[str, str]:
        headers = {**HTMX, "HX-Trigger": "runs-search", "X-Typing-At": str(cursor)}
        answer = bob_client.get(f"{LIST}?{urlencode({'q': query})}", headers=headers)
        assert answer.status_code == 422
        return read(answer).one("div", id="runs-query_error")

    for query in ("status:", "warm tag.", '"warm', "(warm OR", "warm metric.loss<", "warm -"):
        found = said(query, len(query))
        assert "hidden" in found, query
        assert "data-waiting" in found
    found = said("statsu:failed warm", 18)
    assert "hidden" not in found
    assert found["role"] == "status"
    assert "hidden" not in said("status: warm status:", 2)
