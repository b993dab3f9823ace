"""A cancel request reaches the training: RunCanceled, hooks, statuses."""

from __future__ import annotations

import signal

import pytest

from tests.sdk.conftest import Training
from tests.sdk.fake_server import FakeStudio
from tests.waiting import wait_until

REQUEST = {"by": "ada", "reason": "wrong data", "at": "2026-11-21T04:00:00Z"}


def cancel_when_running(studio: FakeStudio) -> str:
    wait_until(lambda: studio.store.heartbeats)
    uid = str(studio.run()["uid"])
    studio.store.cancel[uid] = REQUEST
    return uid


@pytest.mark.parametrize(
    "training_loop", ["time.sleep(60)", "while True: run.log('x', 1.0); time.sleep(0.01)"]
)
def test_a_cancel_interrupts_the_main_thread_and_the_run_is_canceled(
    studio: FakeStudio, training: Training, training_loop: str
) -> None:
    code = f"""
import time
import studio.sdk.outbox as o
o.BEAT_S = 0.3
with exp.start_logging(snapshot_directory=None) as run:
    @run.on_cancel
    def save():
        print("checkpoint saved", flush=True)
    try:
        {training_loop}
    except Exception:
        print("swallowed")
    """
    process = training.start(code)
    wait_until(lambda: studio.store.runs)
    uid = str(studio.run()["uid"])
    studio.store.cancel[uid] = REQUEST
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "RunCanceled: the run was canceled by ada: wrong data" in errors
    assert out == "checkpoint saved\n"
    assert studio.run()["status"] == "Canceled"


def test_a_training_in_another_thread_hears_of_the_cancel_in_the_main_thread(
    studio: FakeStudio, training: Training
) -> None:
    process = training.start(
        """
        import threading, time
        import studio.sdk.outbox as o
        o.BEAT_S = 0.3
        def begin():
            global run
            run = exp.start_logging(snapshot_directory=None)
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
        try:
            while True:
                time.sleep(0.05)
        except RunCanceled as error:
            print(error.by, error.reason)
            run.cancel(error.reason)
        """
    )
    cancel_when_running(studio)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "ada wrong data\n"), errors
    assert studio.run()["status"] == "Canceled"


def test_ctrl_c_gives_canceled(studio: FakeStudio, training: Training) -> None:
    process = training.start(
        """
        import time
        with exp.start_logging(snapshot_directory=None) as run:
            run.log("x", 1)
            time.sleep(60)
        """
    )
    wait_until(lambda: studio.store.points)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert studio.run()["status"] == "Canceled"


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        ("pass", 0, "Completed"),
        ("sys.exit(0)", 0, "Completed"),
        ("sys.exit()", 0, "Completed"),
        ("sys.exit(3)", 3, "Failed"),
        ("raise ValueError('bad batch')", 1, "Failed"),
    ],
)
def test_how_a_with_block_ends_the_run(
    studio: FakeStudio, training: Training, ending: str, code: int, status: str
) -> None:
    done = training.run(
        f"""
        import sys
        with exp.start_logging(snapshot_directory=None) as run:
            run.log("x", 1)
            {ending}
        """
    )
    record = studio.run()
    assert (done.returncode, record["status"]) == (code, status), done.stderr
    if "ValueError" in ending:
        assert record["error"]["message"] == "User program failed with ValueError: bad batch"
        assert "Traceback" in record["error"]["traceback"]


def test_an_uncaught_exception_fails_a_run_without_a_with_block(
    studio: FakeStudio, training: Training
) -> None:
    done = training.run("run = exp.start_logging(snapshot_directory=None)\nrun.log('x', 1)\n1 / 0")
    assert done.returncode == 1
    assert studio.run()["status"] == "Failed"
    assert "ZeroDivisionError" in studio.run()["error"]["message"]


def test_inside_a_submitted_script_an_interrupt_runs_the_hooks(
    studio: FakeStudio, training: Training
) -> None:
    made = training.run("print(exp.start_logging(snapshot_directory=None, run_id='abc').id)")
    assert made.returncode == 0, made.stderr
    training.environment["STUDIO_RUN_ID"] = "abc"
    process = training.start(
        """
        import time
        run = Run.get_context(allow_offline=False)
        run.on_cancel(lambda: print("saved", flush=True))
        run.log("x", 1)
        run.complete()
        time.sleep(60)
        """
    )
    wait_until(lambda: studio.values("abc", "x"))
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (out, process.returncode) == ("saved\n", 1), errors
    assert "RunCanceled" in errors
    assert studio.run()["status"] == "Running", "the status of a submitted run is the worker's"


def canceled_by_ada(studio: FakeStudio, training: Training, code: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a training that ada cancels as soon as it has begun."""
    process = training.start("import studio.sdk.outbox as o\no.BEAT_S = 0.3\n" + code)
    wait_until(lambda: studio.store.runs)
    studio.store.cancel[str(studio.run()["uid"])] = REQUEST
    out, errors = process.communicate(timeout=30)
    return process.returncode, out, errors


def test_neither_a_failing_nor_an_exiting_hook_keeps_the_run_from_being_canceled(
    studio: FakeStudio, training: Training
) -> None:
    code, out, errors = canceled_by_ada(
        studio,
        training,
        """
import sys, time
with exp.start_logging(snapshot_directory=None) as run:
    run.on_cancel(lambda: print("first registered, last run", flush=True))
    run.on_cancel(lambda: sys.exit(0))
    run.on_cancel(lambda: 1 / 0)
    time.sleep(60)
""",
    )
    assert (code, out) == (1, "first registered, last run\n")
    assert "ZeroDivisionError" in errors
    assert "RunCanceled" in errors
    assert studio.run()["status"] == "Canceled"


def test_a_long_hook_may_log_and_a_swallowed_cancel_is_not_raised_again(
    studio: FakeStudio, training: Training
) -> None:
    code, out, errors = canceled_by_ada(
        studio,
        training,
        """
import time
run = exp.start_logging(snapshot_directory=None)
def slow():
    for i in range(8):
        run.log("saved", i)
        time.sleep(0.1)
run.on_cancel(slow)
try:
    time.sleep(60)
except RunCanceled:
    print("swallowed", flush=True)
time.sleep(1)
run.complete()
print("went on", flush=True)
""",
    )
    assert (code, out) == (0, "swallowed\nwent on\n"), errors
    assert studio.values(str(studio.run()["uid"]), "saved") == [float(i) for i in range(8)]


NOTEBOOK = """
import sys, time, types
user_ns = {"__name__": "__main__", "exp": exp}
sys.modules["IPython"] = types.SimpleNamespace(
    get_ipython=lambda: types.SimpleNamespace(user_ns=user_ns)
)
def kernel(cells):
    for cell in cells:
        try:
            exec(cell, user_ns)
        except BaseException as error:
            print("cell ended by", type(error).__name__, flush=True)
    end = time.monotonic() + 20
    while time.monotonic() < end and not user_ns["run"]._ended():
        time.sleep(0.05)
    print("the kernel lives, the run is", user_ns["run"].status, flush=True)
"""


def test_a_running_cell_of_a_notebook_is_interrupted_and_its_kernel_lives(
    studio: FakeStudio, training: Training
) -> None:
    code, out, errors = canceled_by_ada(
        studio,
        training,
        NOTEBOOK
        + """
kernel(['''
import time
with exp.start_logging(snapshot_directory=None) as run:
    time.sleep(60)
'''])
""",
    )
    words = "cell ended by RunCanceled\nthe kernel lives, the run is Canceled\n"
    assert (code, out) == (0, words), errors


def test_between_two_cells_of_a_notebook_nothing_is_raised_and_the_run_ends(
    studio: FakeStudio, training: Training
) -> None:
    code, out, errors = canceled_by_ada(
        studio,
        training,
        NOTEBOOK
        + """
kernel(['''
run = exp.start_logging(snapshot_directory=None)
run.on_cancel(lambda: print("saved", flush=True))
'''])
""",
    )
    assert (code, out) == (0, "saved\nthe kernel lives, the run is Canceled\n"), errors
    assert studio.run()["status"] == "Canceled"
