"""Ten thousand runs: cancel half-way, undo, a killed worker, two works at once. All adds up."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from studio.bulk.acting import start_bulk
from studio.bulk.selection import Selection
from studio.bulk.undoing import start_undo
from studio.metrics.seeding import Seeder
from studio.runs.models import RunEvent, Tag
from studio.work.actions import cancel_work
from studio.work.models import State, Work
from studio.work.running import run_work
from tests import make
from tests.amount import form
from tests.database import address_for_others

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True)]
N_RUNS = 10_000
N_FEWER = form(1_000, 3_000)


@pytest.fixture
def room(people: Any, workspace: Any) -> Any:
    Seeder(workspace, people.alice).write(N_RUNS)
    return workspace


@pytest.fixture
def smaller_room(people: Any, workspace: Any) -> Any:
    Seeder(workspace, people.alice).write(N_FEWER)
    return workspace


def tag_all(room: Any, by: Any, **tags: str) -> Work:
    arguments = {"set": tags or {"touched": "yes"}}
    return start_bulk(room, "tags", Selection(children=True), arguments, by=make.actor(by))


def fresh(work: Work) -> Work:
    work.refresh_from_db()
    return work


def test_ten_thousand_runs_are_tagged_cancelled_half_way_and_put_back(
    room: Any, people: Any
) -> None:
    work = tag_all(room, people.bob, quality="touched")
    while fresh(work).n_done < N_RUNS // 2:
        run_work(work.pk, slice_s=0.01)  # a piece or two, then handed over
    cancel_work(work, by=make.actor(people.bob))
    run_work(work.pk)

    assert fresh(work).state == State.CANCELED
    assert work.n_total == N_RUNS
    assert N_RUNS // 2 <= work.n_done < N_RUNS
    assert work.n_done + work.n_skipped + work.n_failed + work.n_left == N_RUNS
    tagged = Tag.objects.filter(key="quality", value="touched")
    assert tagged.count() == work.n_done
    assert RunEvent.objects.filter(work=work.uid, kind="tags").count() == work.n_done

    changed_since = list(tagged.values_list("run_id", flat=True)[:3])
    Tag.objects.filter(run__in=changed_since, key="quality").update(value="mine")
    undo = start_undo(work, by=make.actor(people.bob))
    run_work(undo.pk, slice_s=600)

    assert fresh(undo).state == State.DONE
    assert (undo.n_done, undo.n_skipped) == (work.n_done - 3, 3)
    assert undo.result["skipped"] == {"“quality” was changed since": 3}
    assert not tagged.exists()
    assert Tag.objects.filter(key="quality", value="mine").count() == 3
    assert Tag.objects.filter(key="quality").count() == N_RUNS


def process(url: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bulk.worker", *words],
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(url: str, *words: str) -> str:
    worker = process(url, *words)
    output, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0
    return output


@pytest.mark.faults
def test_a_killed_worker_leaves_whole_pieces_and_the_next_one_goes_on(
    smaller_room: Any, people: Any, tmp_path: Any
) -> None:
    work = tag_all(smaller_room, people.bob)
    url = address_for_others(tmp_path)

    def report() -> dict[str, Any]:
        return json.loads(finished(url, work.uid, "report"))

    victim = process(url, work.uid, "die")
    assert victim.wait(timeout=120) == -signal.SIGKILL

    half = report()
    assert half["state"] == State.RUNNING
    assert 0 < half["n_done"] == half["n_events"] == half["n_tags"] < N_FEWER

    finished(url, work.uid)  # the lease of the dead worker still holds
    assert report() == half

    finished(url, work.uid, "age")
    finished(url, work.uid)
    assert report() == {
        "state": "Done",
        "n_done": N_FEWER,
        "n_skipped": 0,
        "n_total": N_FEWER,
        "result": {},
        "n_events": N_FEWER,
        "n_tags": N_FEWER,
    }


def test_two_works_over_the_same_runs_both_end_and_agree_with_the_history(
    smaller_room: Any, people: Any, tmp_path: Any
) -> None:
    works = [tag_all(smaller_room, people.bob, touched=value) for value in ("a", "b")]
    url = address_for_others(tmp_path)

    workers = [process(url, work.uid) for work in works]
    for worker in workers:
        worker.communicate(timeout=120)
    for work in works:
        finished(url, work.uid)  # one that was put off (a busy database) goes on

    reports = [json.loads(finished(url, work.uid, "report")) for work in works]
    for report in reports:
        assert report["state"] == State.DONE
        assert report["n_done"] == report["n_events"] == N_FEWER
        assert report["n_tags"] == N_FEWER
    if connection.vendor == "postgresql":
        values = Tag.objects.filter(key="touched").values_list("value", flat=True)
        assert set(values) <= {"a", "b"}
