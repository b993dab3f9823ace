"""The tab Child runs: the list of runs below the header of one, with the charts of a sweep."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from studio.bulk.selection import Selection, matching
from studio.custom_views.charts import parse_charts
from studio.custom_views.models import CustomView
from studio.runs import actions
from studio.runs.actions.annotate import add_properties
from studio.runs.actions.keeping import archive_run, delete_run
from studio.runs.models import Run
from tests import make
from tests.browser import charting
from tests.web.pages import HTMX, read, rows

LIST = "/w/lab/runs"
QUERIES = [
    {},
    {"q": "trial"},
    {"q": "tag.fold:1"},
    {"q": "-tag.fold:1 metric.loss<0.5"},
    {"q": "status:Completed|Failed"},
    {"q": "is:archived"},
    {"order": "metric.loss"},
    {"order": "-param.lr,name", "mine": "1"},
    {"size": "25", "q": "has:children"},
]


def tab(run: Any) -> str:
    return f"{LIST}/{run.uid}/children"


@pytest.fixture
def family(experiment: Any, people: Any) -> list[Any]:
    """A parent and its seven child runs, the fourth with two of its own; the sixth is archived,
    the last without a metric; and others around them."""
    parent = make.run(experiment, display_name="parent")
    found = [parent]
    for i in range(7):
        trial = make.run(
            experiment,
            parent=parent,
            display_name=f"trial {i}",
            tags={"fold": str(i % 3)},
            parameters={"lr": str(10.0**-i), "layers": str(i // 2), "seed": "1"},
        )
        if i < 6:
            charting.log(trial, charting.scalars("loss", [1.0, (i - 2) ** 2 / 10, 0.9]))
        found.append(trial)
    for name in ("below 1", "below 2"):
        make.run(experiment, parent=found[4], display_name=name, tags={"fold": "1"})
    by = make.actor(people.bob)
    actions.complete_run(found[2], by=by)
    archive_run(found[6], by=by)
    delete_run(make.run(experiment, parent=parent, display_name="trial gone"), by=by, cancel=True)
    make.run(experiment, parent=make.run(experiment), display_name="trial of another")
    return found


def name_primary(run: Any, goal: str = "minimize") -> None:
    named = {"primary_metric": "loss"} | ({"primary_metric_goal": goal} if goal else {})
    add_properties(run, named, by=make.actor(run.submitter))


def test_the_tab_lists_what_the_filter_of_all_runs_lists(
    bob_client: Client, family: list[Any]
) -> None:
    parent = family[0]
    some = 0
    for query in QUERIES:
        asked = f"{query.get('q', '')} parent:{parent.uid}".strip()
        wanted = rows(bob_client.get(LIST, {**query, "q": asked, "children": "flat"}))
        assert rows(bob_client.get(tab(parent), query)) == wanted, query
        some += len(wanted)
    assert some > 20


def test_what_the_tab_asks_for_later_is_about_the_child_runs_too(
    bob_client: Client, family: list[Any]
) -> None:
    page = read(bob_client.get(tab(family[0]), {"q": "tag.fold:1"}))
    counts = page.one("div", id="runs-counts")["hx-get"]
    assert "2 runs" in read(bob_client.get(counts, headers=HTMX)).text
    file = next(o["href"] for _, o in page.elements if o.get("data-export") == "list")
    lines = b"".join(bob_client.get(file).streaming_content).decode().splitlines()
    assert len(lines) == 3
    make.run(family[0].experiment, parent=family[0], tags={"fold": "1"})
    make.run(family[0].experiment, tags={"fold": "1"})
    news = bob_client.get(page.one("div", id="runs-newer")["hx-get"], headers=HTMX)
    assert "1 new run" in read(news).text


def test_deeper_levels_open_in_place_or_stand_in_a_flat_list(
    bob_client: Client, family: list[Any]
) -> None:
    tree = bob_client.get(tab(family[0]), {"children": "tree"})
    opener = read(tree).href(id=f"runs-expander-{family[4].uid}")
    opened = bob_client.get(opener)
    assert rows(opened)[2] == family[4].uid
    assert len(rows(opened)) == len(rows(tree)) + 2
    assert 'class="child depth-1"' in opened.content.decode()
    for run in (family[0], family[4]):
        below = Run.objects.filter(parent__in=family[:5], display_name__startswith="below")
        flat = rows(bob_client.get(tab(run), {"children": "flat", "q": "below"}))
        assert sorted(flat) == sorted(below.values_list("uid", flat=True))


def test_readers_see_the_tab_and_strangers_do_not(
    carol_client: Client, dave_client: Client, family: list[Any], people: Any
) -> None:
    page = read(carol_client.get(tab(family[0])))
    assert "Compare these 6" in page.text
    assert "bulk-open-tags" not in page.ids()
    assert dave_client.get(tab(family[0])).status_code == 404
    room = make.workspace("other", owner=people.dave)
    hidden = make.run(make.experiment(room, by=people.dave), by=people.dave)
    assert carol_client.get(tab(hidden)).status_code == 404
    for part in ("counts", "newer", "live", "chart", "export"):
        asked = {"parent": hidden.uid, "charts": "kind=bar&y=duration", "chart": "0"}
        assert carol_client.get(f"{LIST}-{part}", asked).status_code == 404


def test_the_child_runs_of_a_sweep_open_with_its_charts_in_the_order_of_its_metric(
    bob_client: Client, family: list[Any]
) -> None:
    name_primary(family[0])
    answer = bob_client.get(tab(family[0]))
    query = parse_qs(urlsplit(answer["Location"]).query)
    kinds = [chart.kind for chart in parse_charts(query["charts"][0])]
    assert (answer.status_code, kinds) == (302, ["line", "scatter", "scatter", "parallel"])
    assert query["order"] == ["metric.loss:min"]
    assert "param.lr,param.layers,metric.loss:min" in query["columns"][0]

    page = bob_client.get(answer["Location"])
    best = [family[3], family[4], family[2], family[5], family[1], family[7]]
    assert rows(page) == [run.uid for run in best]
    assert "Best child run trial 2 min loss 0" in read(page).text
    figures = re.findall(r'data-figure-url="([^"]+)"', page.content.decode())
    drawn = [bob_client.get(unescape(one)).json() for one in figures]
    assert [one["badge"] for one in drawn[:2]] == ["6 runs · 1 without a value"] * 2
    dots, so_far = drawn[1]["data"]
    assert so_far["y"] == [min(sorted_by_x(dots)[: i + 1]) for i in range(5)]
    assert [axis["key"] for axis in drawn[3]["layout"]["meta"]["axes"]][-1] == "metric.loss:min"

    hidden = read(page).href(id="runs-sweep_hide")
    assert "charts" not in parse_qs(urlsplit(hidden).query)
    usual = bob_client.get(tab(family[0]), {"view": "none"})
    assert (usual.status_code, rows(usual)[0]) == (200, family[7].uid)
    assert read(usual).href(id="runs-sweep_charts").endswith("view=none")


def sorted_by_x(trace: dict[str, Any]) -> list[float]:
    return [y for _, y in sorted(zip(trace["x"], trace["y"], strict=True))]


def test_the_best_child_run_is_of_those_that_match_and_stays_true(
    bob_client: Client, family: list[Any]
) -> None:
    name_primary(family[0], "MAXIMIZE")
    address = {"q": "-name:trial", "view": "none", "order": "name"}
    page = read(bob_client.get(tab(family[0]), address))
    assert "Best child run trial 4 max loss 1" in page.text
    charting.log(family[1], charting.scalars("loss", [7.5], first=5))
    actions.complete_run(family[1], by=make.actor(family[1].submitter))
    news = bob_client.get(page.one("div", id="runs-live")["hx-get"], headers=HTMX)
    assert "Best child run trial 0 max loss 7.5" in read(news).text
    nothing = bob_client.get(tab(family[0]), {"q": "name:none", "view": "none"})
    assert "No child run here has the primary metric “loss”" in read(nothing).text


def test_charts_of_any_common_metric_are_one_click_away(
    bob_client: Client, family: list[Any]
) -> None:
    page = bob_client.get(tab(family[0]))
    assert "Best child run" not in read(page).text
    menu = read(page).one("div", id="runs-sweep_metrics")
    assert menu["role"] == "menu"
    offer = re.search(
        r'menuitem" href="([^"]+)"[^>]*><span class="menu-label">loss', str(page.text)
    )
    assert offer
    shown = parse_qs(urlsplit(unescape(offer[1])).query)
    assert [one.kind for one in parse_charts(shown["charts"][0])][-1] == "parallel"
    assert "order" not in shown
    name_primary(family[0], "")
    told = read(bob_client.get(tab(family[0]), {"view": "none"})).text
    assert "No best child run: primary_metric_goal says neither" in told


def test_the_state_of_the_tab_is_saved_as_a_view_of_all_runs(
    bob_client: Client, family: list[Any]
) -> None:
    page = read(bob_client.get(tab(family[0]), {"q": "tag.fold:1", "order": "name"}))
    form = read(bob_client.get(page.href(id="views-save_new")))
    assert "It shows these child runs in All runs, by the filter parent ." in form.text
    inputs = [own for tag, own in form.elements if tag == "input" and own.get("type") == "hidden"]
    fields = {own["name"]: own["value"] for own in inputs if "name" in own}
    bob_client.post("/w/lab/views/create", {**fields, "name": "Fold 1"})
    view = CustomView.objects.get()
    assert (view.place, view.state["order"]) == ("runs", "name")
    wanted = rows(bob_client.get(tab(family[0]), {"q": "tag.fold:1", "order": "name"}))
    assert rows(bob_client.get(f"/w/lab/views/{view.address}")) == wanted
    levels = read(bob_client.get(tab(family[0]), {"children": "flat"}))
    warned = read(bob_client.get(levels.href(id="views-save_new")))
    assert "the first level only, without the child runs of child runs" in warned.text


def test_all_that_match_are_the_child_runs_only(
    bob_client: Client, family: list[Any], workspace: Any, people: Any
) -> None:
    form = {"all": "1", "parent": family[0].uid, "back": tab(family[0])}
    for query, n in (("", 6), ("?q=tag.fold:1", 2), ("?q=tag.fold:1&children=flat", 4)):
        answer = bob_client.post("/w/lab/bulk/star", {**form, "list": query}, headers=HTMX)
        assert f"Star {n} runs" in read(answer).text
        assert read(answer).one("input", name="parent")["value"] == family[0].uid
    gone = Selection(query="", parent="0" * 32, children=True)
    assert not matching(gone, workspace, user=people.bob).exists()


def test_an_empty_tab_teaches_and_fills_itself(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(tab(run)))
    assert "No child runs" in page.text
    assert "child_run(" in page.text
    news = page.one("div", id="runs-newer")["hx-get"]
    assert bob_client.get(news, headers=HTMX).status_code == 204
    child = make.run(run.experiment, parent=run)
    link = read(bob_client.get(news, headers=HTMX)).one("a", id="runs-newer-link")
    assert link["hx-trigger"] == "load, click"
    assert rows(bob_client.get(link["href"])) == [child.uid]
    archive_run(child, by=make.actor(run.submitter))
    assert "All child runs are archived" in read(bob_client.get(tab(run))).text
