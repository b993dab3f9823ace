"""A pipeline and a resubmitted run on a running studio, with its real worker."""

from pathlib import Path
from typing import Any

import pytest

from tests.live.studio import Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit

pytestmark = [pytest.mark.live, pytest.mark.tasks]

STEP = """
import sys, time
print("step", sys.argv[1], time.time(), flush=True)
sys.exit(3 if sys.argv[1] == "breaks" else 0)
"""
PIPELINE = """
from studio.sdk import Run, ScriptRunConfig
run = Run.get_context(allow_offline=False)
def step(name, *after):
    config = ScriptRunConfig(".", "step.py", arguments=[name])
    return run.submit_child(config, display_name=name, depends_on=after)
last = step("last", step("second", step("first")))
step("never", step("breaks"), last)
"""


def test_steps_run_in_their_order_and_one_after_a_broken_one_never(
    shared_studio: Studio, tmp_path: Path
) -> None:
    from studio.sdk import Experiment, ScriptRunConfig

    folder = write_script(write_script(tmp_path / "src", STEP, "step.py"), PIPELINE)
    config = ScriptRunConfig(folder, "train.py")
    run = Experiment(shared_studio.workspace, "live").submit(config, type="pipeline")
    assert status_of(run, timeout_s=60) == "Completed", log_of(run)
    steps: dict[str, Any] = {step.display_name: step for step in run.get_children()}
    ended = {name: status_of(step, timeout_s=60) for name, step in steps.items()}

    done = dict.fromkeys(("first", "second", "last"), "Completed")
    assert ended == {**done, "breaks": "Failed", "never": "Canceled"}
    assert (run.type, steps["last"].type) == ("pipeline", "step")
    spans = [steps[name].get_details() for name in ("first", "second", "last")]
    assert spans[0]["endTimeUtc"] <= spans[1]["startTimeUtc"]
    assert spans[1]["endTimeUtc"] <= spans[2]["startTimeUtc"]
    reason = steps["never"].get_detailed_status()["details"]
    assert reason == "Never started: it depends on “breaks”, which is Failed"


def test_a_resubmitted_run_runs_to_its_end_with_its_new_arguments(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(tmp_path / "src", STEP)
    run = submit(shared_studio, folder, arguments=["breaks"])
    assert status_of(run) == "Failed"
    workspace = shared_studio.workspace
    body = {"arguments": ["works now"]}
    made = workspace._client.post(f"/runs/{run.id}/resubmit", body)

    again = workspace.get_run(made["uid"])
    assert status_of(again) == "Completed"
    assert log_of(again).startswith("step works now")
    assert again.get_properties()["resubmitted_from"] == run.id
