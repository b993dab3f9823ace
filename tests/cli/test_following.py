"""A log on a terminal colours its words and does nothing else."""

import json
import sys

import pytest

from studio.cli.failures import Failure, told
from studio.cli.following import end_of, harmless, tell_status
from studio.cli.output import note, show


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("plain\tand\n", "plain\tand\n"),
        ("50%\r100%\n", "50%\r100%\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;Y2xpcA==\x1b\\after", "after"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b[6nask", "ask"),
        ("\x1bcreset", "reset"),
        ("bell\x07 nul\x00 c1\x9b2J", "bell nul c12J"),
        ("cut \x1b", "cut "),
        ("深層学習 ünï", "深層学習 ünï"),
    ],
)
def test_only_colours_reach_a_terminal(log: str, shown: str) -> None:
    assert harmless(log) == shown


def test_a_remark_is_one_line_that_can_not_play_with_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "a\x1b]0;x\x07\n\x9b2Jb"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert tell_status({"status": "Queued", "status_reason": hostile}, "") == "Queued"
    note(hostile)
    end_of({"status": "Completed", "uid": hostile})
    with pytest.raises(Failure) as failed:
        end_of({"status": "Failed", "uid": "r", "status_reason": hostile})
    said = [*capsys.readouterr().err.splitlines(), told(failed.value)[1]]
    assert len(said) == 4
    for line in said:
        line = line.replace("\x1b[2m", "").replace("\x1b[0m", "")
        assert line.isprintable()
        assert "a]0;x 2Jb" in line


def test_json_holds_no_control_character_and_the_same_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"a\x85": "x\x7f\x9b2J\x1b ü"}
    show(value, "json", None)
    text = capsys.readouterr().out
    assert json.loads(text) == value
    assert "\\u009b2J\\u001b ü" in text
    assert not [c for c in text if not c.isprintable() and c != "\n"]
