"""Growing logs: append by offset, read windows."""

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from studio.accounts.permissions import Actor, NotAllowed
from studio.artifacts import logs
from studio.artifacts.actions import TooLarge, find_artifact, put_artifact
from studio.artifacts.logs import append_log, close_log, read_window
from studio.artifacts.models import MAIN_LOG
from studio.blobs import LogGap, StorageFull
from studio.runs.limits import Invalid
from tests import make
from tests.artifacts.conftest import at_once, until_stored

pytestmark = pytest.mark.data
ANY_BYTES = (
    b"caf\xc3\xa9\r\n\xff\xfe\0\x1b[31mred\x1b[3" + bytes(range(256)) * 40 + b"\n\n\r50%\r100%"
)


@pytest.fixture
def bob(people: Any) -> Actor:
    return make.actor(people.bob)


def content(run: Any, path: str = MAIN_LOG) -> bytes:
    artifact = find_artifact(run, path)
    assert artifact is not None
    return read_window(artifact, 0, 10**9).data


def test_the_first_append_makes_a_log_that_grows(run: Any, bob: Actor) -> None:
    assert append_log(run, MAIN_LOG, 0, b"one\n", by=bob) == 4
    assert append_log(run, MAIN_LOG, 4, b"two\n", by=bob) == 8
    log = run.artifacts.get()
    assert (log.is_log, log.is_complete, log.n_bytes) == (True, False, 8)
    assert content(run) == b"one\ntwo\n"


def test_any_bytes_are_kept_in_pieces_of_any_size(run: Any, bob: Actor) -> None:
    sizes, at = random.Random(7), 0
    while at < len(ANY_BYTES):
        piece = ANY_BYTES[at : at + sizes.randint(1, 900)]
        at = append_log(run, MAIN_LOG, at, piece, by=bob)
    assert content(run) == ANY_BYTES


def test_repeated_and_overlapping_appends_change_nothing(run: Any, bob: Actor) -> None:
    """A sender that lost every other answer: it starts again from an older offset each time."""
    sent = 0
    for at in range(0, len(ANY_BYTES), 1_000):
        begin = max(0, at - 1_700)
        sent = append_log(run, MAIN_LOG, begin, ANY_BYTES[begin : at + 1_000], by=bob)
        assert append_log(run, MAIN_LOG, begin, ANY_BYTES[begin : at + 1_000], by=bob) == sent
    assert content(run) == ANY_BYTES
    assert run.artifacts.get().n_bytes == len(ANY_BYTES)


def test_a_gap_is_refused_and_says_where_to_go_on(run: Any, bob: Actor) -> None:
    append_log(run, MAIN_LOG, 0, b"abc", by=bob)
    with pytest.raises(LogGap) as gap:
        append_log(run, MAIN_LOG, 5, b"x", by=bob)
    assert gap.value.size_bytes == 3
    with pytest.raises(LogGap) as gap:
        append_log(run, "logs/other.txt", 5, b"x", by=bob)
    assert gap.value.size_bytes == 0


def test_concurrent_appenders_of_one_stream_store_it_once(
    transactional_db: None, run: Any, bob: Actor
) -> None:
    """A script, and a worker that took over from a lost one, send the same file."""
    data = os.urandom(200_000)

    def send(piece_bytes: int) -> None:
        at = 0
        while at < len(data):
            piece = data[at : at + piece_bytes]
            at = until_stored(partial(append_log, run, MAIN_LOG, at, piece, by=bob))

    at_once([partial(send, size) for size in (7_001, 9_973, 20_011)])
    assert content(run) == data
    assert run.artifacts.get().n_bytes == len(data)


def test_closing_says_that_it_is_complete_and_what_is_missing(run: Any, bob: Actor) -> None:
    append_log(run, MAIN_LOG, 0, b"abc", by=bob)
    close_log(run, MAIN_LOG, damage="12 KB lost: the disk was full")
    log = run.artifacts.get()
    assert (log.is_complete, log.damage) == (True, "12 KB lost: the disk was full")


def test_late_bytes_of_a_closed_log_are_kept(run: Any, bob: Actor) -> None:
    append_log(run, MAIN_LOG, 0, b"abc", by=bob)
    close_log(run, MAIN_LOG)
    assert append_log(run, MAIN_LOG, 3, b"def", by=bob) == 6
    assert content(run) == b"abcdef"


def test_closing_a_log_that_never_began_makes_one_only_to_tell_of_damage(run: Any) -> None:
    close_log(run, MAIN_LOG)
    assert not run.artifacts.exists()
    close_log(run, MAIN_LOG, damage="all of it was lost")
    assert run.artifacts.get().damage == "all of it was lost"


def test_a_full_disk_keeps_what_was_stored_and_goes_on_after_space_is_back(
    full_disk: Path, run: Any, bob: Actor, settings: Any
) -> None:
    piece, size = b"0123456789abcde\n" * 1_000, 0
    while size < 200_000:
        size = append_log(run, MAIN_LOG, size, piece, by=bob)
    with pytest.raises(StorageFull) as full:
        append_log(run, MAIN_LOG, size, piece * 10, by=bob)
    assert full.value.size_bytes == size == run.artifacts.get().n_bytes
    assert content(run) == (piece * 100)[:size]
    assert append_log(run, MAIN_LOG, size, b"", by=bob) == size


def test_bounds_are_checked(run: Any, bob: Actor, settings: Any) -> None:
    settings.MAX_ARTIFACT_BYTES = 10
    with pytest.raises(Invalid):
        append_log(run, MAIN_LOG, -1, b"x", by=bob)
    with pytest.raises(TooLarge):
        append_log(run, MAIN_LOG, 8, b"xyz", by=bob)
    assert not run.artifacts.exists()


def test_a_file_stored_whole_takes_no_appends(run: Any, bob: Actor) -> None:
    import io

    put_artifact(run, "outputs/a.txt", io.BytesIO(b"abc"), by=bob)
    with pytest.raises(Invalid):
        append_log(run, "outputs/a.txt", 3, b"def", by=bob)
    assert content(run, "outputs/a.txt") == b"abc"


def test_a_reader_and_an_outsider_may_not_append(run: Any, people: Any) -> None:
    for who in (people.carol, people.dave):
        with pytest.raises(NotAllowed):
            append_log(run, MAIN_LOG, 0, b"x", by=make.actor(who))
    assert not run.artifacts.exists()


def test_windows_are_cut_at_the_end_and_at_line_starts(run: Any, bob: Actor) -> None:
    append_log(run, MAIN_LOG, 0, b"first\nsecond\nthird", by=bob)
    log = run.artifacts.get()
    assert read_window(log, 6, 12).data == b"second"
    assert read_window(log, 13, 10**12).data == b"third"
    assert read_window(log, 50, 60).data == b""
    assert read_window(log, -5, 3).data == b"fir"
    assert logs.tail(log, 9).data == b"third"


def test_one_endless_line_is_shown_by_its_end(run: Any, bob: Actor) -> None:
    append_log(run, MAIN_LOG, 0, b"x" * 100 + b"\n", by=bob)
    assert logs.tail(run.artifacts.get(), 10).data == b"x" * 9 + b"\n"
