"""How many queries each page costs; pinned, so that a page that starts to cost more is noticed.

STUDIO_RECORD_QUERIES=1 writes tests/query_counts.json anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studio.alerts.actions import create_rule, try_rule
from studio.alerts.drafts import Address, RuleDraft
from studio.artifacts import log_findings
from studio.artifacts.models import LogFinding
from studio.compute.models import Target, Worker
from studio.compute.targets import record
from studio.custom_views.actions import Draft, create_view, save_view
from studio.custom_views.sharing import pin_view
from studio.runs import actions
from studio.runs.actions import Submission
from studio.runs.actions.experiments import describe_experiment
from studio.runs.models import Experiment, Run
from tests import make
from tests.artifacts.test_differences import snapshot
from tests.browser import charting
from tests.web.pages import HTMX, read

FILE = Path(__file__).parent.parent / "query_counts.json"
RUN = "/w/lab/runs/{uid}"
PAGES = {
    "run-list": "/w/lab/runs",
    "run-list filtered": "/w/lab/runs?q=tag.quality:great+status:Running|Completed",
    "run-list free text": "/w/lab/runs?q=vision",
    "run-list by logs": "/w/lab/runs?q=log~loss",
    "run-list with child runs": "/w/lab/runs?children=flat&size=200",
    "run-list as a tree": "/w/lab/runs?children=tree&size=200&open={uid}",
    "run-list sorted, with columns": "/w/lab/runs?order=-metric.loss:min,param.lr&columns=name,"
    "status,metric.loss:min,metric.loss:max,param.lr,tag.quality,property.a,description,target",
    "monitor": "/w/lab/monitor",
    "monitor filtered": "/w/lab/monitor?status=Failed&experiment=vision&run=v&actor=bob",
    "alert-list": "/w/lab/alerts",
    "alert-new": "/w/lab/alerts/new?kind=metric",
    "alert-rule": "/w/lab/alerts/{rule}",
    "alert-edit": "/w/lab/alerts/{rule}/edit",
    "alert-confirm": "/w/lab/alerts/{rule}/confirm-delete",
    "run-list-columns": "/w/lab/runs-columns?find=qu",
    "run-list-sorting": "/w/lab/runs-sorting?find=qu",
    "run-list-counts": "/w/lab/runs-counts?q=vision",
    "run-list-filter": "/w/lab/runs-filter",
    "run-list-filter names": "/w/lab/runs-filter?field=tag&find=qual",
    "run-list-filter values": "/w/lab/runs-filter?field=tag&name=quality&find=gr",
    "run-list-pill": "/w/lab/runs-pill?q=submitter:bob&pill=0",
    "run-list-explain": "/w/lab/runs-explain?q=status:Failed+tag.quality:great+submitter:bob",
    "run-suggest": "/w/lab/runs-suggest?text=tag.quality:g",
    "description-suggest": "/w/lab/description-suggest?text=see+run:vis",
    "experiment-runs": "/w/lab/experiments/vision",
    "experiment-list": "/w/lab/experiments",
    "experiment-list by runs": "/w/lab/experiments?sort=-runs",
    "experiment-description-edit": "/w/lab/experiments/vision/description/edit",
    "experiment-description-versions": "/w/lab/experiments/vision1/description/versions",
    "experiment-description-version": "/w/lab/experiments/vision1/description/versions/2",
    "view-list": "/w/lab/views",
    "view-list found": "/w/lab/views?q=sweep&tab=mine",
    "view": "/w/lab/views/{view}",
    "view changed": "/w/lab/views/{view}?q=status:failed&rev=1",
    "view in an older version": "/w/lab/views/{view}?rev=1",
    "view-share": "/w/lab/views/{view}/share",
    "view-history": "/w/lab/views/{view}/versions",
    "view-new": "/w/lab/views/new?view={view}&q=x&rev=1",
    "view-lost": "/w/lab/views/lost?q=tag.quality:great+metric.none<1&columns=param.lr",
    "compute": "/w/lab/compute",
    "target-worker": "/w/lab/compute/targets/local/worker",
    "trash": "/w/lab/trash",
    "work-list": "/w/lab/work",
    "import": "/w/lab/import",
    "tag-list": "/w/lab/tags?sort=-runs",
    "tag-values": "/w/lab/tags/values?key=n",
    "tag-change": "/w/lab/tags/change?action=rename&key=quality&to=n",
    "member-list": "/w/lab/members",
    "member-confirm": "/w/lab/members/confirm",
    "account": "/account",
    "run-detail": RUN,
    "run-edit-name": RUN + "/edit-name",
    "run-edit-tags": RUN + "/edit-tags",
    "run-all-tags": RUN + "/all-tags?q=1",
    "run-header": RUN + "/header",
    "run-values": RUN + "/values",
    "run-children": RUN + "/children",
    "run-children sorted": RUN + "/children?order=metric.loss&children=flat",
    "run-children-counts": "/w/lab/runs-counts?parent={uid}",
    "run-steps": RUN + "/steps",
    "run-resubmit": RUN + "/resubmit",
    "run-seen-by": RUN + "/seen-by",
    "run-logs": RUN + "/logs",
    "run-tree": RUN + "/tree",
    "run-log-beside": RUN + "/log-beside?path=a&beside=logs/output.txt",
    "run-history": RUN + "/history",
    "run-monitoring": RUN + "/monitoring",
    "run-monitoring as tables": RUN + "/monitoring?as=table",
    "run-monitoring-figure": RUN + "/monitoring/figure?host=node0&panel=cpu",
    "run-monitoring-table": RUN + "/monitoring/table?host=node0&panel=cpu",
    "run-metrics": RUN + "/metrics",
    "run-figure": RUN + "/metrics/figure?m=loss",
    "run-figure zoomed": RUN + "/metrics/figure?m=loss&from=10&to=20",
    "run-metric-news": RUN + "/metrics/news",
    "run-images": RUN + "/images",
    "run-images at a step": RUN + "/images?m=samples&step=1",
    "run-compare": "/w/lab/compare?chosen={chosen}",
    "run-compare-add": "/w/lab/compare/add?chosen={chosen}&add_find=vision",
    "run-snapshot": RUN + "/snapshot",
    "run-json": RUN + "/json",
    "run-description-edit": RUN + "/description/edit",
    "run-description-versions": RUN + "/description/versions",
    "run-description-version": RUN + "/description/versions/2",
}


def many(workspace: Any, n: int) -> Any:
    """`n` runs in two experiments, each with tags, a metric and a child run; the newest."""
    run = None
    for i in range(n):
        experiment = make.experiment(workspace, f"vision{i % 2 or ''}")
        run = make.run(
            experiment,
            tags={"quality": "great", "n": str(i)},
            parameters={"lr": "1"},
            start=False,
            submit=Submission(target="local", snapshot="", script="train.py"),
        )
        source = snapshot(workspace, {"train.py": str(i).encode()})
        Run.objects.filter(pk=run.pk).update(snapshot=source.digest)
        make.run(experiment, parent=run)
        images = charting.others("samples", "image", [{"path": "images/a.png"}] * n)
        charting.log(run, charting.scalars("loss", [1.0] * 40), images)
        charting.log(run, charting.scalars("loss", [1.0] * 40))
    found_in_logs(workspace)
    return run


def found_in_logs(workspace: Any) -> None:
    """A search of logs that found a line in every run."""
    (search,) = log_findings.begin(workspace, ["loss"])
    runs = Run.objects.filter(workspace=workspace).values_list("pk", flat=True)
    log_findings.ask([search.pk], dict.fromkeys(runs, 0))
    LogFinding.objects.update(is_pending=False, path="logs/a.txt", line=1, parts=[["loss", True]])


def views(workspace: Any, user: Any, n: int) -> Any:
    """`n` views, each in its second version, a third of them pinned; the last."""
    by = make.actor(user)
    for i in range(n):
        view = create_view(workspace, Draft(f"Sweep {n} {i}", {"q": "vision"}), by=by)
        save_view(view, by=by, expected_version=1, state={"q": "tag.quality:great"})
        pin_view(view, by=by, pinned=i % 3 == 0)
    return view


def costs(client: Client, run: Any, view: Any) -> dict[str, int]:
    """What each page costs; a comparison is one of all parents, as far as there is room."""
    parents = run.workspace.runs.filter(parent=None).exclude(pk=run.pk).order_by("-id")[:19]
    chosen = ",".join(one.uid for one in (run, *parents))
    rule = run.workspace.alert_rules.latest("pk")
    named = {"uid": run.uid, "view": view.address, "chosen": chosen, "rule": rule.uid}
    return {name: cost(client, path.format(**named)) for name, path in PAGES.items()}


def describe(run: Any, user: Any, n: int) -> None:
    """`n` more versions of the description of `run`, and of the experiment vision1."""
    by, experiment = make.actor(user), Experiment.objects.get(name="vision1")
    for i in range(n):
        actions.describe_run(run, f"text {n} {i}", by=by)
        describe_experiment(experiment, f"text {n} {i}", by=by)


def serve(workspace: Any, n: int) -> None:
    """`n` targets, each with a worker and a change in its history."""
    for i in range(n):
        target = Target.objects.create(name=f"t{n}-{i}", workspace=workspace)
        Worker.objects.create(node=target.name, host="h", pid=1, target=target, n_slots=1)
        record(target, "made", by=make.actor(workspace.memberships.first().user))


def alerts(workspace: Any, user: Any, n: int) -> None:
    """`n` rules of one's own; the last has told something `n` times, to two destinations."""
    to = [Address("email"), Address("slack", url="https://hooks.example.org/x")]
    for i in range(n):
        draft = RuleDraft(f"Rule {n} {i}", statuses=["Failed"], addresses=to)
        rule = create_rule(workspace, draft, by=make.actor(user))
    for _ in range(n):
        try_rule(rule, by=make.actor(user))


def monitor(run: Any, n: int) -> None:
    """Samples of `n` hosts."""
    hosts = [f"system/node{i}/{key}" for i in range(n) for key in ("cpu_percent", "memory_bytes")]
    charting.log(run, *[charting.scalars(name, [1.0, 2.0]) for name in hosts])


def cost(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(seen)


def test_pages_cost_what_they_did_and_not_more_with_more_runs(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    run, view = many(workspace, 3), views(workspace, people.bob, 3)
    describe(run, people.bob, 3)
    monitor(run, 2)
    serve(workspace, 3)
    alerts(workspace, people.bob, 3)
    few = costs(bob_client, run, view)
    many(workspace, 30)
    views(workspace, people.bob, 60)
    describe(run, people.bob, 35)
    monitor(run, 30)
    serve(workspace, 30)
    alerts(workspace, people.bob, 30)
    lots = costs(bob_client, run, view)

    assert lots == few
    if os.environ.get("STUDIO_RECORD_QUERIES") == "1":
        FILE.write_text(json.dumps(few, indent=2) + "\n")
    assert few == json.loads(FILE.read_text())


def test_asking_for_news_is_cheap(bob_client: Client, workspace: Any) -> None:
    many(workspace, 20)
    url = read(bob_client.get("/w/lab/runs")).one("div", id="runs-live")["hx-get"]

    with CaptureQueriesContext(connection) as seen:
        assert bob_client.get(url, headers=HTMX).status_code == 204
    assert len(seen) <= 9


@pytest.mark.parametrize("name", ["run-list", "experiment-list", "compute"])
def test_a_part_costs_no_more_than_its_page(bob_client: Client, workspace: Any, name: str) -> None:
    many(workspace, 3)
    page = cost(bob_client, PAGES[name])

    with CaptureQueriesContext(connection) as seen:
        bob_client.get(PAGES[name], headers=HTMX)
    assert len(seen) <= page


def test_asking_whether_a_run_changed_is_cheap(bob_client: Client, workspace: Any) -> None:
    run = many(workspace, 2)
    url = read(bob_client.get(RUN.format(uid=run.uid))).one("header", id="runs-header")["hx-get"]

    with CaptureQueriesContext(connection) as seen:
        assert bob_client.get(url, headers=HTMX).status_code == 204
    assert len(seen) <= 4
