"""Whatever the plan of a filtered list, its pages hold the same runs in the same order."""

from typing import Any

import pytest

from studio.search import apply, choosing, fulltext, keyset, scope
from studio.search.apply import search
from studio.search.order import Order, parse_order
from tests.search import world

pytestmark = [pytest.mark.django_db, pytest.mark.data]

QUERIES = (
    "has:tag.quality",
    "has:metric.loss has:tag.note",
    "metric.loss<0.5 -has:tag.note",
    "has:metric.loss (has:tag.note OR vision)",
    "vision",
    "name~res|yes",
    "name~res",
    "description~e",
    "description~res -has:tag.note",
    "children>0",
)
ORDERS = ("newest", "-metric.loss", "experiment,-duration", "-status", "name", "-children", "tags")


def pages(queryset: Any, order: Order) -> list[int]:
    seen: list[int] = []
    after = ""
    while True:
        page = keyset.page(queryset, order, size=4, after=after)
        seen += [run.pk for run in page.runs]
        if not page.older:
            return seen
        after = page.older


@pytest.mark.parametrize(("cost", "a_page"), [(0, 50), (1_000_000, 50), (0, 10**9), (10**6, 10**9)])
def test_a_walk_a_list_and_a_sort_give_the_same_pages(
    workspace: Any, people: Any, cost: int, a_page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.runs.models import Run

    world.build(workspace, people)
    runs = Run.objects.of(workspace)

    def met() -> dict[tuple[str, str], list[int]]:
        return {
            (query, text): pages(
                search(runs, query, user=people.bob, workspace=workspace),
                Order(parse_order(text), workspace, people.bob),
            )
            for query in QUERIES
            for text in ORDERS
        }

    usual = met()
    assert all(usual.values())
    monkeypatch.setattr(scope, "FEW", 1)
    # PostgreSQL takes each of these conditions for one row.
    monkeypatch.setattr(keyset, "FEW", 0)
    monkeypatch.setattr(fulltext, "FEW", 1)
    monkeypatch.setattr(fulltext, "_NEWEST", f"{fulltext._MATCHES} ORDER BY rowid DESC LIMIT 2")
    monkeypatch.setattr(choosing, "COST_OF_SORTING", cost)
    monkeypatch.setattr(keyset, "BLOCKS_FROM", 0 if cost else 100)
    # Of a page as long as that, reading begins at a list wherever there is one.
    monkeypatch.setattr(apply, "A_PAGE", a_page)
    assert met() == usual
