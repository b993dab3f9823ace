"""NUL in addresses, queries and headers, which PostgreSQL stores nowhere: no door fails of it."""

from typing import Any

import pytest

from tests import make

A = "/api/2.0/mlflow/"
WORK = "/" + "work"
ODD = ("%00", "a%00b", "%ED%A0%80", "%F0%9F", "%E2%80%AE", "%5Cx00")


def addresses(odd: str, run: Any) -> tuple[str, ...]:
    """Every place where a text of the asker's stands in an address."""
    api = "/api/v1/workspaces/lab"
    inside = f"/api/2.0/mlflow-artifacts/artifacts/{run.experiment_id}"
    return (
        *(f"/api/v1/workspaces/{odd}", f"{api}/runs/{odd}", f"{api}/experiments/{odd}"),
        *(
            f"{api}/runs/{run.uid}/artifacts/{odd}",
            f"{api}/runs?q={odd}",
            f"{api}/tags?q={odd}",
        ),
        *(f"{api}/runs?cursor={odd}", f"{api}/runs?experiment={odd}", f"{api}/views/{odd}"),
        *(f"{api}/runs/{run.uid}/metrics/points?name={odd}", f"{api}/tags/values?key={odd}"),
        *(f"{api}{WORK}/{odd}", f"{api}/targets/{odd}", f"{api}/alert-rules/{odd}"),
        *(f"{api}/export.zip?runs={odd}", f"{api}/export.zip?experiment={odd}"),
        *(f"{api}/runs-export?q={odd}&format=csv", f"{api}/events?cursor={odd}"),
        *(
            f"{api}/runs/{run.uid}/find?find={odd}",
            f"{api}/runs/{run.uid}/log-lines?path={odd}",
        ),
        *(f"{A}runs/get?run_id={odd}", f"{A}experiments/get-by-name?experiment_name={odd}"),
        *(
            f"{A}metrics/get-history?run_id={run.uid}&metric_key={odd}",
            f"{A}logged-models/{odd}",
        ),
        *(f"{inside}/{odd}/artifacts/a", f"{inside}/{run.uid}/artifacts/{odd}"),
        *(f"/get-artifact?run_id={odd}&path={odd}", f"/api/3.0/mlflow/workspaces/{odd}"),
        *(f"{A}artifacts/list?run_id={run.uid}&path={odd}", f"/w/lab/runs?q={odd}&after={odd}"),
        *(f"/w/{odd}/runs", f"/w/lab/runs/{odd}", f"{run.page_path}/files/{odd}"),
        *(f"/w/lab{WORK}/{odd}", f"/w/lab{WORK}?after={odd}&all=1", f"/w/lab/views/{odd}"),
        *(f"/w/lab/experiments/{odd}", f"/w/lab/experiments?q={odd}&cursor={odd}"),
        *(f"{run.page_path}/zip?prefix={odd}", f"{run.page_path}/log-lines?path={odd}"),
        *(f"/w/lab/tags?q={odd}&key={odd}", f"/w/lab/compute/{odd}", f"/w/lab/members?q={odd}"),
        *(
            f"/#/experiments/{odd}",
            f"/sign-in?next={odd}",
            f"/sign-in?next=/{odd}",
            f"/welcome/{odd}/{odd}",
        ),
    )


@pytest.mark.data
def test_text_that_no_database_stores_is_no_fault_in_an_address(run: Any, people: Any) -> None:
    client = make.client(people.bob)
    client.raise_request_exception = False
    headers = {
        "Authorization": f"Bearer {make.token(people.bob)}",
        "X-MLFLOW-WORKSPACE": "lab",
    }
    faults = []
    for odd in ODD:
        for address in addresses(odd, run):
            answer = client.get(address, headers=headers)
            if answer.status_code >= 500 and answer.status_code != 501:
                faults.append((answer.status_code, address))

    assert not faults, "\n".join(map(str, faults))
