"""Lines by number: what the index says equals what splitting the whole file says."""

import random
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts import line_index, log_lines, log_times
from studio.artifacts.actions import find_artifact, put_artifact_file
from studio.artifacts.line_index import BLOCK_BYTES, MARKS, RECORD, Mark, index_key
from studio.artifacts.log_lines import MAX_READ_BYTES, SHOWN_BYTES, RawLine
from studio.artifacts.logs import append_log
from studio.artifacts.models import MAIN_LOG
from studio.artifacts.purging import sweep_orphans
from studio.artifacts.store import store
from studio.blobs import LocalStore
from tests import make

pytestmark = pytest.mark.data
KEY = "logs/one"


def made_up(seed: int) -> bytes:
    """Lines of all lengths around the size of a block, with marks that lie across the blocks."""
    chance = random.Random(seed)
    lines = []
    for _ in range(chance.choice([3, 40, 900])):
        n = chance.choice([0, 1, 7, 80, 81, 2_000, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES])
        word = chance.choice([b"", b"ERROR ", b"Warning: ", b"::group::a", b"x\r", b"\xff\0"])
        at = chance.randint(0, n)
        lines.append(b"." * at + word + b"." * (n - at))
        if sum(map(len, lines)) > 12 * BLOCK_BYTES:
            break
    return b"\n".join(lines) + chance.choice([b"", b"\n"])


@pytest.fixture
def place(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


@pytest.mark.any_database
@pytest.mark.parametrize("seed", range(25))
def test_every_line_is_where_splitting_the_file_finds_it(place: LocalStore, seed: int) -> None:
    data = made_up(seed)
    for at in range(0, len(data), 50_000):
        place.append(KEY, at, data[at : at + 50_000])
        line_index.extend(place, KEY)
    index = line_index.load(place, KEY)
    lines = split(data)

    assert index.n_lines() == len(lines)
    start = 0
    for number, line in enumerate(lines, start=1):
        assert index.offset_of(number) == start
        assert index.line_at(start) == number == index.line_at(start + len(line))
        start += len(line) + 1
    assert index.offset_of(len(lines) + 1) is None
    assert index.offset_of(0) is None
    for mark, texts in MARKS.items():
        marked = [n for n, line in enumerate(lines, 1) if any(text in line for text in texts)]
        onward, back, at, until = [], [], 0, len(lines) + 1
        while (found := log_lines.next_mark(index, mark, after=at)) is not None:
            onward.append(found)
            at = found
        while (found := log_lines.previous_mark(index, mark, before=until)) is not None:
            back.append(found)
            until = found
        assert onward == marked
        assert back == marked[::-1]


def read_all(index: line_index.LineIndex) -> list[RawLine]:
    lines: list[RawLine] = []
    while found := log_lines.read_lines(index, len(lines) + 1, 300):
        lines += found
    return lines


@pytest.mark.any_database
@pytest.mark.parametrize("seed", range(12))
def test_lines_are_read_whole_or_cut_with_what_is_hidden_counted(
    place: LocalStore, seed: int
) -> None:
    data = made_up(seed)
    place.append(KEY, 0, data)
    found = read_all(line_index.load(place, KEY))
    lines = split(data)

    assert [line.number for line in found] == list(range(1, len(lines) + 1))
    for line, wanted in zip(found, lines, strict=True):
        assert data[line.start : line.end] == wanted
        assert len(line.data) + line.n_hidden == len(wanted)
        assert line.data == wanted if len(wanted) <= SHOWN_BYTES else line.data in wanted
    assert [line.is_open for line in found].count(True) == int(bool(data) and data[-1:] != b"\n")


def test_of_a_long_progress_bar_the_last_state_is_shown(place: LocalStore) -> None:
    bar = b"\r".join(b"%d%% of it" % n for n in range(60_000))
    place.append(KEY, 0, b"begin\n" + bar + b"\nend\n")
    index = line_index.load(place, KEY)

    lines = log_lines.read_lines(index, 1, 10)
    assert [line.data.removeprefix(b"\r") for line in lines] == [b"begin", b"59999% of it", b"end"]
    assert lines[1].n_hidden > len(bar) - 100


def test_endless_lines_are_passed_by_without_being_read(place: LocalStore) -> None:
    line = b"z" * (8 * MAX_READ_BYTES)
    place.append(KEY, 0, line + b"\nshort\n" + line)
    found = log_lines.read_lines(line_index.load(place, KEY), 1, 10)

    assert [(line.number, len(line.data) + line.n_hidden) for line in found] == [
        (1, len(line)),
        (2, 5),
        (3, len(line)),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_last_line_is_the_one_that_splitting_the_file_finds(
    place: LocalStore, seed: int
) -> None:
    data = made_up(seed) + b"ValueError: NaN\nbye\n \n\n"
    place.append(KEY, 0, data)
    index = line_index.load(place, KEY)
    n = len(split(data))

    assert log_lines.last_line(index) == n - 2
    assert log_lines.last_line(index, ["", "NaN"]) == n - 3
    assert log_lines.last_line(index, ["nothing", "ValueError: NaN "]) == n - 3
    assert log_lines.last_line(index, ["nothing"]) == n - 2


def test_an_open_or_empty_or_huge_end_has_a_last_line_too(place: LocalStore) -> None:
    place.append(KEY, 0, b"one\nopen")
    assert log_lines.last_line(line_index.load(place, KEY)) == 2
    place.append("blank", 0, b"\n\n")
    assert log_lines.last_line(line_index.load(place, "blank")) == 2
    place.append("long", 0, b"a\n" + b"z" * (log_lines.END_BYTES + 9) + b"\nlast\n")
    assert log_lines.last_line(line_index.load(place, "long"), ["zz"]) == 2
    assert log_lines.last_line(line_index.load(place, "none")) is None


def test_a_torn_or_missing_or_short_index_is_made_good(place: LocalStore) -> None:
    data = made_up(3) * 4
    place.append(KEY, 0, data)
    line_index.extend(place, KEY)
    with place.open(index_key(KEY)) as file:
        whole = file.read()
    path = place.root / index_key(KEY)
    for kept in (0, RECORD.itemsize - 1, 3 * RECORD.itemsize + 5, len(whole)):
        path.write_bytes(whole[:kept])
        line_index.extend(place, KEY)
        assert path.read_bytes()[: len(whole)] == whole


def test_a_file_behind_is_indexed_a_part_at_a_time(place: LocalStore) -> None:
    data = b"one line of it\n" * 50_000
    place.append(KEY, 0, data)
    seen = []
    while (index := line_index.load(place, KEY, limit_bytes=3 * BLOCK_BYTES)).is_behind:
        seen.append(index.covered // BLOCK_BYTES)
        assert index.offset_of(50_000) is None
        assert log_lines.read_lines(index, index.n_lines() + 2, 5) == []
    assert seen == [3, 6, 9]
    assert index.n_lines() == 50_000


def test_nothing_has_no_lines(place: LocalStore) -> None:
    index = line_index.load(place, KEY)
    assert (index.n_lines(), index.offset_of(1), log_lines.read_lines(index, 1, 5)) == (0, None, [])
    assert log_lines.next_mark(index, Mark.ERROR, after=0) is None
    assert log_lines.previous_mark(index, Mark.ERROR, before=9) is None
    assert log_times.load_times(place, KEY).at_offset(0) is None


def test_a_log_tells_when_its_bytes_arrived(place: LocalStore) -> None:
    for size, at_ms in (
        (10, 5_000),
        (15, 5_400),
        (20, 7_000),
        (20, 9_000),
        (30, 9_500),
        (40, 8_000),
    ):
        log_times.note(place, KEY, size=size, at_ms=at_ms)
    times = log_times.load_times(place, KEY)

    assert [times.at_offset(at) for at in (0, 9, 10, 19, 20, 30)] == [
        *(5_000, 5_000, 7_000, 7_000),
        *(9_500, 9_500),
    ]
    assert [times.offset_at(at) for at in (0, 5_000, 5_001, 9_000, 9_501)] == [0, 0, 10, 20, 30]


def test_appending_keeps_index_and_times_and_they_go_with_the_log(
    run: Any, people: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    bob = make.actor(people.bob)
    data = b"a line\n" * 20_000
    append_log(run, MAIN_LOG, 0, data, by=bob)
    log = find_artifact(run, MAIN_LOG)
    assert log is not None
    keys = set(store().list(log.blob_key))
    assert keys == {log.blob_key, f"{log.blob_key}.lines", f"{log.blob_key}.times"}
    assert line_index.n_records(store(), log.blob_key) == len(data) // BLOCK_BYTES

    assert sweep_orphans(older_than_s=-1) == 0
    assert set(store().list(log.blob_key)) == keys
    run.artifacts.update(is_complete=True)
    (tmp_path / "new.txt").write_bytes(b"other\n")
    with django_capture_on_commit_callbacks(execute=True):
        put_artifact_file(run, MAIN_LOG, tmp_path / "new.txt", by=bob)
    assert not keys & set(store().list("runs/"))


def test_what_came_just_before_a_pause_does_not_seem_to_come_after_it(place: LocalStore) -> None:
    log_times.note(place, KEY, size=10, at_ms=1_000)
    log_times.note(place, KEY, size=30, at_ms=1_500, size_before=10)
    log_times.note(place, KEY, size=40, at_ms=600_000, size_before=30)
    times = log_times.load_times(place, KEY)

    assert [times.at_offset(at) for at in (5, 20, 35)] == [1_000, 2_000, 600_000]
    assert [times.offset_at(at) for at in (300_000, 600_001)] == [30, 40]


def test_a_block_of_nothing_but_marks_is_read_once(place: LocalStore) -> None:
    place.append(KEY, 0, b"WARN\n" * 13_107 + b"WARN WARN WARN\n" * 10)
    index = line_index.load(place, KEY)

    assert log_lines.marked_lines(index, Mark.WARNING, 0) == list(range(1, 13_108))
    assert log_lines.previous_mark(index, Mark.WARNING, before=99_999) == 13_117
