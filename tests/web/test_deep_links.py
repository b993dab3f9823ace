"""Links in descriptions: what they lead to, under which name, for whom, and at what cost; and what
is offered while somebody types one."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.custom_views.actions import Draft, create_view
from studio.custom_views.models import Access
from studio.custom_views.sharing import share_view
from studio.runs import actions
from studio.runs.actions.experiments import describe_experiment, rename_experiment
from studio.runs.actions.keeping import delete_run
from studio.runs.models import Description
from tests import make
from tests.browser import charting
from tests.web.pages import HTMX, read

RAW = "application/octet-stream"
LOG = b"".join(b"line %d of a long training run, with many words in it\n" % n for n in range(5_000))


def links_of(page: Any) -> dict[str, str]:
    """Words of each link of a description -> where it leads."""
    found, texts = read(page), {}
    html = page.content.decode()
    for tag, attributes in found.elements:
        if tag == "a" and attributes.get("class") == "md-ref":
            start = html.index(f'href="{attributes["href"].replace("&", "&amp;")}"')
            texts[html[html.index(">", start) + 1 : html.index("<", start)]] = attributes["href"]
    return texts


def offered(client: Client, text: str, **query: Any) -> list[str]:
    asked = client.get("/w/lab/description-suggest", {"text": text, **query}, headers=HTMX)
    assert asked.status_code == 200
    return [
        attributes["data-insert"]
        for _, attributes in read(asked).elements
        if attributes.get("role") == "option"
    ]


@pytest.fixture
def target(experiment: Any, people: Any, api: Any) -> Any:
    """A run with a metric and a log, called “best”."""
    run = make.run(experiment, display_name="best")
    charting.log(run, charting.scalars("val loss", [1.0, 2.0]))
    api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", LOG, RAW)
    return run


def test_links_lead_to_the_right_pages_under_the_names_of_now(
    run: Any, target: Any, people: Any, carol_client: Client
) -> None:
    by = make.actor(people.bob)
    uid = target.uid
    view = create_view(run.workspace, Draft("Best runs", {"q": "vision"}), by=by)
    share_view(view, everyone=Access.SEE, people={}, by=by)
    text = (
        f"run:{uid} experiment:vision view:{view.uid} metric:{uid}/val%20loss"
        f" log:{uid}/logs/output.txt#L2000-L2010 log:{uid}/logs/output.txt"
    )
    actions.describe_run(run, text, by=by)
    actions.rename_run(target, "<b>best</b> of all", by=by)

    page = carol_client.get(f"/w/lab/runs/{run.uid}")

    base, name = f"/w/lab/runs/{uid}", "&lt;b&gt;best&lt;/b&gt; of all"
    lines = f"logs/output.txt, lines 2000–2010, of {name}"
    assert links_of(page) == {
        name: base,
        "vision": "/w/lab/experiments/vision",
        "Best runs": f"/w/lab/views/{view.address}",
        f"val loss of {name}": f"{base}/metrics?m=val+loss",
        lines: f"{base}/logs?path=logs%2Foutput.txt&line=2000#L2000-L2010",
        f"logs/output.txt of {name}": f"{base}/logs?path=logs%2Foutput.txt",
    }
    for address in links_of(page).values():
        assert carol_client.get(address).status_code == 200
    shown = read(carol_client.get(links_of(page)[lines]))
    assert "line 1999 of a long training run" in shown.text
    assert "L2000" in shown.ids("L")


def test_what_is_gone_or_not_shared_is_text_with_a_hint(
    run: Any, target: Any, people: Any, bob_client: Client, carol_client: Client
) -> None:
    by, elsewhere = make.actor(people.bob), make.workspace("elsewhere", owner=people.dave)
    theirs = make.run(make.experiment(elsewhere, "secret", by=people.dave), by=people.dave)
    private = create_view(run.workspace, Draft("Private idea", {"q": "vision"}), by=by)
    written = [
        f"run:{theirs.uid}",
        "experiment:secret",
        f"run:{target.uid}",
        f"metric:{run.uid}/none",
        f"log:{run.uid}/none.txt",
        f"view:{private.uid}",
    ]
    actions.describe_run(run, " ".join(written), by=by)
    delete_run(target, by=by, cancel=True)

    page = carol_client.get(f"/w/lab/runs/{run.uid}")

    assert links_of(page) == {}
    gone = [a for tag, a in read(page).elements if a.get("class") == "md-gone"]
    assert [a["title"] for a in gone] == ["Not found here, or not shared with you"] * len(written)
    assert b"Private idea" not in page.content
    assert list(links_of(bob_client.get(f"/w/lab/runs/{run.uid}"))) == ["Private idea"]


def test_an_older_rendering_is_made_anew_when_it_is_shown(
    run: Any, target: Any, people: Any, bob_client: Client
) -> None:
    actions.describe_run(run, f"run:{target.uid}", by=make.actor(people.bob))
    Description.objects.update(renderer_version=1, html="<p>of before</p>")

    assert list(links_of(bob_client.get(f"/w/lab/runs/{run.uid}"))) == ["best"]


def test_two_hundred_links_cost_as_many_queries_as_five(
    run: Any, target: Any, people: Any, bob_client: Client
) -> None:
    by, rooms = make.actor(people.bob), [run.experiment]
    rooms += [make.experiment(run.workspace, f"e{n}") for n in range(60)]
    others = [make.run(run.experiment) for _ in range(60)]
    views = [create_view(run.workspace, Draft(f"V{n}", {}), by=by) for n in range(20)]

    def cost(n: int) -> tuple[int, int]:
        uid = target.uid
        kinds = [
            [f"run:{one.uid}" for one in others],
            [f"experiment:{one.name}" for one in rooms],
            [f"view:{one.uid}" for one in views],
            [f"metric:{uid}/val%20loss", *(f"metric:{uid}/m{i}" for i in range(30))],
            [f"log:{uid}/logs/output.txt#L{i + 1}" for i in range(29)],
        ]
        text = " ".join(word for words in kinds for word in words[:n])
        experiment = describe_experiment(run.experiment, text, by=by)
        actions.describe_run(run, text, by=by)
        counts = []
        for place in (f"/w/lab/runs/{run.uid}", f"/w/lab/experiments/{experiment.name}"):
            with CaptureQueriesContext(connection) as seen:
                page = bob_client.get(place)
            counts.append(len(seen))
        return len(links_of(page)), sum(counts)

    few, n_few = cost(1)
    lots, n_lots = cost(60)
    assert (few, n_lots) == (5, n_few)
    assert lots > 160


def test_links_are_offered_by_kind_and_only_what_may_be_seen(
    run: Any, target: Any, people: Any, bob_client: Client, carol_client: Client
) -> None:
    by, uid = make.actor(people.bob), target.uid
    own = create_view(run.workspace, Draft("Night sweep", {}), by=by)
    rename_experiment(make.experiment(run.workspace, "audio"), "audio-2", by=by)

    assert offered(carol_client, f"see {uid[:4]}") == [f"run:{uid}"]
    assert offered(carol_client, uid[:3]) == []
    assert offered(carol_client, "run:bes") == [f"run:{uid}"]
    assert set(offered(carol_client, "run:")) == {f"run:{uid}", f"run:{run.uid}"}
    assert offered(carol_client, "(experiment:aud") == ["experiment:audio-2"]
    assert offered(bob_client, "view:nig") == [f"view:{own.uid}"]
    assert offered(carol_client, "view:nig") == offered(carol_client, "view:") == []
    assert offered(carol_client, "metric:bes") == [f"metric:{uid}/"]
    assert offered(carol_client, f"metric:{uid}/va") == [f"metric:{uid}/val%20loss"]
    assert offered(carol_client, f"log:{uid}/") == [f"log:{uid}/logs/output.txt"]
    assert offered(carol_client, "run:best and more", cursor="7") == [f"run:{uid}"]
    for text in ("", "prose", "https://x/run:", "rerun:b", "run:\u202e", "x" * 9_000):
        assert offered(carol_client, text) == []


def test_runs_of_other_workspaces_and_of_the_trash_are_never_offered(
    run: Any, people: Any, bob_client: Client
) -> None:
    elsewhere = make.workspace("elsewhere", owner=people.dave)
    theirs = make.run(make.experiment(elsewhere, by=people.dave), by=people.dave)
    delete_run(run, by=make.actor(people.bob), cancel=True)

    for uid in (theirs.uid, run.uid):
        for text in (uid[:6], f"run:{uid[:6]}", f"metric:{uid}/", f"log:{uid}/"):
            assert offered(bob_client, text) == []
