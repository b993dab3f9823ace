"""What the end of a process says about its run."""

import pytest

from studio.execution.verdict import Ending, judge
from studio.runs.status import Status

TRACEBACK = """before
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    fit(X)
  File "fit.py", line 9, in fit
    raise ValueError("bad shape")
ValueError: bad shape
"""


@pytest.mark.parametrize(
    ("ending", "status", "words"),
    [
        (Ending(exit_code=0), Status.COMPLETED, ""),
        (Ending(exit_code=3), Status.FAILED, "exit code 3"),
        (Ending(exit_signal=9), Status.FAILED, "SIGKILL, perhaps because memory ran out"),
        (Ending(exit_signal=11), Status.FAILED, "SIGSEGV"),
        (Ending(exit_signal=250), Status.FAILED, "signal 250"),
        (Ending(exit_code=0, was_cancelled=True), Status.CANCELED, ""),
        (Ending(exit_signal=9, was_cancelled=True), Status.CANCELED, "SIGKILL"),
        (Ending(lost="The guard was killed"), Status.FAILED, "The guard was killed"),
        (Ending(lost="gone", was_cancelled=True), Status.CANCELED, ""),
        (Ending(exit_code=127, could_not_start="no such file"), Status.FAILED, "no such file"),
        (Ending(no_environment="uv ended"), Status.FAILED, "could not be made: uv ended"),
        (Ending(no_environment="uv ended", was_cancelled=True), Status.CANCELED, ""),
        (Ending(exit_signal=15, timed_out_after_s=60), Status.CANCELED, "60 s"),
        (Ending(exit_signal=15, stopped_by_worker=True), Status.CANCELED, "shut down"),
    ],
)
def test_each_ending_has_its_status_and_words(ending: Ending, status: Status, words: str) -> None:
    verdict = judge(ending)
    assert verdict.status == status
    assert words in verdict.reason
    assert (verdict.error is not None) == (status == Status.FAILED)


def test_the_error_is_the_last_traceback_of_the_log() -> None:
    error = judge(
        Ending(exit_code=1, log_tail="Traceback (most recent call last):\nOld: x\n" + TRACEBACK)
    ).error
    assert error is not None
    assert error["code"] == "ValueError"
    assert error["message"] == "ValueError: bad shape"
    assert error["traceback"].startswith("Traceback")
    assert "Old" not in error["traceback"]


def test_without_a_traceback_the_last_lines_are_kept() -> None:
    error = judge(Ending(exit_code=2, log_tail="usage: train.py\nerror: --lr is missing\n")).error
    assert error is not None
    assert "--lr is missing" in error["traceback"]


def test_an_error_the_script_told_of_is_kept() -> None:
    told = {"code": "MyCode", "message": "why", "traceback": ""}
    assert judge(Ending(exit_code=1, log_tail=TRACEBACK), known_error=told).error == told
