"""The page Compute: targets, their workers and runs, and the forms that change them."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from studio.compute.models import Job, Target, TargetEvent, Worker
from studio.runs.actions import Submission
from studio.runs.models import Run
from studio.web.compute_rows import MAX_RUNS
from tests import make
from tests.web.pages import HTMX, read, rows

PAGE = "/w/lab/compute"
SUBMIT = Submission(target="local", snapshot="", script="train.py")
NASTY = "<script>alert(1)</script>"


def worker(**facts: Any) -> Worker:
    row = {
        "node": "node-1",
        "host": "box",
        "pid": 1,
        "n_slots": 2,
        "target": Target.objects.get(name="local"),
        "version": settings.STUDIO_VERSION,
        "facts": {"n_cpus": 8, "memory_bytes": 16_000_000_000, "python": "3.11.7"},
    }
    return Worker.objects.create(**{**row, **facts})


@pytest.fixture
def gpu(workspace: Any) -> Target:
    return Target.objects.create(name="gpu", workspace=workspace)


@pytest.fixture
def admin_client(workspace: Any) -> Client:
    return make.client(make.user("root", admin=True))


def test_a_live_worker_is_shown_with_its_machine(bob_client: Client) -> None:
    gpu = {"name": "A100", "utilization_percent": 87.0}
    facts = {"n_cpus": 8, "memory_bytes": 16e9, "python": "3.11.7", "cpu_percent": 40.0}
    worker(facts={**facts, "memory_percent": 50.0, "disk_free_bytes": 2e12, "gpus": [gpu]})

    text = read(bob_client.get(PAGE)).text
    assert "node-1 1 box Serves 0 of 2 8 40 % 16 GB 50 % A100 87 % 2.0 TB" in text
    assert "No worker" not in text
    assert "not that of this page" not in text


def test_a_worker_of_another_version_is_marked(bob_client: Client) -> None:
    worker(version="0.0.9", facts={})
    assert "0.0.9 , not that of this page" in read(bob_client.get(PAGE)).text


def test_a_target_without_a_worker_says_how_to_start_one(bob_client: Client, gpu: Target) -> None:
    text = read(bob_client.get(PAGE)).text
    assert "No worker serves this target" in text
    assert "manage.py worker --target local" in text
    assert "manage.py worker --target lab/gpu" in text
    helping = read(bob_client.get(f"{PAGE}/targets/gpu/worker")).text
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "STUDIO_STORAGE_URL", "STUDIO_SECRET_KEY"):
        assert name in helping
    assert settings.SECRET_KEY not in helping


def test_who_is_gone_is_shown_for_an_hour(bob_client: Client) -> None:
    now = timezone.now()

    def ago(minutes: float) -> Any:
        return now - timedelta(minutes=minutes)

    worker(node="signed-off", stopped_at=ago(12), last_seen_at=ago(12))
    worker(node="fell-silent", stopped_at=ago(2), last_seen_at=ago(3), was_lost=True)
    worker(node="not-reaped", last_seen_at=ago(5))
    worker(node="long-gone", stopped_at=ago(70), last_seen_at=ago(70))
    worker(node="back", stopped_at=ago(4), last_seen_at=ago(4))
    worker(node="back", pid=77)

    text = read(bob_client.get(PAGE)).text
    assert "back 77 box Serves 0 of 2" in text
    assert "signed-off 1 Stopped 12 m ago on box" in text
    assert "fell-silent 1 Lost 3" in text
    assert "not-reaped 1 Lost 5" in text
    assert "long-gone" not in text
    assert text.count("back ") == 1


def test_unfinished_runs_are_listed_under_their_target(bob_client: Client, experiment: Any) -> None:
    run = make.run(experiment, start=False, submit=SUBMIT)

    page = read(bob_client.get(PAGE))
    assert "0 active · 1 queued, the oldest" in page.text
    assert run.page_path in [own.get("href") for _, own in page.elements]


def test_more_runs_than_are_shown_are_counted_and_linked_by_kind(
    bob_client: Client, experiment: Any
) -> None:
    runs = [make.run(experiment, start=False, submit=SUBMIT) for _ in range(45)]
    active = [run.pk for run in runs[:22]]
    Run.objects.filter(pk__in=active).update(status="Running")
    Run.objects.filter(pk=active[0]).update(status="NotResponding", archived_at=timezone.now())
    make.run(experiment)

    links = cuts(bob_client)
    assert list(links) == ["All 22 active runs", "All 23 queued runs"]
    for link, wanted in zip(links.values(), (runs[:22], runs[22:]), strict=True):
        assert set(rows(bob_client.get(link))) == {run.uid for run in wanted}


def test_a_kind_that_is_shown_whole_has_no_link(bob_client: Client, experiment: Any) -> None:
    runs = [make.run(experiment, start=False, submit=SUBMIT) for _ in range(MAX_RUNS + 2)]
    Run.objects.filter(pk=runs[0].pk).update(status="Running")

    (link,) = cuts(bob_client).values()
    assert "archived" not in link
    assert len(rows(bob_client.get(link))) == MAX_RUNS + 1


def cuts(client: Client) -> dict[str, str]:
    """Links to lists of the page: their words -> their addresses."""
    page = client.get(PAGE).content.decode()
    return {
        words: unescape(link) for link, words in re.findall(r'<a href="([^"]*)">(All [^<]*)<', page)
    }


def test_runs_targets_and_changes_of_other_workspaces_stay_unseen(
    bob_client: Client, people: Any
) -> None:
    other = make.workspace("other", owner=people.dave, contributor=people.alice)
    make.run(make.experiment(other, "secret-work"), start=False, submit=SUBMIT)
    make.client(people.dave).post("/w/other/compute/create", {"name": "secret-target"})
    assert Target.objects.filter(name="secret-target", workspace=other).exists()

    text = read(bob_client.get(PAGE)).text
    assert "secret" not in text
    assert "0 queued" in text
    assert bob_client.get(f"{PAGE}/targets/secret-target/worker").status_code == 404


def test_the_part_and_the_page_carry_the_same_rows(bob_client: Client) -> None:
    worker()
    page, part = bob_client.get(PAGE), bob_client.get(PAGE, headers=HTMX)

    assert read(part).text in read(page).text
    assert "HX-Request" in part["Vary"]


def test_an_owner_makes_and_edits_a_target(alice_client: Client) -> None:
    form = {"name": " gpu ", "description": NASTY, "max_runs": "2", "grace_s": "", "shared": "1"}
    assert alice_client.post(f"{PAGE}/create", form).status_code == 403
    made = alice_client.post(f"{PAGE}/create", form | {"shared": ""})
    assert (made.status_code, made["Location"]) == (303, PAGE)
    gpu = Target.objects.get(name="gpu")
    assert (gpu.description, gpu.max_runs, gpu.grace_s) == (NASTY, 2, None)

    shown = alice_client.get(f"{PAGE}/targets/gpu/edit")
    assert NASTY not in shown.content.decode()
    assert read(shown).one("input", id="target-max_runs")["value"] == "2"
    saved = {"description": "", "max_runs": "", "grace_s": "12.5"}
    assert alice_client.post(f"{PAGE}/targets/gpu/save", saved).status_code == 303
    gpu.refresh_from_db()
    assert (gpu.description, gpu.max_runs, gpu.grace_s) == ("", None, 12.5)
    text = read(alice_client.get(PAGE)).text
    assert "changed gpu: the description, " in text
    assert "the grace period from default to 12.5 s" in text
    assert NASTY not in alice_client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "a b", "can&#39;t name a target"),
        ("name", "local", "There is a target “local” already"),
        ("max_runs", "1.5", "Give a whole number"),
        ("max_runs", "0", "Give 1 to 10,000"),
        ("grace_s", "soon", "Give a number"),
        ("grace_s", "1e999", "Give 0 to"),
        ("lost_after_s", "5", "can&#39;t be given up before"),
        ("description", "x" * 1_001, "at most 1,000 characters"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    alice_client: Client, field: str, value: str, words: str, headers: dict[str, str]
) -> None:
    form = {"name": "gpu", "description": "two A100", "max_attempts": "7", field: value}
    answer = alice_client.post(f"{PAGE}/create", form, headers=headers)
    assert answer.status_code in {409, 422}
    html = answer.content.decode()
    assert words in html
    for typed in form.values():
        assert f'value="{typed}"' in html
    assert Target.objects.count() == 1


def test_a_target_is_disabled_and_enabled_again_in_its_place(
    alice_client: Client, gpu: Target
) -> None:
    part = alice_client.post(f"{PAGE}/targets/gpu/enable", {"enabled": "0"}, headers=HTMX)
    assert "Disabled: it takes no new runs" in read(part).text
    assert 'id="compute-targets"' in part.content.decode()
    back = alice_client.post(f"{PAGE}/targets/gpu/enable", {"enabled": "1"})
    assert (back.status_code, back["Location"]) == (303, PAGE)
    assert Target.objects.get(name="gpu").is_enabled
    assert list(TargetEvent.objects.values_list("kind", flat=True)) == ["disabled", "enabled"]


def test_a_worker_drains_and_takes_runs_again(alice_client: Client, gpu: Target) -> None:
    row = worker(target=gpu, n_active=1)
    send = f"{PAGE}/targets/gpu/drain"
    on = read(alice_client.post(send, {"node": "node-1", "draining": "1"}, headers=HTMX)).text
    assert "Draining" in on
    assert "Every worker of this target is draining" in on
    Worker.objects.filter(pk=row.pk).update(n_active=0)
    assert "Drained" in read(alice_client.get(PAGE)).text
    assert alice_client.post(send, {"node": "node-1", "draining": "0"}).status_code == 303
    row.refresh_from_db()
    assert not row.is_draining
    gone = alice_client.post(send, {"node": "nobody", "draining": "1"})
    assert gone.status_code == 409
    assert "No live worker “nobody” serves “gpu”" in read(gone).text


def test_a_target_is_deleted_when_nothing_names_it(
    alice_client: Client, gpu: Target, experiment: Any
) -> None:
    send = f"{PAGE}/targets/gpu/delete"
    run = make.run(
        experiment, start=False, submit=Submission(target="gpu", snapshot="", script="a.py")
    )
    refused = alice_client.post(send)
    assert refused.status_code == 409
    assert "Disable it instead" in read(refused).text
    run.delete()
    Job.objects.all().delete()
    assert "Delete this target" in read(alice_client.get(f"{PAGE}/targets/gpu/edit")).text
    assert alice_client.post(send).status_code == 303
    assert not Target.objects.filter(name="gpu").exists()


def test_only_an_admin_changes_what_all_share(
    alice_client: Client, admin_client: Client, gpu: Target
) -> None:
    assert "Disable local" not in alice_client.get(PAGE).content.decode()
    assert alice_client.get(f"{PAGE}/targets/local/edit").status_code == 403
    assert "Disable local" in admin_client.get(PAGE).content.decode()
    form = {"name": "all", "shared": "1"}
    assert admin_client.post(f"{PAGE}/create", form).status_code == 303
    assert Target.objects.get(name="all").is_shared


def test_a_run_is_not_resubmitted_to_a_disabled_target_unseen(
    bob_client: Client, experiment: Any
) -> None:
    from tests.artifacts.test_differences import snapshot

    source = snapshot(experiment.workspace, {"train.py": b"lr = 1\n"})
    Target.objects.create(name="big")
    submit = Submission(target="big", snapshot=source.digest, script="train.py")
    run = make.run(experiment, start=False, submit=submit)
    Target.objects.filter(name="big").update(is_enabled=False)
    form = bob_client.get(f"/w/lab/runs/{run.uid}/resubmit")
    assert "big (takes no new runs)" in read(form).text
    sent = {"uid": "again", "target": "big", "experiment": "vision", "display_name": "kept"}
    answer = bob_client.post(f"/w/lab/runs/{run.uid}/resubmit/start", sent)
    assert answer.status_code == 422
    text = read(answer).text
    assert "The compute target “big” is disabled: it takes no new runs" in text
    assert 'value="kept"' in answer.content.decode()
