"""Where the ids that MLflow's clients know lead to, and what a name of theirs looks like."""

from typing import Any

from django.test import Client

from studio.runs.actions.titles import create_titled
from tests import make


def test_ids_lead_members_to_pages_and_tell_others_nothing(
    run: Any, bob_client: Client, dave_client: Client, client: Client
) -> None:
    to_run = f"/mlflow/experiments/{run.experiment_id}/runs/{run.uid}"
    to_experiment = f"/mlflow/experiments/{run.experiment_id}"
    assert bob_client.get(to_run)["Location"] == f"/w/lab/runs/{run.uid}"
    assert bob_client.get(to_experiment)["Location"] == "/w/lab/experiments/vision"
    assert bob_client.get(f"/mlflow/experiments/0/runs/{run.uid}").status_code == 302
    for path in (to_run, to_experiment):
        assert dave_client.get(path).status_code == 404
        assert client.get(path)["Location"].startswith("/sign-in?next=/mlflow/")
    for path in ("0", "99999999", f"{2**70}", f"{run.experiment_id}/runs/none"):
        assert bob_client.get(f"/mlflow/experiments/{path}").status_code == 404, path


def test_pages_show_the_name_that_a_client_gave(
    people: Any, workspace: Any, bob_client: Client
) -> None:
    made = create_titled(workspace, "/Shared/<b>night</b> 1", by=make.actor(people.bob))
    run = make.run(made)

    for path in (f"/w/lab/experiments/{made.name}", "/w/lab/experiments", run.page_path):
        page = bob_client.get(path).content.decode()
        assert "/Shared/&lt;b&gt;night&lt;/b&gt; 1" in page, path
    found = bob_client.get("/w/lab/experiments", {"q": "shared/"}).content.decode()
    assert "night&lt;/b&gt; 1" in found
