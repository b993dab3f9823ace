"""Value text to numbers, moments and durations."""

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.search.values import parse_duration_s, parse_moment, parse_number, parse_period

NOW = datetime(2026, 11, 21, 4, 30, 15, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.3", 0.3),
        ("-2", -2.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-4", 1e-4),
        ("1E6", 1e6),
        (" 7 ", 7.0),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_a_number_is_read(text: str, number: float) -> None:
    assert parse_number(text) == number


def test_nan_is_a_number_to_ask_for() -> None:
    assert math.isnan(parse_number("NaN"))


@pytest.mark.parametrize("text", ["", "x", "1,5", "1_000", "0x10", "1e", "--1", "٣", "-nan", "5%"])
def test_what_is_no_number_is_named_with_a_form_that_works(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number\. Write it like 0\.3"):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h30m", 9_000),
        ("1d", 86_400),
        ("1w2d", 777_600),
        ("1.5h", 5_400),
        ("250ms", 0.25),
        ("1m250ms", 60.25),
        ("90", 90),
        ("2H", 7_200),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "-5m", "5x", "30m2h", "5 m", "1h1h", "1:30"])
def test_what_is_no_duration_is_named_with_a_form_that_works(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration\. Write it like 90s"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("now", NOW, NOW),
        ("-7d", NOW - timedelta(days=7), NOW - timedelta(days=7)),
        ("-2h30m", NOW - timedelta(minutes=150), NOW - timedelta(minutes=150)),
        ("today", datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (
            "2026-11-01T10:30",
            datetime(2026, 11, 1, 10, 30, tzinfo=UTC),
            datetime(2026, 11, 1, 10, 31, tzinfo=UTC),
        ),
        (
            "2026-11-01 10:30:05z",
            datetime(2026, 11, 1, 10, 30, 5, tzinfo=UTC),
            datetime(2026, 11, 1, 10, 30, 6, tzinfo=UTC),
        ),
        (
            "2026-11-01T10:30:05.25+02:00",
            datetime(2026, 11, 1, 8, 30, 5, 250_000, tzinfo=UTC),
            datetime(2026, 11, 1, 8, 30, 5, 250_001, tzinfo=UTC),
        ),
    ],
)
def test_a_time_names_a_period(text: str, start: datetime, end: datetime) -> None:
    assert parse_period(text, NOW) == (start, end)
    assert parse_moment(text, NOW) == start


def test_days_begin_where_the_reader_lives() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC).astimezone(BERLIN)
    start, end = parse_period("today", late)
    assert start == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert end - start == timedelta(days=1)
    noon = parse_moment("2026-07-01T12:00", late)
    assert noon == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_a_day_is_an_hour_longer_when_the_clocks_go_back() -> None:
    start, end = parse_period("2026-10-25", NOW.astimezone(BERLIN))
    assert end - start == timedelta(hours=25)


def test_hours_ago_are_real_hours_when_the_clocks_go_back() -> None:
    now = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(BERLIN)
    assert parse_moment("-2h", now) == datetime(2026, 10, 24, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "-", "7d", "soon", "2026", "2026-13-01", "2026-02-30", "10:30", "-99999999d", "20261101"],
)
def test_what_is_no_time_is_named_with_a_form_that_works(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time\. Write it like 2026-11-01"):
        parse_moment(text, NOW)


def test_a_clock_without_a_zone_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="aware"):
        parse_moment("now", NOW.replace(tzinfo=None))


@pytest.mark.parametrize("zone", [UTC, BERLIN, timezone(timedelta(hours=14))])
@pytest.mark.parametrize(
    "text", ["0001-01-01", "9999-12-31", "9999-12", "9999-12-31T23:59:59.999999"]
)
def test_the_ends_of_the_calendar_are_read_or_refused(text: str, zone: timezone) -> None:
    try:
        start, end = parse_period(text, NOW.astimezone(zone))
    except ValueError as error:
        assert "is not a time" in str(error)  # noqa: PT017
    else:
        assert start <= end


ODD = st.text("0123456789-+.:eTZdhmsw infato٣", max_size=30) | st.text(max_size=12)


@given(ODD)
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for read in (parse_number, parse_duration_s, lambda value: parse_moment(value, NOW)):
        try:
            read(text)
        except ValueError as error:
            assert "Write it like" in str(error)  # noqa: PT017
