"""The pictures of the committed results are those of its tables."""

from benchmarks.pictures import PLACE, figures, pictures
from benchmarks.report import Group, Row, Target, section


def test_the_committed_pictures_show_the_committed_results() -> None:
    committed = {path.name: path.read_text() for path in PLACE.glob("*.svg")}

    assert committed == pictures(), "draw them again: python -m benchmarks.pictures"
    assert "run-list-sqlite.svg" in committed


def test_a_table_is_read_as_it_was_written() -> None:
    rows = [
        Row("pages, 10,000, SQLite", "ms", 60, 12.34, 15.0, target=Target(10.0)),
        Row("calls", "calls/s", 1_200, 1_234.0, target=Target(500.0, is_least=True)),
        Row("bare", "ms", 60, 0.5),
    ]
    found = list(figures(section(Group("Run list", "What.", rows, ["a | note"]))))

    assert [(one.name, one.value, one.unit) for one in found] == [
        ("pages, 10,000, SQLite", 12.3, "ms"),
        ("calls", 1_230.0, "calls/s"),
        ("bare", 0.5, "ms"),
    ]
    assert [one.is_met for one in found] == [False, True, False]
    assert [round(one.share, 2) for one in found[:2]] == [1.23, 0.41]
    assert found[2].bound is None
