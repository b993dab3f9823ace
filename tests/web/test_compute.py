"""The page Compute."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from studio.compute.models import Target, Worker
from studio.runs.actions import Submission
from tests import make
from tests.web.pages import HTMX, read

PAGE = "/w/lab/compute"
SUBMIT = Submission(target="local", snapshot="", script="train.py")


def worker(**facts: Any) -> Worker:
    target = Target.objects.get(name="local")
    about = {"n_cpus": 8, "memory_bytes": 16_000_000_000}
    row = {
        "node": "node-1",
        "host": "box",
        "pid": 1,
        "n_slots": 2,
        "target": target,
        "facts": about,
    }
    return Worker.objects.create(**{**row, **facts})


def test_a_live_worker_is_shown_with_its_machine(bob_client: Client) -> None:
    worker()

    text = read(bob_client.get(PAGE)).text
    assert "node-1 1 box 0 of 2 8 16 GB" in text
    assert "No worker" not in text


def test_a_target_without_a_worker_says_how_to_start_one(bob_client: Client) -> None:
    worker(last_seen_at=timezone.now() - timedelta(minutes=5))

    text = read(bob_client.get(PAGE)).text
    assert "No worker serves this target" in text
    assert "manage.py worker --target local" in text
    assert "node-1" not in text


def test_unfinished_runs_are_listed_under_their_target(bob_client: Client, experiment: Any) -> None:
    run = make.run(experiment, start=False, submit=SUBMIT)

    page = read(bob_client.get(PAGE))
    assert "0 active · 1 queued" in page.text
    assert run.page_path in [own.get("href") for _, own in page.elements]


def test_runs_and_targets_of_other_workspaces_stay_unseen(bob_client: Client, people: Any) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.alice)
    make.run(make.experiment(other, "secret-work"), start=False, submit=SUBMIT)
    Target.objects.create(name="secret-target", workspace=other)

    text = read(bob_client.get(PAGE)).text
    assert "secret" not in text
    assert "0 queued" in text


def test_the_part_and_the_page_carry_the_same_rows(bob_client: Client, experiment: Any) -> None:
    worker()
    page, part = bob_client.get(PAGE), bob_client.get(PAGE, headers=HTMX)

    assert read(part).text in read(page).text
    assert "HX-Request" in part["Vary"]
