"""`GET /metrics`: what Prometheus reads, for who has a token."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from studio.accounts.actions import make_token
from studio.accounts.models import Scope
from studio.compute.models import Job, Target, Worker
from studio.operations import gauges
from studio.operations.readiness import ASKS
from studio.runs.models import Run
from tests import make
from tests.architecture.sources import ROOT

pytestmark = pytest.mark.data
SECRET = "a token of nobody's"
DOOR = "/api/2.0/mlflow/runs/log-metric"


def values(families: Any) -> dict[tuple[str, ...], float]:
    """(name, label values…) -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_it_counts_what_goes_on(run: Any, experiment: Any, workspace: Any) -> None:
    gpu = Target.objects.get(name=make.served_target(workspace), workspace=workspace)
    Job.objects.create(target=gpu, grace_s=1)
    Job.objects.create(target=gpu, grace_s=1, closed_at=timezone.now())
    Worker.objects.create(node="b", host="b", pid=2, target=gpu, n_slots=1, was_lost=True,
                          stopped_at=timezone.now())  # fmt: skip
    over = make.run(experiment)
    Run.objects.filter(pk=over.pk).update(status="Completed", ended_at=timezone.now())

    with CaptureQueriesContext(connection) as asked:
        found = values(gauges.gauges())

    assert len(asked) == 6
    assert found["studio_runs", "Running"] == 1
    assert ("studio_runs", "Completed") not in found
    assert found["studio_queued_runs", "lab/gpu"] == 1
    assert found["studio_workers", "lab/gpu", "alive"] == 1
    assert found["studio_workers", "lab/gpu", "lost"] == 1
    assert found["studio_worker_slots", "lab/gpu"] == 1
    assert found["studio_work", "Waiting"] == 0
    assert found["studio_deliveries",] == 0


def test_no_question_walks_through_what_is_over(experiment: Any, workspace: Any) -> None:
    """The plan of each question names an index of what is not over."""
    make_many_that_are_over(experiment, make.served_target(workspace))
    with CaptureQueriesContext(connection) as asked:
        gauges.runs()
        gauges.queued()
        gauges.work()
        gauges.deliveries()

    for one, index in zip(
        asked, ("run_unfinished", "job_waiting", "work_open", *["delivery_due"] * 2), strict=True
    ):
        plan = plan_of(one["sql"])
        if connection.vendor == "postgresql":
            # Which index is its own choice; only runs and jobs are many here.
            assert "Seq Scan on runs_run" not in plan
            assert "Seq Scan on compute_job" not in plan
        else:
            assert index in plan


def make_many_that_are_over(experiment: Any, target: str, n: int = 3_000) -> None:
    """So many that PostgreSQL, which reads small tables whole, has a reason to use an index."""
    model = make.run(experiment)
    facts = {
        f.attname: getattr(model, f.attname) for f in Run._meta.concrete_fields if f.attname != "id"
    }
    over = {"status": "Completed", "ended_at": timezone.now()}
    Run.objects.bulk_create(
        Run(**facts | over | {"uid": f"over{i}", "number": model.number + 1 + i}) for i in range(n)
    )
    gpu = Target.objects.get(name=target, workspace=experiment.workspace)
    Job.objects.bulk_create(Job(target=gpu, grace_s=1, closed_at=timezone.now()) for _ in range(n))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {sql}")
        return " ".join(str(row) for row in cursor.fetchall())


def test_it_is_for_who_has_a_token(
    client: Client, settings: Any, people: Any, workspace: Any
) -> None:
    settings.METRICS_TOKEN = SECRET
    admin = make.user("root", admin=True)
    bound = make_token(admin, name="t", scope=Scope.READ, workspace=workspace)[1]
    free = make_token(admin, name="t", scope=Scope.READ)[1]
    statuses = {
        token: client.get("/metrics", headers={"Authorization": token}).status_code
        for token in (
            *(f"Bearer {SECRET}", f"Bearer {free}", f"Bearer {bound}", f"Bearer {SECRET}x"),
            *(f"Bearer {make.token(people.alice)}", f"Basic {SECRET}", "Bearer ", ""),
        )
    }
    settings.METRICS_TOKEN = ""

    assert list(statuses.values()) == [200, 200, 401, 401, 401, 401, 401, 401]
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert client.get("/metrics")["WWW-Authenticate"] == "Bearer"
    assert client.post("/metrics").status_code == 405


def test_requests_and_points_are_counted(api: make.Api, run: Any, settings: Any) -> None:
    settings.METRICS_TOKEN = SECRET
    before = scraped(api.client)
    series = {"name": "loss", "kind": "scalar", "steps": [0, 1], "times": [1.0, 2.0]}
    batch = {"batch": "1" * 32, "metrics": [{**series, "values": [0.3, 0.2]}]}
    through_the_door = {"run_id": run.uid, "key": "acc", "value": 0.5, "timestamp": 1, "step": 1}
    token = make.token(run.submitter, workspace=run.workspace)
    sender: Any = {
        "content_type": "application/json",
        "headers": {"Authorization": f"Bearer {token}"},
    }
    for _ in range(2):
        assert api.post(f"/runs/{run.uid}/batches", batch).status_code == 200
        assert api.client.post(DOOR, through_the_door, **sender).status_code == 200
    assert api.get("/runs/none").status_code == 404
    api.client.generic("BREW", "/healthz")
    after = scraped(api.client)

    def grown(*name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("studio_ingested_points_total") == 3, "what is sent again counts once"
    assert grown("studio_http_requests_total", "POST", "2xx") == 4
    assert grown("studio_http_requests_total", "GET", "4xx") == 1
    assert grown("studio_http_requests_total", "other", "2xx") == 1
    assert grown("studio_http_request_duration_seconds_count") >= 5
    assert {name[1] for name in after if name[0] == "studio_part_ok"} == set(ASKS)


def scraped(client: Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    return values(text_string_to_metric_families(answer.content.decode()))


def test_what_the_page_about_running_it_says_to_watch_is_there(
    client: Client, settings: Any, workspace: Any
) -> None:
    settings.METRICS_TOKEN = SECRET
    text = (ROOT / "docs" / "deploy.md").read_text()
    named = set(re.findall(r"\bstudio_[a-z_]+", text))
    known = {family.name for family in gauges.gauges()}

    assert len(named) >= 4
    assert named <= known | {name[0] for name in scraped(client)}
