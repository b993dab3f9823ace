"""An MLflow script that knows nothing of the studio, submitted to its worker."""

from pathlib import Path

import pytest

from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.mlflow_clients.client import TODAY
from tests.waiting import wait_until

pytestmark = pytest.mark.live

TRAIN = """\
import sys, time
import mlflow

with mlflow.start_run() as active:
    mlflow.log_param("lr", 0.1)
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_text("read me", "notes.txt")
    print("run", active.info.run_id, flush=True)
    while "wait" in sys.argv:
        time.sleep(0.1)
"""
SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}


def test_a_submitted_script_logs_into_its_own_run_and_stops_when_cancelled(
    shared_studio: Studio, tmp_path: Path
) -> None:
    from studio.sdk import Environment

    folder = write_script(tmp_path / "src", TRAIN)
    python = str(ROOT / TODAY / "bin" / "python")
    chosen = Environment.from_existing_interpreter("mlflow", python)
    chosen.environment_variables.update(SETTINGS)
    run = submit(shared_studio, folder, environment=chosen)
    status_of(run, "Completed", timeout_s=120)
    assert f"run {run.id}" in log_of(run)
    assert run.get_metrics() == {"loss": [1.0, 0.5, 1 / 3]}
    assert run.get_parameters() == {"lr": "0.1"}
    assert [name for name in run.get_file_names() if name.endswith("notes.txt")]
    assert list(run.get_children()) == []

    other = submit(shared_studio, folder, arguments=["wait"], environment=chosen)
    wait_until(lambda: f"run {other.id}" in log_of(other), 120, "the script to log")
    other.cancel()
    status_of(other, "Canceled")
    wait_until(lambda: shared_studio.processes_of(other.id) == [], 10, "its processes to end")
    assert other.get_metrics()["loss"] == [1.0, 0.5, 1 / 3]
