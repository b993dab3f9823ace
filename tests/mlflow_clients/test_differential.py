"""The same requests to `mlflow server` and to the studio: equal answers, but for a list."""

from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.live.studio import Studio, free_port
from tests.mlflow_clients.client import MlflowClient
from tests.mlflow_clients.differences import DIFFERENCES, matches
from tests.waiting import wait_until

pytestmark = pytest.mark.live


def test_the_studio_answers_as_mlflow_server_does(
    today: MlflowClient, shared_studio: Studio, tmp_path: Path
) -> None:
    port = free_port()
    server = today.start("reference", folder=str(tmp_path / "reference"), port=port)
    http = urllib3.PoolManager(retries=False)

    def is_up() -> bool:
        try:
            return http.request("GET", f"http://127.0.0.1:{port}/health").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    wait_until(is_up, 120, "mlflow server", every_s=0.1)
    asked = today.start("differential", shared_studio, experiment="mlflow differential")
    reference = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    theirs = today.run("differential", reference, experiment="mlflow differential")
    ours = today.wait(asked, 240)
    assert len(theirs) > 500, today.output(server)
    check(theirs, ours)


def said(entry: dict[str, Any]) -> tuple[int, Any]:
    """What was answered; what was asked has numbers that each server gives as it likes."""
    return entry["status"], entry["answer"]


def check(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert list(theirs) == list(ours)
    different = {name for name in theirs if said(theirs[name]) != said(ours[name])}
    listed = {name for name in different if any(known.covers(name) for known in DIFFERENCES)}
    told = [f"{n}\n  {theirs[n]}\n  {ours[n]}" for n in theirs if n in different - listed]
    assert not told, f"{len(told)} answers differ:\n" + "\n".join(told)
    for known in DIFFERENCES:
        for pattern in known.operations:
            assert any(matches(n, pattern) for n in different), f"no difference: {pattern}"
