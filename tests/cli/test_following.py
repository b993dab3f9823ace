"""A log on a terminal colours its words and does nothing else."""

import pytest

from studio.cli.following import harmless


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
