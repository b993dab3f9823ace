"""Finding in a whole file: what ripgrep says equals what Python says; it ends when it should."""

import os
import random
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from studio.artifacts import finding, hits, ripgrep
from studio.artifacts.finding import Asked, Ending, Progress, find, first_hit, read_cursor
from studio.artifacts.hits import Hit
from studio.artifacts.logs import append_log, find_or_begin
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.artifacts.ripgrep import Pattern, WrongPattern, checked
from studio.artifacts.store import store
from studio.blobs import LocalStore
from studio.runs.limits import Invalid
from tests import make

pytestmark = pytest.mark.django_db


class Piped(LocalStore):
    """A store that has no files to open, such as one of objects."""

    def descriptor(self, key: str) -> int | None:
        return None


@pytest.fixture
def log(experiment: Any) -> Artifact:
    run = make.run(experiment)
    return find_or_begin(run, MAIN_LOG)


@pytest.fixture(params=["files", "piped"])
def written(request: pytest.FixtureRequest, log: Artifact, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes bytes to the log, which a store of files or of objects holds."""

    def write(data: bytes) -> Artifact:
        store().append(log.blob_key, 0, data)
        return log

    if request.param == "piped":
        piped = Piped(store().root)  # type: ignore[attr-defined]
        for module in (finding, hits):
            if hasattr(module, "store"):
                monkeypatch.setattr(module, "store", lambda: piped)
    return write


def answers(log: Artifact, pattern: Pattern, **asked: Any) -> tuple[list[Hit], Ending]:
    said = list(find(log, checked(pattern), Asked(**asked)))
    assert isinstance(said[-1], Ending)
    return [one for one in said if isinstance(one, Hit)], said[-1]


def made_up(seed: int) -> bytes:
    chance = random.Random(seed)
    words = [b"loss", b"LOSS=0.5", b"Error: x", b"\xff\xfe", b"\0", b"a.c", b"abc", b"\r", b"  "]
    words += [
        "größer".encode(),
        "ΑΒΓ".encode(),
        b"\x1b[31mred\x1b[0m",
        b"[x](y)",
        b"-e",
        b"x" * 500,
    ]
    lines = [
        b" ".join(chance.choices(words, k=chance.randint(0, 6)))
        for _ in range(chance.randint(1, 300))
    ]
    ends = chance.choice([b"\n", b"\r\n"])
    return ends.join(lines) + chance.choice([b"", ends])


PATTERNS = [
    (Pattern("loss"), re.compile(b"(?i)loss")),
    (Pattern("loss", match_case=True), re.compile(b"loss")),
    (Pattern("a.c", match_case=True), re.compile(rb"a\.c")),
    (Pattern("a.c", is_regex=True, match_case=True), re.compile(rb"a.c")),
    (Pattern("-e"), re.compile(b"-e")),
    (Pattern("[x](y)"), re.compile(rb"\[x\]\(y\)")),
    (Pattern("GRÖSSER".replace("SS", "ß")), re.compile("größer".encode())),
    (Pattern("αβγ"), re.compile("ΑΒΓ".encode())),
    (Pattern("a\0"), None),
    (Pattern("\0"), re.compile(b"\0")),
    (Pattern("los", whole_word=True), None),
    (Pattern("abc", whole_word=True), re.compile(rb"(?<!\w)abc(?!\w)")),
    (Pattern(r"^\S+$", is_regex=True), re.compile(rb"^[^\s]+\r?$")),
    (Pattern(r"\x1b\[31m", is_regex=True), re.compile(rb"\x1b\[31m")),
    (Pattern(r"(x+x+)+y", is_regex=True, match_case=True), None),
    (Pattern(r"x{400}", is_regex=True), re.compile(b"x{400}")),
]


@pytest.mark.parametrize("seed", range(3))
def test_the_lines_found_are_those_that_python_finds(written: Any, seed: int) -> None:
    data = made_up(seed)
    log = written(data)
    lines = data.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    for pattern, reference in PATTERNS:
        found, ending = answers(log, pattern)
        expected = [n for n, line in enumerate(lines, 1) if reference and reference.search(line)]
        if pattern.text == r"^\S+$":  # Python takes bytes that are no text for characters
            expected = [n for n in expected if b"\xff" not in lines[n - 1]]
        assert [hit.line for hit in found] == expected, pattern
        assert [hit.start for hit in found] == [starts[n - 1] for n in expected]
        assert (ending.n, ending.is_exact, ending.stopped) == (len(expected), True, "")
        for hit in found:
            is_marked = any(is_match for _, is_match in hit.parts)
            assert is_marked or pattern.text.startswith(r"\x1b")  # an escape itself shows nothing
            assert hit.at is not None
            assert starts[hit.line - 1] <= hit.at <= starts[hit.line]


def test_a_hit_is_shown_with_what_matched_and_the_lines_around_it(written: Any) -> None:
    log = written(b"one\ntwo\n\x1b[31mCUDA\x1b[0m out of memory: \xff\r\nthree\n\nfour")

    (hit,), _ = answers(log, Pattern("out of"), context=2)

    assert hit == Hit(
        line=3,
        start=8,
        at=22,
        parts=(("CUDA ", False), ("out of", True), (" memory: �", False)),
        is_cut=False,
        before=((1, "one"), (2, "two")),
        after=((4, "three"), (5, "")),
    )
    first, last = (answers(log, Pattern(text), context=2)[0][0] for text in ("one", "four"))
    assert (first.before, first.after[0]) == ((), (2, "two"))
    assert (last.before, last.after) == (((4, "three"), (5, "")), ())


def test_a_hit_far_inside_a_line_without_end_is_shown_in_a_small_piece(written: Any) -> None:
    log = written(b"a" * 30_000_000 + b" needle " + b"b" * 5_000_000 + b"\nneedle\n")

    found, ending = answers(log, Pattern("needle"))

    assert [(hit.line, hit.at) for hit in found] == [(1, 30_000_001), (2, 35_000_009)]
    assert len("".join(text for text, _ in found[0].parts)) <= 400
    assert ("needle", True) in found[0].parts
    assert found[0].is_cut
    assert ending.n == 2


def test_what_is_left_out_comes_with_the_cursor(written: Any) -> None:
    log = written(b"".join(b"hit %d\nmiss\n" % i for i in range(10_600)))

    found, ending = answers(log, Pattern("hit"), most=4)
    start, line = read_cursor(ending.cursor)
    more, _ = answers(log, Pattern("hit"), most=2, start=start, line=line)

    assert [hit.line for hit in found + more] == [1, 3, 5, 7, 9, 11]
    assert (ending.n, ending.is_exact, ending.stopped) == (10_000, False, "enough")
    assert more[0].parts == (("hit", True), (" 4", False))
    with pytest.raises(Invalid, match="cursor"):
        read_cursor("-1")


def test_a_find_sees_what_was_written_since_and_an_empty_log_has_nothing(log: Any) -> None:
    nothing, ending = answers(log, Pattern("x"))
    assert (nothing, ending.n, ending.size) == ([], 0, 0)

    by = make.actor(make.contributor_of(log.workspace))
    append_log(log.run, MAIN_LOG, 0, b"x 1\n", by=by)
    one, _ = answers(log, Pattern("x"))
    append_log(log.run, MAIN_LOG, 4, b"x 2", by=by)
    two, _ = answers(log, Pattern("x"))

    assert [len(one), len(two)] == [1, 2]
    assert first_hit(log, Pattern("x 2"), limit_s=10)[0] is not None
    assert first_hit(log, Pattern("3"), limit_s=10) == (None, True)


def test_closing_a_find_ends_its_process(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log = written(b"abcdefg hit\n" * 400_000)
    pids = []
    monkeypatch.setattr(ripgrep.Child, "_limit", lambda child: pids.append(child.pid))

    with closing(find(log, Pattern("hit"), Asked())) as said:
        next(said)
        assert is_alive(pids[0])

    assert [is_alive(pid) for pid in pids] == [False] * len(pids)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_find_that_takes_too_long_says_how_far_it_came(written: Any) -> None:
    log = written(b"abcdefg\n" * 50_000)

    found, ending = answers(log, Pattern("z"), limit_s=0.0)

    assert (found, ending.stopped, ending.is_exact) == ([], "time", False)


@pytest.mark.parametrize(
    ("pattern", "message", "position"),
    [
        (Pattern(""), "Write what to find", None),
        (Pattern("x" * 10_000), "10,000 characters; at most 1,000", None),
        (Pattern("a\nb"), "leave out the line break", 1),
        (Pattern("\n"), "leave out the line break", 0),
        (Pattern("\ud800"), "half of a character", None),
        (Pattern("foo(", is_regex=True), "can't be read: unclosed group", None),
        (Pattern("é[z-a]", is_regex=True), "at character 3: invalid character class range", 2),
        (Pattern("a(?=b)", is_regex=True), "at character 2: look-around", 1),
        (Pattern(r"a\nb", is_regex=True), "one by one", None),
        (Pattern(r"\w{900}{900}", is_regex=True), "too large", None),
        (Pattern("x" * 9 + "[a", is_regex=True), "unclosed character class", 9),
        (Pattern("(" * 500, is_regex=True), "can't be read", None),
    ],
)
def test_what_can_not_be_found_is_refused_in_words(
    pattern: Pattern, message: str, position: int | None
) -> None:
    with pytest.raises(WrongPattern, match=re.escape(message)) as caught:
        checked(pattern)

    if len(pattern.text) != 500:  # where nesting becomes too deep is ripgrep's to say
        assert caught.value.position == position


def test_progress_is_told_in_bytes(log: Artifact, tmp_path: Path) -> None:
    store().append(log.blob_key, 0, b"line\n" * 100_000 + b"hit\n")

    told = [one for one in find(log, Pattern("hit"), Asked()) if isinstance(one, Progress)]

    assert told[-1].size == 500_004
    assert 0 < told[-1].n_bytes <= told[-1].size
