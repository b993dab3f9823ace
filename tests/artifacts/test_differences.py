"""What changed between two sources, and between two texts."""

import hashlib
import io
import random
from dataclasses import dataclass
from typing import Any

import pytest

from studio.artifacts import differences, snapshots
from studio.artifacts.differences import Line, difference, text_of
from studio.artifacts.models import SourceBlob
from tests import make


@dataclass(frozen=True)
class File:
    path: str
    digest: str
    size: int
    executable: bool = False


def snapshot(workspace: Any, files: dict[str, bytes], *, programs: tuple[str, ...] = ()) -> Any:
    by, listed = make.actor(make.contributor_of(workspace)), []
    for path, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        snapshots.store_blob(workspace, digest, io.BytesIO(data), by=by)
        listed.append(File(path, digest, len(data), path in programs))
    return snapshots.make_snapshot(workspace, listed, by=by)


def shown(before: str, after: str) -> str:
    return "\n".join(line.sign + line.text for line in difference(before, after).lines)


@pytest.mark.django_db
def test_files_are_added_removed_and_changed(workspace: Any) -> None:
    before = snapshot(workspace, {"a.py": b"1", "b.py": b"2", "c.py": b"3", "run.sh": b"4"})
    after = snapshot(
        workspace,
        {"a.py": b"1", "b.py": b"20", "d.py": b"3", "run.sh": b"4"},
        programs=("run.sh",),
    )

    changes = differences.changed_files(before, after)

    assert [(change.path, change.what, change.is_mode_only) for change in changes] == [
        ("b.py", "changed", False),
        ("c.py", "removed", False),
        ("d.py", "added", False),
        ("run.sh", "changed", True),
    ]
    assert (changes[0].n_bytes_before, changes[0].n_bytes_after) == (1, 2)
    assert differences.changed_files(before, before) == []


@pytest.mark.django_db
def test_a_snapshot_of_another_workspace_is_not_found(workspace: Any, people: Any) -> None:
    other = make.workspace("elsewhere", owner=people.alice, contributor=people.bob)
    digest = snapshot(other, {"a.py": b"1"}).digest

    assert differences.snapshots_of(workspace, [digest, ""]) == {}
    assert set(differences.snapshots_of(other, [digest, ""])) == {digest}


@pytest.mark.django_db
def test_a_text_says_why_it_cannot_be_shown(workspace: Any) -> None:
    files = {
        "text": "grün\n".encode(),
        "latin": "grün".encode("latin-1"),
        "zeros": b"a\0b",
        "large": b"x" * (differences.MAX_FILE_BYTES + 1),
    }
    made = snapshot(workspace, files)

    assert text_of(made, "text").text == "grün\n"
    assert text_of(made, "latin").why_not == "binary"
    assert text_of(made, "zeros").why_not == "binary"
    assert text_of(made, "large").why_not == "larger than 512 KiB"
    assert text_of(made, "none") == differences.FileText("")
    assert text_of(None, "text") == differences.FileText("")


@pytest.mark.django_db
def test_bytes_that_are_gone_are_told(workspace: Any) -> None:
    made = snapshot(workspace, {"a.py": b"1"})
    made.files[0]["digest"] = "0" * 64

    assert text_of(made, "a.py").why_not == "gone from the store"
    assert SourceBlob.objects.count() == 1


def test_changed_lines_have_three_lines_around_them() -> None:
    old = [str(n) for n in range(1, 101)]
    new = [*old[:49], "fifty", *old[50:]]

    found = difference("\n".join(old), "\n".join(new))

    assert [line.sign for line in found.lines] == ["@", *"   -+   "]
    assert found.lines[0].text == "-47,7 +47,7"
    assert found.lines[4:6] == [Line("-", 50, None, "50"), Line("+", None, 50, "fifty")]
    assert found.lines[6] == Line(" ", 51, 51, "51")
    assert (found.n_added, found.n_removed) == (1, 1)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", ""),
        ("a", "a", ""),
        ("", "a\nb", "@-1,0 +1,2\n+a\n+b"),
        ("a", "", "@-1,1 +1,0\n-a"),
        ("a\n", "a", "@-1,2 +1,1\n a\n-"),
        ("a\r\nb", "a\nb", "@-1,2 +1,2\n-a␍\n+a\n b"),
        ("a\x0bb\u2028c", "a", "@-1,1 +1,1\n-a\x0bb\u2028c\n+a"),
    ],
)
def test_lines_end_at_line_feeds_alone(before: str, after: str, expected: str) -> None:
    assert shown(before, after) == expected


def test_the_lines_rebuild_the_new_text_from_the_old() -> None:
    chance = random.Random(7)
    for _ in range(200):
        old, new = ([chance.choice("abcd") for _ in range(chance.randint(1, 30))] for _ in range(2))
        found = difference("\n".join(old), "\n".join(new))

        left = list(old)
        for line in reversed(found.lines):
            if line.sign == "-":
                assert left.pop(line.old_number - 1) == line.text  # type: ignore[operator]
        for line in found.lines:
            if line.sign == "+":
                left.insert(line.new_number - 1, line.text)  # type: ignore[operator]
        assert left == new


def test_texts_made_to_take_long_are_given_up_on() -> None:
    chance = random.Random(7)
    old, new = ("\n".join(str(chance.randint(0, 120)) for _ in range(60_000)) for _ in range(2))
    rough = "\n".join(f"{n % 4_000} {n % 7}" for n in range(200_000))

    assert difference(rough, "\n".join(reversed(rough.split("\n")))).is_rough
    found = difference(old, new)
    assert found.n_left > 0
    assert len(found.lines) == differences.MAX_LINES


def test_a_very_long_line_is_cut() -> None:
    (line,) = (one for one in difference("", "x" * 9_000).lines if one.sign == "+")

    assert len(line.text) == differences.MAX_LINE
