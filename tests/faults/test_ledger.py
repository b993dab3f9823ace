"""The sums can come out wrong: what the ledger must refuse, it refuses."""

from pathlib import Path

import pytest

from tests.faults.ledger import Effects, ends_in, troubles_of

QUEUED = [("", "Queued"), ("Queued", "Starting"), ("Starting", "Running")]


@pytest.mark.parametrize(
    "rest",
    [
        [("Running", "Completed")],
        [("Running", "Completed"), ("Completed", "Failed")],
        [("Running", "CancelRequested"), ("CancelRequested", "Canceled")],
        [("Running", "NotResponding"), ("NotResponding", "Running"), ("Running", "Failed")],
    ],
)
def test_a_history_that_the_status_machine_allows_is_legal(rest: list[tuple[str, str]]) -> None:
    assert troubles_of(QUEUED + rest) == []


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ([], "creation"),
        (QUEUED[1:], "creation"),
        ([*QUEUED, ("Running", "Queued")], "not allowed"),
        ([*QUEUED, ("Running", "Failed"), ("Failed", "Completed")], "not allowed"),
        ([*QUEUED, ("Running", "Canceled"), ("Canceled", "Failed")], "not allowed"),
        ([*QUEUED, ("Starting", "Canceled")], "the run was Running"),
    ],
)
def test_any_other_history_is_told(moves: list[tuple[str, str]], words: str) -> None:
    assert words in str(troubles_of(moves))


def test_a_second_end_is_counted() -> None:
    assert ends_in([*QUEUED, ("Running", "Failed"), ("Failed", "Canceled")]) == [
        "Failed",
        "Canceled",
    ]


def test_starts_are_counted_for_each_run_and_attempt_and_a_torn_line_waits(tmp_path: Path) -> None:
    effects = Effects(tmp_path / "effects")
    effects.path.write_text(
        "start a 1-x 10 \ntick a 1-x 10 0\nstart a 2-y 11 \nstart b 3-z 12 \nstart b 3-z 13 \nsta"
    )
    assert effects.starts() == {"a": 2, "b": 2}
    assert effects.starts_per_attempt() == {"1-x": 1, "2-y": 1, "3-z": 2}
    assert [line.more for line in effects.lines("tick", "a")] == ["0"]
