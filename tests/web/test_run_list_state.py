"""The address of a run list is its whole state: every link works for everybody, and only reads."""

from itertools import cycle
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.custom_views.state import KNOWN
from studio.metrics.models import Metric
from studio.runs import actions
from tests import make
from tests.amount import form
from tests.rows import all_rows, changed_tables
from tests.web.pages import HTMX, Read, read, rows

LIST = "/w/lab/runs"
PARENT, OTHER = "{parent}", "{other}"
WRONG = "?q=status:"
STATES = [
    "",
    "?q=status:Running+-tag.quality:bad&off=is:starred+submitted>-7d",
    "?q=net+(status:Failed+OR+status:Running)&mine=1",
    "?q=nowhere",
    WRONG,
    "?order=-metric.loss,name&size=25",
    "?columns=name,status,metric.loss:min,param.lr,tag.quality,experiment,star&widths=name=300",
    "?columns=name,submitted,duration,children,uid,description&pins=3&order=param.lr",
    f"?children=tree&open={PARENT}",
    "?children=flat&order=submitter,-duration",
    f"?chosen={PARENT},{OTHER}&only=1",
    "?after=made-up",
    "?group=status",
    "?group=experiment,tag.quality",
]
GARBAGE = [
    "",
    "0",
    "-1",
    "²",
    "(",
    '"',
    "status:",
    "a,b",
    "\x00",
    "\ud7ff",
    "é" * 300,
    "metric.",
    "=,=",
]


@pytest.fixture
def world(experiment: Any, people: Any) -> dict[str, str]:
    """A parent with a child run, a failed and a tagged run: what the states are about."""
    by = make.actor(people.bob)
    parent = make.run(experiment, display_name="net parent", parameters={"lr": 0.1})
    make.run(experiment, display_name="net child", parent=parent)
    other = make.run(experiment, display_name="net other", tags={"quality": "bad"})
    actions.fail_run(other, by=by)
    for run, loss in ((parent, 0.3), (other, 0.2)):
        Metric.objects.create(workspace=run.workspace, run=run, name="loss", last=loss)
    return {"parent": parent.uid, "other": other.uid}


def forms(page: Read) -> list[str]:
    """The addresses that the GET forms of a page lead to, sent as they are."""
    found: list[str] = []
    action = ""
    fields: list[tuple[str, str]] = []
    for tag, own in [*page.elements, ("form", {})]:
        if tag == "form":
            if action:
                found.append(f"{action}?{urlencode(fields)}")
            is_get = own.get("method", "get").lower() == "get"
            action, fields = own.get("action", "") if is_get else "", []
        elif tag == "input" and own.get("name") and "form" not in own:
            fields.append((own["name"], own.get("value", "")))
    return found


def links(page: Read, here: str) -> tuple[set[str], set[str]]:
    """Where a page leads to, and what it asks for by HTMX."""
    hrefs = {own["href"] for tag, own in page.elements if tag == "a" and own.get("href")}
    asked = {own["hx-get"] for _, own in page.elements if own.get("hx-get")}
    return {urljoin(here, one) for one in {*hrefs, *forms(page)}}, asked


def test_every_link_is_a_page_for_everybody_and_changes_nothing(
    alice_client: Client, carol_client: Client, world: dict[str, str]
) -> None:
    before = all_rows()
    followed: set[str] = set()
    for state in STATES:
        here = LIST + state.format(**world)
        leads, asked = links(read(alice_client.get(here)), here)
        assert len(leads) > 15, here
        # One of three in the short form of the tests, others in each state.
        for address in sorted((leads | asked) - followed)[:: form(3, 1)]:
            # What no state belongs to (the rail, the account) is followed once.
            belongs = not state or urlsplit(address).path == LIST
            if belongs and "#" not in address and not address.startswith("/sign-out"):
                _is_a_page(carol_client, address, may_be_wrong=state == WRONG)
        followed |= leads | asked
    assert not changed_tables(before)


def _is_a_page(client: Client, address: str, *, may_be_wrong: bool) -> None:
    """may_be_wrong: a query that can't be read stays so in the forms that keep it."""
    plain = client.get(address, follow=True)
    assert plain.status_code in ({200, 204, 422} if may_be_wrong else {200, 204}), address
    part = client.get(address, headers=HTMX, follow=True)
    assert part.status_code == plain.status_code, address
    if urlsplit(address).path == LIST and plain.status_code == 200:
        assert rows(part) == rows(plain), address


@pytest.mark.parametrize("name", [*sorted(KNOWN), "add", "counts", "experiment", "type", "x"])
def test_garbage_in_a_parameter_is_never_an_error_page(
    bob_client: Client, run: Any, name: str
) -> None:
    before = all_rows()
    # By turns as a page and as a part: both read the address in the same way.
    for headers, text in zip(cycle(({}, HTMX)), GARBAGE, strict=False):
        answer = bob_client.get(LIST, {name: text, "q": text}, headers=headers)
        assert answer.status_code in {200, 302, 422}, (name, text)
    assert not changed_tables(before)


def test_no_address_is_an_error_page(bob_client: Client, run: Any) -> None:
    pieces = st.sampled_from(
        ["status", "tag.", "metric.loss", ":", "<", "1", "(", ")", '"', ",", "-", "..", " ", "|"]
    )
    texts = st.one_of(st.lists(pieces, max_size=8).map("".join), st.text(max_size=12))
    addresses = st.dictionaries(
        st.sampled_from([*sorted(KNOWN), "add", "counts"]), texts, max_size=5
    )
    seen = []

    @settings(max_examples=form(40, 400), deadline=None, suppress_health_check=list(HealthCheck))
    @given(addresses)
    def check(query: dict[str, str]) -> None:
        answer = bob_client.get(f"{LIST}?{urlencode(query, errors='replace')}")
        seen.append(answer.status_code)
        assert answer.status_code in {200, 302, 422}

    check()
    assert {200, 422} <= set(seen)


def turned(answer: Any, rel: str) -> str:
    found = [own["href"] for _, own in read(answer).elements if own.get("rel") == rel]
    return found[0] if found else ""


@pytest.mark.parametrize(
    "order",
    ["metric.loss", "-metric.loss", "param.lr", "-tag.quality", "status,-metric.loss", "name"],
)
def test_equal_keys_are_neither_repeated_nor_skipped_while_runs_arrive(
    bob_client: Client, experiment: Any, order: str
) -> None:
    def add(n: int) -> Any:
        # Every third has no value at all: those are equal too.
        facts = {"parameters": {"lr": n % 2}, "tags": {"quality": "good"}} if n % 3 else {}
        run = make.run(experiment, display_name=f"net {n % 4}", **facts)
        if n % 3:
            Metric.objects.create(workspace=run.workspace, run=run, name="loss", last=n % 2)
        return run

    first = {add(n).uid for n in range(60)}
    answer = bob_client.get(LIST, {"size": "25", "order": order})
    forth, back = rows(answer), []
    while address := turned(answer, "next"):
        add(len(forth))
        answer = bob_client.get(address)
        forth += rows(answer)
    back = rows(answer)
    while address := turned(answer, "prev"):
        add(len(back))
        answer = bob_client.get(address, headers=HTMX)
        back = rows(answer) + back

    for seen in (forth, back):
        assert len(seen) == len(set(seen))
        assert first <= set(seen)
    common = set(forth) & set(back)
    assert [uid for uid in back if uid in common] == [uid for uid in forth if uid in common]
