"""The tab Details, the live header and the live values."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.compute.models import Job, Target, Worker
from studio.runs import actions
from studio.runs.actions import Submission
from studio.runs.models import Run
from studio.runs.status import Status
from tests import make
from tests.web.pages import HTMX, read

SUBMIT = Submission(target="local", snapshot="", script="train.py", arguments=["--lr", "1e-3"])


def path(run: Any, tab: str = "") -> str:
    return f"/w/lab/runs/{run.uid}{tab}"


@pytest.fixture
def full(experiment: Any, people: Any) -> Any:
    run = make.run(
        experiment,
        display_name="digits",
        tags={"quality": "great"},
        parameters={"lr": "1e-3"},
        properties={"data_set": "digits v3"},
        definition={
            "command_line": "python train.py",
            "python_version": "3.11.9",
            "packages": {"numpy": "2.1.0"},
            "git": {"commit": "9a8b7c1d2e3f4a5b", "branch": "main", "dirty": "True"},
        },
    )
    actions.describe_run(run, "A **first** try", by=make.actor(people.bob))
    actions.warn_run(run, "3 points were dropped")
    return run


def test_everything_known_of_a_run_is_on_the_page(bob_client: Client, full: Any) -> None:
    answer = bob_client.get(path(full))
    text = read(answer).text

    assert "<strong>first</strong>" in answer.content.decode()
    for words in ("digits", "great", "1e-3", "digits v3", "3 points were dropped", "3.11.9"):
        assert words in text
    assert "9a8b7c1d2e on main, with changes" in text
    assert "numpy 2.1.0" in text


@pytest.mark.parametrize(
    ("asked", "properties", "shown"),
    [
        ({}, {}, "The worker's own Python"),
        ({"python": "/opt/py"}, {"environment.python": "3.12.1"}, "Interpreter /opt/py"),
        ({"python": "/opt/py"}, {"environment.python": "3.12.1"}, "Python 3.12.1"),
        ({"requirements": "r.txt"}, {}, "Built from r.txt"),
        (
            {"name": "e", "packages": list("abcdefg"), "python": "python3.12"},
            {"environment.key": "k" * 32, "environment.source": "built",
             "environment.seconds": "4.2"},
            f"“e”: built from a, b, c, d, e and 2 more, on python3.12 built in 4.2 s {'k' * 12}",
        ),
        (
            {"requirements": "<b>r.txt"},
            {"environment.key": "k" * 32, "environment.source": "cache"},
            f"Built from <b>r.txt found built {'k' * 12}",
        ),
    ],
)  # fmt: skip
def test_the_environment_of_a_submitted_run_is_told(
    bob_client: Client, experiment: Any, asked: Any, properties: Any, shown: str
) -> None:
    submit = actions.Submission(target="local", snapshot="", script="a.py", environment=asked)
    run = make.run(experiment, start=False, submit=submit, properties=properties)
    assert shown in " ".join(read(bob_client.get(path(run))).text.split())


def test_the_part_and_the_page_carry_the_same_details(bob_client: Client, full: Any) -> None:
    page, part = bob_client.get(path(full)), bob_client.get(path(full), headers=HTMX)

    assert read(part).ids("runs-") == ["runs-details", "runs-values"]
    assert set(read(part).ids("runs-")) <= set(read(page).ids("runs-"))
    assert "HX-Request" in page["Vary"]
    assert "HX-Request" in part["Vary"]


def test_a_failed_run_shows_its_error_before_anything_else(
    bob_client: Client, run: Any, people: Any
) -> None:
    trace = "\n".join([f"  line {n}" for n in range(30)] + ["ValueError: NaN"])
    error = {"code": "UserError", "message": "ValueError: NaN", "traceback": trace}
    actions.fail_run(run, by=make.actor(people.bob), error=error)

    page = read(bob_client.get(path(run), headers=HTMX))
    text = page.text
    assert page.one("a", href=f"{path(run)}/logs?line=error")
    assert text.index("ValueError: NaN") < text.index("Description")
    assert "line 29" in text
    assert "Whole traceback" in text


def test_markdown_that_was_not_cleaned_never_reaches_the_page(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.describe_run(
        run, "<script>alert(1)</script> [x](javascript:1)", by=make.actor(people.bob)
    )

    page = read(bob_client.get(path(run)))
    assert all("src" in own for tag, own in page.elements if tag == "script")
    assert not [own for _, own in page.elements if own.get("href", "").startswith("javascript")]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>'])
def test_hostile_names_are_shown_literally(bob_client: Client, experiment: Any, name: str) -> None:
    run = make.run(
        experiment, display_name=name, tags={name: name}, parameters={name: name},
        properties={name: name}, definition={"packages": {name: name}, "hostname": name},
    )  # fmt: skip
    page = read(bob_client.get(path(run)))

    assert page.texts.count(name) >= 5
    assert not [own for tag, own in page.elements if tag == "img"]


def test_a_reader_sees_no_way_to_change_and_is_told_why(carol_client: Client, run: Any) -> None:
    page = read(carol_client.get(path(run)))

    assert "run-cancel-button" in page.ids()
    button = page.one("button", id="run-cancel-button")
    assert button["aria-disabled"] == "true"
    assert button["title"] == "Your role does not allow cancelling runs"
    assert "rename-panel" not in page.ids()


def test_the_header_is_news_only_when_it_changed(bob_client: Client, run: Any, people: Any) -> None:
    url = header_url(bob_client.get(path(run)))
    assert bob_client.get(url, headers=HTMX).status_code == 204

    actions.change_tags(run, by=make.actor(people.alice), put={"quality": "great"})
    news = bob_client.get(url, headers=HTMX)
    assert news.status_code == 200
    assert "great" in read(news).text


def test_the_last_header_asks_no_more(bob_client: Client, run: Any, people: Any) -> None:
    url = header_url(bob_client.get(path(run)))
    actions.complete_run(run, by=make.actor(people.bob))

    last = bob_client.get(url, headers=HTMX)
    assert last.status_code == 286
    assert "studio:run-changed" in last["HX-Trigger"]
    assert header_url(last) == ""
    assert header_url(bob_client.get(path(run))) == ""


def header_url(answer: Any) -> str:
    return read(answer).one("header", id="runs-header").get("hx-get", "")


def test_a_queued_run_without_a_worker_says_so_and_how_to_start_one(
    bob_client: Client, experiment: Any
) -> None:
    run = make.run(experiment, start=False, submit=SUBMIT)
    assert "manage.py worker --target local" in read(bob_client.get(path(run))).text

    target = Target.objects.get(name="local")
    Worker.objects.create(node="n", host="h", pid=1, target=target, n_slots=1)
    assert "No worker serves" not in read(bob_client.get(path(run))).text


def test_a_cancel_shows_who_why_the_step_and_kill_now(
    bob_client: Client, experiment: Any, people: Any
) -> None:
    run = running_on_a_worker(experiment)
    actions.cancel_run(run, by=make.actor(people.alice), reason="flat loss")
    Job.objects.filter(pk=run.job_id).update(
        cancel_step="interrupting", cancel_step_at=timezone.now(), beat_at=timezone.now()
    )

    page = read(bob_client.get(path(run)))
    assert "Cancel requested by alice" in page.text
    assert "flat loss" in page.text
    assert "Interrupted" in page.text
    assert re.search(r"Terminating, (30|29) s left", page.text)
    assert "run-kill-button" in page.ids()
    assert any("data-left" in own for _, own in page.elements)


def running_on_a_worker(experiment: Any) -> Any:
    run = make.run(experiment, start=False, submit=SUBMIT)
    Job.objects.filter(pk=run.job_id).update(lease="x", claimed_at=run.created_at, node="n")
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, started_at=run.created_at)
    run.refresh_from_db()
    return run


def test_how_the_process_ended_is_told_in_words(bob_client: Client, run: Any, people: Any) -> None:
    actions.fail_run(run, by=make.actor(people.bob), reason="It ran out of memory")
    Run.objects.filter(pk=run.pk).update(exit_signal=9)

    text = read(bob_client.get(path(run))).text
    assert "It ran out of memory · signal 9 (SIGKILL)" in text


def test_values_are_news_with_every_new_point(bob_client: Client, run: Any, api: Any) -> None:
    page = read(bob_client.get(path(run)))
    url = page.one("section", id="runs-values")["hx-get"]
    assert bob_client.get(url, headers=HTMX).status_code == 204

    points = {"kind": "scalar", "steps": [0], "times": [1e9], "values": [0.25]}
    batch = {
        "batch": "11111111-ab55-4a33-9d2b-1c1f0a4a4c11",
        "metrics": [{"name": "loss", **points}],
    }
    assert api.post(f"/runs/{run.uid}/batches", batch).status_code == 200
    assert "0.25" in read(bob_client.get(url, headers=HTMX)).text


def test_a_run_that_is_not_there_is_404(bob_client: Client) -> None:
    answer = bob_client.get("/w/lab/runs/none")

    assert answer.status_code == 404


def test_the_tabs_count_what_they_hold(bob_client: Client, run: Any, experiment: Any) -> None:
    make.run(experiment, parent=run)

    assert "Child runs 1" in read(bob_client.get(path(run))).text


def test_child_runs_are_listed_and_stay_live(
    bob_client: Client, run: Any, experiment: Any, people: Any
) -> None:
    child = make.run(experiment, parent=run, display_name="fold 1")
    page = read(bob_client.get(path(run, "/children")))
    part = bob_client.get(path(run, "/children"), headers=HTMX)

    assert f"runs-row-{child.uid}" in page.ids()
    assert f"runs-row-{child.uid}" in read(part).ids()
    actions.complete_run(child, by=make.actor(people.bob))
    news = bob_client.get(page.one("div", id="runs-live")["hx-get"], headers=HTMX)
    assert "Completed" in read(news).text
    assert {"runs-counters", "runs-sweep_best"} <= set(read(news).ids())


def test_a_run_without_child_runs_says_so(bob_client: Client, run: Any) -> None:
    assert "No child runs" in read(bob_client.get(path(run, "/children"))).text


def test_history_tells_who_changed_what_from_what_to_what(
    bob_client: Client, run: Any, people: Any
) -> None:
    by = make.actor(people.alice)
    actions.rename_run(run, "<b>new</b>", by=by)
    actions.change_tags(run, by=by, put={"quality": "good", "seen": None})
    actions.change_tags(run, by=by, put={"quality": "great"}, remove=["seen"])
    actions.complete_run(run, by=by)

    page, part = (bob_client.get(path(run, "/history"), headers=h) for h in ({}, HTMX))
    text = read(part).text
    assert "vision-1 became <b>new</b>" in text
    assert "quality: good became great" in text
    assert "seen: no value removed" in text
    assert "Running became Completed" in text
    assert text in read(page).text


def test_the_log_is_open_and_the_files_are_listed(bob_client: Client, run: Any, api: Any) -> None:
    raw = "application/octet-stream"
    log, image = (
        f"/runs/{run.uid}/logs/logs/output.txt?offset=0",
        f"/runs/{run.uid}/artifacts/a.bin",
    )
    assert api.send("POST", log, b"epoch 1\nepoch 2\n", raw).status_code == 200
    assert api.send("PUT", image, b"\0" * 9, raw).status_code == 201

    page, part = (bob_client.get(path(run, "/logs"), headers=h) for h in ({}, HTMX))
    for answer in (page, part):
        text = read(answer).text
        assert "epoch 2" in text
        assert "a.bin" in text
    tree = read(page).one("nav", id="runs-tree")
    seen = json.loads(tree["hx-vals"])
    assert bob_client.get(tree["hx-get"], seen, headers=HTMX).status_code == 204


def test_a_run_that_wrote_nothing_yet_waits_for_its_log(bob_client: Client, run: Any) -> None:
    page = read(bob_client.get(path(run, "/logs")))

    assert "No files yet" in page.text
    assert "data-grows" in page.one("div", id="artifacts-log_lines")


def test_a_finished_run_without_files_says_so(bob_client: Client, run: Any, people: Any) -> None:
    actions.complete_run(run, by=make.actor(people.bob))

    assert "This run wrote no log and no outputs" in read(bob_client.get(path(run, "/logs"))).text
