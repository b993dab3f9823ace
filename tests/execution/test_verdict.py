"""What the end of a process says about its run."""

import pytest

from studio.execution.ladder import Ladder, what_it_took
from studio.execution.memory import Memory
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


def test_an_end_before_the_script_began_is_its_own_unless_it_was_asked_for() -> None:
    assert Ending(no_environment="uv ended").is_its_own
    assert Ending(could_not_start="no such file").is_its_own
    assert not Ending(no_environment="uv ended", was_cancelled=True).is_its_own
    assert not Ending().is_its_own


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
    completed = judge(Ending(exit_code=0), known_error=told)
    assert (completed.status, completed.error) == (Status.COMPLETED, told)
    assert completed.reason == "The script told of an error, and ended with exit code 0"
    assert judge(Ending(timed_out_after_s=5.0), known_error=told).error == told
    assert judge(Ending(exit_code=0)).reason == ""


INTERRUPT = ("interrupting", 100.0, 0.0)
TERMINATE = ("terminating", 130.0, 30.0)
KILL = ("killing", 130.8, 30.8)


@pytest.mark.parametrize(
    ("ladder", "words"),
    [
        (Ladder(), ""),
        (Ladder((INTERRUPT,), 0.42), "Ended when it was interrupted, within 0.4 s"),
        (Ladder((INTERRUPT,)), "Ended when it was interrupted"),
        (Ladder((INTERRUPT, TERMINATE), 30.1), "Needed SIGTERM after 30 s"),
        (Ladder((INTERRUPT, TERMINATE, KILL), 31), "Needed SIGKILL after 31 s"),
        (Ladder((("killing", 100.0, 0.0),), 0.1, kill_asked=True), "Killed at once, as was"),
        (Ladder((INTERRUPT, ("killing", 104.0, 4.0)), 4.1, True), "Killed after 4.0 s, as was"),
    ],
)
def test_what_a_cancel_took_is_told(ladder: Ladder, words: str) -> None:
    assert what_it_took(ladder).startswith(words)
    ending = Ending(exit_signal=9, was_cancelled=True, ladder=ladder)
    assert judge(ending).reason.startswith(words or "The process was ended by SIGKILL")
    limit = judge(Ending(exit_signal=15, timed_out_after_s=60, ladder=ladder)).reason
    assert limit.lower().endswith(what_it_took(ladder).lower())


NEAR = Memory(killed_at_end=True, n_killed=1, scope="group")
FAR = Memory(killed_at_end=False, n_killed=1, scope="group")
NONE = Memory(killed_at_end=False, n_killed=0, scope="group")
MACHINE = Memory(killed_at_end=True, n_killed=1, scope="machine")


@pytest.mark.parametrize(
    ("memory", "code", "signal", "grade"),
    [
        (NEAR, None, 9, "proven"),
        (FAR, None, 9, "no"),
        (NONE, None, 9, "no"),
        (MACHINE, None, 9, "perhaps"),
        (Memory(), None, 9, "perhaps"),
        (NEAR, None, 11, "perhaps"),
        (NONE, None, 11, ""),
        (FAR, 1, None, "perhaps"),
        (FAR, 0, None, ""),
        (NONE, 1, None, ""),
        (FAR, 137, None, "perhaps"),
        (NONE, 137, None, "no"),
        (Memory(), 137, None, "perhaps"),
        (Memory(), 1, None, ""),
    ],
)
def test_out_of_memory_is_proven_or_not_claimed(
    memory: Memory, code: int | None, signal: int | None, grade: str
) -> None:
    ending = Ending(exit_code=code, exit_signal=signal, memory=memory)
    assert ending.out_of_memory == grade
    cancelled = Ending(exit_code=code, exit_signal=signal, memory=memory, was_cancelled=True)
    assert cancelled.out_of_memory == ""
    assert ("emory" in judge(ending).reason) == (bool(grade) and (code != 137 or grade != "no"))
    error = judge(ending, known_error={"code": "Told", "message": "", "traceback": ""}).error
    assert (error or {}).get("code") == ("OutOfMemory" if grade == "proven" else error and "Told")


@pytest.mark.parametrize(
    ("ending", "is_its_own"),
    [
        (Ending(exit_code=0), True),
        (Ending(exit_code=3), True),
        (Ending(could_not_start="no such file"), True),
        (Ending(exit_code=0, was_cancelled=True), False),
        (Ending(exit_signal=11), False),
        (Ending(lost="gone"), False),
        (Ending(exit_code=1, memory=FAR), False),
        (Ending(exit_code=0, ladder=Ladder((INTERRUPT,))), False),
    ],
)
def test_evidence_is_kept_of_ends_that_were_not_the_scripts_own(
    ending: Ending, is_its_own: bool
) -> None:
    assert ending.is_its_own is is_its_own
