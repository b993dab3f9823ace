"""The head of a run tells each step of a cancel, a silence and what an end took, in words."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.compute.models import Job
from studio.execution.evidence import evidence_of_ending
from studio.execution.ladder import EVENT, Ladder
from studio.execution.memory import Memory
from studio.execution.verdict import Ending
from studio.runs import actions
from studio.runs.lifecycle import record_event, transition
from studio.runs.models import Run
from studio.runs.status import Status
from tests import make
from tests.web.pages import HTMX, read
from tests.web.test_run_detail import path, running_on_a_worker


def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def ladder(client: Client, run: Any) -> str:
    """The steps as the page writes them, without their times."""
    text = read(client.get(path(run))).text
    return re.sub(r"\s+", " ", re.sub(r"\d\d:\d\d:\d\d UTC", "TIME", text))


@pytest.fixture
def stopping(experiment: Any, people: Any) -> Any:
    run = running_on_a_worker(experiment)
    actions.cancel_run(run, by=make.actor(people.alice), reason="<b>flat</b>")
    Job.objects.update(beat_at=timezone.now())
    return run


def reach(run: Any, *steps: str) -> None:
    for step in steps:
        record_event(run, EVENT, by=make.actor(run.submitter), after=step)
    Job.objects.update(cancel_step=steps[-1], cancel_step_at=timezone.now())


def test_each_step_is_done_or_comes_with_its_countdown(bob_client: Client, stopping: Any) -> None:
    text = ladder(bob_client, stopping)
    assert "Cancel requested by alice" in text
    assert "<b>flat</b>" in text
    assert "Asked TIME Interrupting Terminating Killing The worker is being told" in text
    reach(stopping, "interrupting")
    assert re.search(
        r"Asked TIME Interrupted TIME Terminating, (30|29|28) s left Killing The script was",
        ladder(bob_client, stopping),
    )
    reach(stopping, "terminating")
    assert re.search(r"Terminated TIME Killing, \d s left", ladder(bob_client, stopping))
    reach(stopping, "killing")
    assert "Killed TIME The script and everything" in ladder(bob_client, stopping)


def test_kill_now_leaves_out_the_steps_between(bob_client: Client, stopping: Any) -> None:
    reach(stopping, "interrupting")
    bob_client.post(path(stopping, "/kill"))
    text = ladder(bob_client, stopping)
    assert "Interrupted TIME Killing The script and everything it started are being" in text
    assert "Terminating" not in text


def test_a_worker_that_is_gone_is_told_with_the_end_to_expect(
    bob_client: Client, stopping: Any
) -> None:
    Job.objects.update(beat_at=ago(61))
    text = ladder(bob_client, stopping)
    assert re.search(r"Closing as Canceled, (30|29|28) s left Its worker n does not answer", text)
    assert "may live on" in text


def test_a_cancel_that_comes_too_late_says_so(
    bob_client: Client, experiment: Any, people: Any
) -> None:
    run = running_on_a_worker(experiment)
    transition(run, Status.FINALIZING, by=make.actor(people.bob))
    actions.cancel_run(run, by=make.actor(people.alice))
    assert "The script has ended already" in ladder(bob_client, run)


def test_another_program_is_told_with_its_heartbeat_and_may_live_on(
    bob_client: Client, run: Any, people: Any
) -> None:
    actions.cancel_run(run, by=make.actor(people.alice))
    url = str(read(bob_client.get(path(run))).one("header", id="runs-header")["hx-get"])
    text = ladder(bob_client, run)
    assert re.search(r"Telling Closing as Canceled, (30|29|28) s left The program is told", text)
    assert "at most 20 s" in text
    assert "may live on" in text
    assert bob_client.get(url, headers=HTMX).status_code == 204
    Run.objects.filter(pk=run.pk).update(last_beat_at=timezone.now() + timedelta(seconds=1))
    assert bob_client.get(url, headers=HTMX).status_code == 200
    assert "Told Closing as Canceled" in ladder(bob_client, run)


def test_a_silence_says_since_when_and_when_it_is_given_up(bob_client: Client, run: Any) -> None:
    Run.objects.filter(pk=run.pk).update(last_beat_at=ago(200))
    run.refresh_from_db()
    transition(run, Status.NOT_RESPONDING, by=make.actor(run.submitter))
    text = ladder(bob_client, run)
    assert re.search(r"Not heard from since TIME \( ?3 m ago ?\)", text)
    assert re.search(r"given up as Failed in (8 m|7 m 59 s|7 m 58 s) ?, at TIME", text)


def test_the_time_left_of_a_limit_is_shown(bob_client: Client, experiment: Any) -> None:
    limited = make.run(experiment, max_duration_s=3_600.0)
    Run.objects.filter(pk=limited.pk).update(started_at=ago(600))
    assert re.search(r"(50 m|49 m 5\d s) left of 1 h", ladder(bob_client, limited))
    endless = make.run(experiment, max_duration_s=2_592_000.0)
    assert "left of" not in ladder(bob_client, endless)


ENDINGS = {
    "cancelled": (
        Ending(
            exit_signal=15,
            was_cancelled=True,
            ladder=Ladder((("interrupting", 1e9, 0.0), ("terminating", 1e9 + 30, 30.0)), 30.1),
        ),
        ["alice, by a cancel", "Interrupted (SIGINT)", "Terminated (SIGTERM)", "30 s"],
    ),
    "out of memory": (
        Ending(
            exit_signal=9,
            memory=Memory(True, 1, "group", peak_bytes=58_000_000, limit_bytes=60_000_000),
        ),
        ["The kernel, because memory ran out", "Yes, proven", "58 MB at most, of 60 MB allowed"],
    ),
    "killed": (
        Ending(exit_signal=9, memory=Memory(False, 0, "group")),
        ["Somebody or something outside the studio", "No: the kernel ended nothing"],
    ),
    "time limit": (
        Ending(exit_signal=15, timed_out_after_s=60.0),
        ["The studio: time limit", "By the signal SIGTERM"],
    ),
    "worker": (
        Ending(exit_signal=15, stopped_by_worker=True),
        ["The worker, which was shut down", "n, target local"],
    ),
    "crash": (Ending(exit_signal=11), ["Itself, by a crash (SIGSEGV)"]),
    "lost": (Ending(lost="gone"), ["Somebody or something outside", "Last heartbeat"]),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_is_known_of_an_end_is_shown_and_told_by_the_api(
    bob_client: Client, api: Any, experiment: Any, people: Any, name: str
) -> None:
    ending, words = ENDINGS[name]
    run = running_on_a_worker(experiment)
    if ending.was_cancelled:
        actions.cancel_run(run, by=make.actor(people.alice))
        run.refresh_from_db()
    to = Status.CANCELED if ending.was_cancelled else Status.FAILED
    transition(run, to, by=make.actor(people.bob), evidence=evidence_of_ending(run, ending))
    page = read(bob_client.get(path(run)))
    assert "runs-evidence" in page.ids()
    for word in words:
        assert word in page.text
    told = api.get(f"/runs/{run.uid}").json()["evidence"]
    assert told == evidence_of_ending(run, ending)
    assert "evidence" not in api.get("/runs").json()["items"][0]


def test_the_line_that_stays_tells_who_why_and_what_it_took(
    bob_client: Client, stopping: Any
) -> None:
    by = make.actor(stopping.submitter)
    transition(stopping, Status.CANCELED, by=by, reason="Needed SIGTERM after 30 s", exit_signal=15)
    text = ladder(bob_client, stopping)
    assert "Canceled by alice (<b>flat</b>): needed SIGTERM after 30 s" in text
    assert "signal 15" not in text.partition("Details")[0]


def test_marking_as_failed_asks_for_a_reason(bob_client: Client, run: Any) -> None:
    answer = bob_client.post(path(run, "/fail"), {"reason": "  "}, headers=HTMX)
    assert answer.status_code == 422
    assert "Say why" in read(answer).text
    run.refresh_from_db()
    assert run.status == Status.RUNNING
