"""The tab Steps: the graph of a pipeline, its list, and the log of a chosen step."""

from typing import Any

import pytest
from django.test import Client

from studio.runs import actions
from studio.runs.models import Run
from tests import make
from tests.web.pages import HTMX, read


@pytest.fixture
def pipeline(experiment: Any) -> Run:
    return make.run(experiment, type="pipeline", uid="pipe", display_name="wine")


@pytest.fixture
def steps(pipeline: Run) -> dict[str, Run]:
    """prepare, then two trainings, then evaluate."""
    wanted: dict[str, list[str]] = {
        "prepare": [],
        "train a": ["prepare"],
        "train b": ["prepare"],
        "evaluate": ["train a", "train b"],
    }
    made: dict[str, Run] = {}
    for name, needs in wanted.items():
        made[name] = make.run(
            pipeline.experiment,
            parent=pipeline,
            type="step",
            display_name=name,
            depends_on=[made[one].uid for one in needs],
        )
    return made


def at(run: Run, query: str = "") -> str:
    return f"/w/lab/runs/{run.uid}/steps{query}"


def part(client: Client, url: str, target: str) -> Any:
    return client.get(url, headers={**HTMX, "HX-Target": target})


def test_a_pipeline_opens_with_its_steps(bob_client: Client, pipeline: Run, run: Run) -> None:
    answer = bob_client.get("/w/lab/runs/pipe")
    assert (answer.status_code, answer["Location"]) == (302, at(pipeline))
    tabs = [text for text in read(bob_client.get(at(pipeline))).texts if text in TABS]
    assert tabs[:2] == ["Steps", "Details"]
    assert "No steps yet" in read(bob_client.get(at(pipeline))).text
    assert bob_client.get("/w/lab/runs/pipe/details").status_code == 200
    assert bob_client.get(f"/w/lab/runs/{run.uid}").status_code == 200


TABS = {"Steps", "Details", "Metrics"}


def test_each_step_is_drawn_once_and_tells_what_it_comes_after(
    bob_client: Client, pipeline: Run, steps: dict[str, Run]
) -> None:
    page = read(bob_client.get(at(pipeline)))

    assert page.ids("step-box-") == [f"step-box-{run.uid}" for run in steps.values()]
    assert page.ids("step-line-") == [f"step-line-{run.uid}" for run in steps.values()]
    assert sum(tag == "path" and "steps-line" in own["class"] for tag, own in classed(page)) == 4
    assert ", after train a, train b" in page.texts
    assert page.href(id=f"step-box-{steps['prepare'].uid}") == at(
        pipeline, f"?step={steps['prepare'].uid}"
    )
    listed = read(bob_client.get(at(pipeline, "?as=list")))
    assert listed.ids("step-box-") == []
    assert len(listed.ids("step-line-")) == 4


def classed(page: Any) -> list[tuple[str, dict[str, str]]]:
    return [(tag, own) for tag, own in page.elements if own.get("class")]


def test_a_step_shows_its_log_and_stays_in_the_address(
    bob_client: Client, api: make.Api, pipeline: Run, steps: dict[str, Run]
) -> None:
    run, raw = steps["train a"], "application/octet-stream"
    api.send("POST", f"/runs/{run.uid}/logs/logs/output.txt?offset=0", b"epoch 1\n", raw)
    url = at(pipeline, f"?step={run.uid}")

    for answer in (bob_client.get(url), part(bob_client, url, "runs-step_log")):
        page = read(answer)
        assert "epoch 1" in page.text
        assert page.one("a", id=f"step-box-{run.uid}")["aria-current"] == "true"
        assert f"/w/lab/runs/{run.uid}" in [own.get("href") for _, own in page.elements]
    gone = read(bob_client.get(at(pipeline, "?step=nowhere")))
    assert "There is no such step here any more" in gone.text


def test_the_graph_asks_for_news_until_all_is_over(
    bob_client: Client, people: Any, pipeline: Run, steps: dict[str, Run]
) -> None:
    by = make.actor(people.bob)
    graph = read(bob_client.get(at(pipeline))).one("div", id="runs-step_graph")
    assert part(bob_client, graph["hx-get"], "runs-step_graph").status_code == 204

    for run in (*steps.values(), pipeline):
        actions.complete_run(run, by=by)
    news = part(bob_client, graph["hx-get"], "runs-step_graph")
    assert read(news).text.count("Completed") == 8
    assert "hx-get" not in read(news).one("div", id="runs-step_graph")


def test_a_queued_step_says_what_it_waits_for(
    bob_client: Client, pipeline: Run, steps: dict[str, Run]
) -> None:
    submit = actions.Submission(target="local", snapshot="", script="report.py")
    needs = [steps["evaluate"].uid]
    queued = make.run(
        pipeline.experiment, parent=pipeline, start=False, submit=submit, depends_on=needs
    )
    assert (
        "Starts when evaluate is Completed."
        in read(bob_client.get(at(pipeline, f"?step={queued.uid}"))).text
    )
    page = read(bob_client.get(f"/w/lab/runs/{queued.uid}"))
    assert "The step starts when evaluate is Completed" in page.text
    assert "Depends on evaluate" in page.text


def test_a_thousand_steps_are_listed_in_words(bob_client: Client, pipeline: Run) -> None:
    by = make.actor(make.contributor_of(pipeline.workspace))
    many = [
        actions.NewRun(uid=f"s{i}", depends_on=[f"s{i - 1}"] if i % 7 else [], type="step")
        for i in range(1_000)
    ]
    actions.create_children(pipeline, many, by=by)
    actions.create_children(pipeline, [actions.NewRun(uid="one-more")], by=by)
    page = read(bob_client.get(at(pipeline)))

    assert "Up to 200 steps are drawn; these are more, so they are listed." in page.text
    assert len(page.ids("step-line-")) == 1_000
    assert page.ids("step-box-") == []
    assert "And 1 more" in page.text


def test_cancel_tells_how_many_steps_are_unfinished_and_ends_them(
    bob_client: Client, people: Any, pipeline: Run, steps: dict[str, Run]
) -> None:
    actions.complete_run(steps["prepare"], by=make.actor(people.bob))
    actions.complete_run(pipeline, by=make.actor(people.bob))
    page = read(bob_client.get(at(pipeline)))
    assert "3 of 4 steps are unfinished" in page.text
    assert "aria-disabled" not in page.one("button", id="run-cancel-button")

    answer = bob_client.post("/w/lab/runs/pipe/cancel", {"reason": "wrong data"}, headers=HTMX)
    assert "The unfinished steps are being cancelled" in read(answer).text
    found = set(Run.objects.filter(parent=pipeline).values_list("status", flat=True))
    assert found == {"Completed", "CancelRequested"}
