"""Values as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from studio.web.formats import ago

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = 86_400, 3_600, 60


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30 * DAY - 1, "in 30 d"),
        (29 * DAY + 11 * HOUR, "in 29 d"),
        (DAY - 10, "in 1 d"),
        (23 * HOUR + 20 * MINUTE, "in 23 h"),
        (2 * HOUR + 1, "in 2 h"),
        (HOUR - 20, "in 1 h"),
        (59.6, "in 1 m"),
        (6.2, "in 6 s"),
        (4, "now"),
        (-59.9, "59 s ago"),
        (-2 * DAY + 1, "1 d ago"),
    ],
)
def test_what_is_to_come_is_rounded_and_what_is_gone_is_counted_whole(
    seconds: float, words: str
) -> None:
    assert ago(NOW + timedelta(seconds=seconds), NOW) == words
