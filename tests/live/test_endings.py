"""How runs end: what could not start, what ran too long, what was ended by hand or by a signal."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.conftest import show_log
from tests.live.faults import stored_source
from tests.live.studio import ROOT, Studio, status_of, write_script
from tests.live.test_main_job import log_of, submit
from tests.live.test_trouble import tiny_disk
from tests.waiting import wait_until

__all__ = ["tiny_disk"]

pytestmark = [pytest.mark.live, pytest.mark.faults]

SLEEP = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"
PRINT = "print('ran')\n"


def ready(studio: Studio, folder: Path, text: str = SLEEP, **options: Any) -> Any:
    run = submit(studio, write_script(folder, text), **options)
    status_of(run, "Running")
    wait_until(lambda: "ready" in log_of(run), 20, "the script to begin")
    return run


def why(run: Any) -> str:
    status_of(run, "Failed")
    return str(run.get_details()["error"])


def reason_of(run: Any) -> str:
    return str(run._fetch()["status_reason"])


# ------------------------------------------------------------ could not start
def test_a_missing_interpreter_is_named(shared_studio: Studio, tmp_path: Path) -> None:
    run = submit(shared_studio, write_script(tmp_path, PRINT), environment="/no/such/python")
    assert "/no/such/python" in why(run)


def test_a_missing_source_file_is_told(shared_studio: Studio, tmp_path: Path) -> None:
    folder = write_script(tmp_path / "src", f"# {tmp_path}")
    status_of(submit(shared_studio, folder), "Completed")
    stored_source(shared_studio, f"# {tmp_path}").unlink()
    assert "is gone" in why(submit(shared_studio, folder))


def test_a_damaged_source_file_is_told(shared_studio: Studio, tmp_path: Path) -> None:
    folder = write_script(tmp_path / "src", f"# {tmp_path}")
    status_of(submit(shared_studio, folder), "Completed")
    stored_source(shared_studio, f"# {tmp_path}").write_text("other bytes")
    assert "train.py: stored bytes differ" in why(submit(shared_studio, folder))


def test_a_full_disk_for_the_source_is_told_and_leaves_nothing(
    tmp_path: Path, tiny_disk: Path
) -> None:
    studio = Studio(tmp_path / "studio", STUDIO_RUNS_DIR=str(tiny_disk)).start()
    try:
        folder = write_script(tmp_path / "src", PRINT)
        (folder / "large.bin").write_bytes(b"x" * 3_000_000)
        assert "No space left" in why(submit(studio, folder))
        wait_until(lambda: list(tiny_disk.iterdir()) == [], 10, "the half-made folder to go")
        (folder / "large.bin").unlink()
        assert status_of(submit(studio, folder), "Completed") == "Completed"
    finally:
        studio.stop()
        show_log(studio)


def test_a_working_folder_that_cannot_be_made_is_told(
    shared_studio: Studio, tmp_path: Path
) -> None:
    folder = write_script(tmp_path / "src", PRINT)
    status_of(submit(shared_studio, folder), "Completed")
    runs = shared_studio.folder / "home" / "runs"
    runs.rename(runs.with_name("runs-away"))
    runs.write_text("a file is in the way")
    try:
        text = why(submit(shared_studio, folder))
    finally:
        runs.unlink()
        runs.with_name("runs-away").rename(runs)
    assert "could not be started" in text
    assert "runs" in text


# ------------------------------------------------------------ ended from outside
def test_a_run_over_its_time_is_canceled_by_the_studio_and_says_so(
    shared_studio: Studio, tmp_path: Path
) -> None:
    run = ready(shared_studio, tmp_path, max_run_duration_seconds=1)
    assert status_of(run, "Canceled") == "Canceled"
    assert "longest run time, 1 s" in reason_of(run)
    asked = [e for e in run.history() if e["after"] == "CancelRequested"]
    assert [e["actor"] for e in asked] == ["studio (time limit)"]
    assert run.get_details()["evidence"]["ended_by"] == {"kind": "system", "name": "time limit"}
    assert shared_studio.processes_of(run.id) == []


def test_marking_a_running_run_as_failed_stops_it_and_keeps_its_outputs(
    shared_studio: Studio, tmp_path: Path
) -> None:
    run = ready(shared_studio, tmp_path, "open('outputs/m', 'w').write('w')\n" + SLEEP)
    run._client.post(f"/runs/{run.id}/fail", {"reason": "wrong data"})
    assert run.get_status() == "Failed"
    wait_until(lambda: shared_studio.processes_of(run.id) == [], 15, "its process to end")
    wait_until(lambda: "outputs/m" in run.get_file_names(), 15, "its outputs")
    assert reason_of(run) == "wrong data"


def test_kill_needs_no_cancel_before_it(shared_studio: Studio, tmp_path: Path) -> None:
    deaf = (
        "import signal\nfor s in (signal.SIGINT, signal.SIGTERM):"
        " signal.signal(s, signal.SIG_IGN)\n" + SLEEP
    )
    run = ready(shared_studio, tmp_path, deaf)
    run._client.post(f"/runs/{run.id}/kill", {})
    assert status_of(run, "Canceled", timeout_s=5) == "Canceled"
    record = run._fetch()
    assert record["exit_signal"] == 9
    assert "Killed at once" in record["status_reason"]
    assert [e["after"] for e in run.history() if e["kind"] == "cancel_step"] == ["killing"]
    assert shared_studio.processes_of(run.id) == []


def test_children_a_script_did_not_finish_end_with_it(
    shared_studio: Studio, tmp_path: Path
) -> None:
    text = (
        "import os\n"
        "from studio.sdk import Run\n"
        "run = Run.get_context()\n"
        "child = run.child_run()\n"
        "print('ready', flush=True)\n"
        "run.flush()\n"
        "os._exit(0)\n"
    )
    run = submit(shared_studio, write_script(tmp_path, text))
    assert status_of(run, "Completed") == "Completed"
    assert [child.get_status() for child in run.get_children()] == ["Failed"]


# ------------------------------------------------------------ the evidence is right
@pytest.mark.parametrize(
    ("text", "words", "code", "number", "by"),
    [
        ("raise SystemExit(7)", "exit code 7", 7, None, None),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV", None, 11, "script"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL", None, 9, "outside"),
    ],
)
def test_the_exit_is_told_as_it_was(
    shared_studio: Studio, tmp_path: Path, text: str, words: str, code: int, number: int, by: str
) -> None:
    run = submit(shared_studio, write_script(tmp_path, text))
    why(run)
    record = run._fetch()
    assert words in record["status_reason"]
    assert (record["exit_code"], record["exit_signal"]) == (code, number)
    known = record["evidence"]
    assert (known and known["ended_by"]["kind"]) == by
    assert known is None or known["worker"]["target"] == "local"


CATCHES = (
    "import time\n"
    "try:\n"
    "    print('ready', flush=True)\n"
    "    time.sleep(600)\n"
    "except KeyboardInterrupt:\n"
    "    print('checkpoint saved')\n"
)


def test_an_interrupted_script_that_exits_with_0_is_canceled_when_asked(
    shared_studio: Studio, tmp_path: Path
) -> None:
    run = ready(shared_studio, tmp_path, CATCHES)
    run.cancel()
    assert status_of(run, "Canceled") == "Canceled"
    assert "checkpoint saved" in log_of(run)


def test_an_interrupted_script_that_exits_with_0_is_failed_when_nobody_asked(
    shared_studio: Studio, tmp_path: Path
) -> None:
    run = ready(shared_studio, tmp_path, CATCHES)
    (guard,) = [p for p in shared_studio.marked() if is_guard(p)]
    guard.terminate()
    assert "from outside" in why(run)


def is_guard(process: psutil.Process) -> bool:
    return any("guard.py" in word for word in process.cmdline())


def test_a_script_that_writes_its_own_main_log_still_ends(
    shared_studio: Studio, tmp_path: Path
) -> None:
    text = (
        "from studio.sdk import Run\n"
        "run = Run.get_context()\n"
        "open('mine.txt', 'w').write('mine')\n"
        "try:\n"
        "    run.upload_file('logs/output.txt', 'mine.txt')\n"
        "except Exception as refused:\n"
        "    print('refused', refused)\n"
        "print('x' * 100_000)\n"
    )
    run = submit(shared_studio, write_script(tmp_path, text))
    assert status_of(run, "Completed") == "Completed"


LEDGER = """
import sys
from studio.sdk import Run
run = Run.get_context()
for i in range(1_000_000):
    run.log("value", float(i), step=i)
    if i % 200 == 199 and run.flush():
        with open(sys.argv[1], "w") as ledger:
            ledger.write(str(i + 1))
"""


def test_what_was_acknowledged_before_the_worker_was_killed_is_stored_once(
    own_studio: Studio, tmp_path: Path
) -> None:
    ledger: Path = tmp_path / "acknowledged"
    run = submit(own_studio, write_script(tmp_path / "src", LEDGER), arguments=[str(ledger)])
    wait_until(lambda: ledger.exists() and int(ledger.read_text() or 0) >= 1000, 40, "1000 points")
    own_studio.child("worker").kill()
    assert status_of(run, "Failed", timeout_s=60) == "Failed"
    assert own_studio.processes_of(run.id) == []
    values = run.get_metrics()["value"]
    assert len(values) >= int(ledger.read_text())
    assert values == [float(i) for i in range(len(values))]


def test_a_second_worker_of_the_same_name_is_refused_with_words(shared_studio: Studio) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "worker"],
        cwd=shared_studio.folder,
        env=shared_studio.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "already runs" in done.stderr
    assert "--node" in done.stderr
