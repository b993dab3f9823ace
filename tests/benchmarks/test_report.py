"""The figures of the benchmarks: percentiles, targets, tables."""

import pytest

from benchmarks.measure import Sample, percentile, repeat
from benchmarks.report import Group, Row, Target, document, figure, table


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1.0), (50, 10.0), (95, 19.0), (96, 20.0), (100, 20.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    values = [float(n) for n in range(20, 0, -1)]

    assert percentile(values, share) == expected


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 95)


def test_calls_to_warm_up_are_not_measured() -> None:
    calls: list[int] = []

    taken = repeat(lambda: calls.append(1), n=5, warm=3)

    assert (len(calls), taken.n) == (8, 5)
    assert taken.p50 <= taken.p95 == max(taken.times_ms)


def test_a_time_misses_only_when_median_and_cpu_miss() -> None:
    target = Target(14)
    slow_by_others = Row("a", "ms", 10, 40.0, cpu_ms=13.0, target=target)
    slow = Row("b", "ms", 10, 40.0, cpu_ms=39.0, target=target)
    without_cpu = Row("c", "ms", 10, 40.0, target=target)

    assert [row.is_met for row in (slow_by_others, slow, without_cpu)] == [True, False, False]


def test_a_rate_is_not_excused_by_the_cpu_of_a_call() -> None:
    row = Row("calls", "calls/s", 10, 480.0, cpu_ms=2.0, target=Target(500, is_least=True))

    assert row.is_met is False


def test_a_rate_is_met_from_the_target_on() -> None:
    target = Target(500, is_least=True)

    assert [target.is_met_by(rate) for rate in (499.9, 500.0)] == [False, True]


def test_a_figure_without_target_is_neither_met_nor_missed() -> None:
    assert Row("a", "ms", 1, 3.0).is_met is None


def test_the_ratio_is_of_the_limit_of_the_same_run() -> None:
    assert Row("a", "ms", 1, 30.0, limit=1.5).ratio == 20.0
    assert Row("a", "ms", 1, 30.0, limit=0.0).ratio is None
    assert Row("a", "ms", 1, 30.0).ratio is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(None, "–"), (0.0, "0"), (0.00123, "0.00123"), (0.5, "0.500"), (35.94, "35.9")],
        *[(141.0, "141"), (999.4, "999"), (2041.0, "2,040"), (314_159.0, "314,000")],
    ],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_a_row_of_the_table_says_what_was_measured_beside_its_limit() -> None:
    sample = Sample([10.0, 20.0, 60.0], cpu_ms=12.0, foreign=0.25)
    row = Row.of_sample("default order", sample, limit=2.0, target=Target(14))

    assert table([row]).splitlines()[-1] == (
        "| default order | 3 | 20.0 ms | 60.0 ms | 12.0 ms | 25% | 2.00 ms | 10.0 × | ≤ 14.0 ms "
        "| yes |"
    )


def test_a_miss_stands_out() -> None:
    row = Row("calls", "calls/s", 3, 480.0, target=Target(500, is_least=True))

    assert table([row]).endswith("| ≥ 500 calls/s | **no** |")


def test_the_document_counts_what_was_judged() -> None:
    rows = [Row("a", "ms", 1, 1.0, target=Target(2)), Row("b", "ms", 1, 3.0, target=Target(2))]
    group = Group("Lists", "About lists.", [*rows, Row("c", "ms", 1, 9.0)], ["a note"])

    text = document([group], {"machine": "2 cores"})

    assert "- machine: 2 cores" in text
    assert "1 of 2 targets are met" in text
    assert "## Lists\n\nAbout lists.\n\n| measured |" in text
    assert text.endswith("\n- a note\n")
