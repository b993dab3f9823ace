"""Child runs in the run list: left out, in a tree that opens in place, flat."""

from typing import Any

import pytest
from django.test import Client

from studio.web import run_list_reading
from tests import make
from tests.web.pages import read, rows

LIST = "/w/lab/runs"


@pytest.fixture
def family(experiment: Any) -> list[Any]:
    """A parent, its two child runs, a grandchild below the first, and a run without child runs."""
    parent = make.run(experiment, display_name="parent")
    first = make.run(experiment, parent=parent, display_name="first")
    second = make.run(experiment, parent=parent, display_name="second")
    below = make.run(experiment, parent=first, display_name="below")
    return [parent, first, second, below, make.run(experiment, display_name="alone")]


def expander(answer: Any, run: Any) -> str:
    return str(read(answer).href(id=f"runs-expander-{run.uid}"))


def test_a_tree_opens_in_place_level_by_level(bob_client: Client, family: list[Any]) -> None:
    parent, first, second, below, alone = family
    tree = bob_client.get(LIST, {"children": "tree"})
    assert rows(tree) == [alone.uid, parent.uid]

    opened = bob_client.get(expander(tree, parent))
    assert rows(opened) == [alone.uid, parent.uid, second.uid, first.uid]

    whole = bob_client.get(expander(opened, first))
    assert rows(whole) == [alone.uid, parent.uid, second.uid, first.uid, below.uid]
    depths = [own.get("class", "") for tag, own in read(whole).elements if tag == "tr"][1:]
    assert depths == ["", "", "child depth-1", "child depth-1", "child depth-2"]

    closed = bob_client.get(expander(whole, parent))
    assert rows(closed) == [alone.uid, parent.uid]


def more(answer: Any) -> list[tuple[str, str]]:
    """The rows that say how many child runs are not shown, each with the row before it."""
    ids = [one.get("id", "") for tag, one in read(answer).elements if tag == "tr"]
    return [(id, ids[at - 1]) for at, id in enumerate(ids) if id.startswith("runs-more-")]


def test_an_opened_run_says_how_many_more_child_runs_it_has(
    bob_client: Client, family: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, first, second, _, alone = family
    last = make.run(first.experiment, parent=second, display_name="last")
    opened = {"children": "tree", "open": f"{parent.uid},{first.uid},{second.uid}"}
    assert more(bob_client.get(LIST, opened)) == []
    monkeypatch.setattr(run_list_reading, "MAX_CHILDREN_IN_PLACE", 1)
    make.run(first.experiment, parent=second, display_name="newest")

    answer = bob_client.get(LIST, opened)

    assert rows(answer)[:3] == [alone.uid, parent.uid, second.uid]
    assert last.uid not in rows(answer)
    shown = f"runs-row-{rows(answer)[-1]}"
    ends = [(f"runs-more-{second.uid}", shown)]
    assert more(answer) == [*ends, (f"runs-more-{parent.uid}", ends[0][0])]
    page = read(answer)
    assert page.text.count("1 more child run of") == 2
    links = [own["href"] for _, own in page.elements if own.get("href", "").endswith("/children")]
    everyone = rows(bob_client.get(f"{parent.page_path}/children"))
    assert f"{parent.page_path}/children" in links
    assert everyone == [second.uid, first.uid]


def test_below_the_deepest_level_of_a_tree_an_expander_leads_to_the_child_runs(
    bob_client: Client, experiment: Any
) -> None:
    line = [make.run(experiment)]
    for _ in range(7):
        line.append(make.run(experiment, parent=line[-1]))
    opened = ",".join(run.uid for run in line)

    answer = bob_client.get(LIST, {"children": "tree", "open": opened})

    assert rows(answer) == [run.uid for run in line[:6]]
    deepest = read(answer).one("a", id=f"runs-expander-{line[5].uid}")
    assert "aria-expanded" not in deepest
    assert rows(bob_client.get(deepest["href"])) == [line[6].uid]
    assert more(answer) == []


def test_only_runs_with_child_runs_open(bob_client: Client, family: list[Any]) -> None:
    tree = read(bob_client.get(LIST, {"children": "tree"}))

    assert tree.ids("runs-expander-") == [f"runs-expander-{family[0].uid}"]


def test_the_flat_list_searches_child_runs_too(bob_client: Client, family: list[Any]) -> None:
    parent, first, second, below, alone = family

    assert rows(bob_client.get(LIST, {"children": "flat"})) == [
        run.uid for run in (alone, below, second, first, parent)
    ]
    assert rows(bob_client.get(LIST, {"children": "flat", "q": "name:below"})) == [below.uid]
    assert rows(bob_client.get(LIST, {"children": "tree", "q": "name:below"})) == []


def test_a_run_of_another_workspace_opens_nothing(
    bob_client: Client, family: list[Any], people: Any
) -> None:
    room = make.workspace("other", owner=people.dave)
    elsewhere = make.run(make.experiment(room, by=people.dave), by=people.dave)
    make.run(elsewhere.experiment, parent=elsewhere, by=people.dave)

    answer = bob_client.get(LIST, {"children": "tree", "open": elsewhere.uid})
    assert rows(answer) == [family[4].uid, family[0].uid]


def test_only_the_chosen_runs_are_shown(bob_client: Client, family: list[Any]) -> None:
    chosen = ",".join([family[1].uid, family[4].uid])

    ticked = read(bob_client.get(LIST, {"chosen": chosen}))
    boxes = [own["value"] for _, own in ticked.elements if "checked" in own]
    assert boxes == [family[4].uid]
    # Child runs that are chosen are shown, whether or not the list includes them.
    only = bob_client.get(LIST, {"chosen": chosen, "only": "1"})
    assert rows(only) == [family[4].uid, family[1].uid]


def test_pipelines_are_runs_of_that_type(bob_client: Client, experiment: Any) -> None:
    make.run(experiment)
    pipeline = make.run(experiment, type="pipeline")

    page = bob_client.get("/w/lab/pipelines")
    assert rows(page) == [pipeline.uid]
    assert "Pipelines" in read(page).text
