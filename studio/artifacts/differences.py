"""What changed between two sources: which files, and which lines of a text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import accumulate
from typing import Any

from studio.accounts.models import Workspace
from studio.artifacts.models import Snapshot
from studio.artifacts.snapshots import SnapshotError, opener

MAX_FILE_BYTES = 512 * 1024
MAX_LINES = 4_000
MAX_LINE = 2_000
AROUND = 3
# Looking for the fewest changes may take time without end; after so many steps it is left.
MAX_STEPS = 2_000_000
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that two snapshots do not have alike; bytes are None where there is no such file."""

    path: str
    what: str
    n_bytes_before: int | None
    n_bytes_after: int | None
    is_mode_only: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """sign: "+" new, "-" old, " " in both, "@" where lines that are alike are left out."""

    sign: str
    old_number: int | None
    new_number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class TextDifference:
    """The changed lines with some around them. is_rough: it took too long to find the fewest;
    n_left: lines that were left out for their number."""

    lines: list[Line]
    n_added: int
    n_removed: int
    is_rough: bool = False
    n_left: int = 0


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file, or in words why it can't be shown ("" with a text); a file that is not
    there is an empty text."""

    text: str
    why_not: str = ""


def snapshots_of(workspace: Workspace, ids: Iterable[str]) -> dict[str, Snapshot]:
    """Snapshot id -> snapshot, for those of the workspace (1 query)."""
    found = Snapshot.objects.filter(workspace=workspace, digest__in=set(ids) - {""})
    return {snapshot.digest: snapshot for snapshot in found}


def changed_files(before: Snapshot, after: Snapshot) -> list[FileChange]:
    """What has to be done to the files of one snapshot to get those of the other, by path."""
    old, new = _files(before), _files(after)
    changes = []
    for path in sorted(old.keys() | new.keys()):
        was, now = old.get(path), new.get(path)
        if was is None or now is None:
            what = ADDED if was is None else REMOVED
            changes.append(FileChange(path, what, _size(was), _size(now)))
        elif was["digest"] != now["digest"] or was["executable"] != now["executable"]:
            is_mode_only = was["digest"] == now["digest"]
            changes.append(FileChange(path, CHANGED, _size(was), _size(now), is_mode_only))
    return changes


def _files(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in snapshot.files}


def _size(file: dict[str, Any] | None) -> int | None:
    return None if file is None else file["size"]


def has_file(snapshot: Snapshot | None, path: str) -> bool:
    return snapshot is not None and path in _files(snapshot)


def text_of(snapshot: Snapshot | None, path: str, *, most_bytes: int = MAX_FILE_BYTES) -> FileText:
    """The text of one file of a snapshot; reads at most `most_bytes`."""
    file = _files(snapshot).get(path) if snapshot else None
    if snapshot is None or file is None:
        return FileText("")
    if file["size"] > most_bytes:
        return FileText("", f"larger than {_size_words(most_bytes)}")
    try:
        with opener(snapshot.workspace)(file["digest"]) as stream:
            data = stream.read(most_bytes + 1)
    except SnapshotError:
        return FileText("", "gone from the store")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return FileText("", "binary")
    return FileText("", "binary") if "\0" in text else FileText(text)


def _size_words(n_bytes: int) -> str:
    millions, rest = divmod(n_bytes, 1_000_000)
    return f"{n_bytes >> 10} KiB" if rest else f"{millions} MB"


def difference(
    before: str, after: str, *, most_lines: int = MAX_LINES, most_steps: int = MAX_STEPS
) -> TextDifference:
    """The lines that differ, each with three lines around it, in bounded time."""
    old, new = _lines(before), _lines(after)
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    # What is alike at both ends is far the most, and needs no search.
    first, last = max(0, start - AROUND), max(0, end - AROUND)
    matcher = _Bounded(old[first : len(old) - last], new[first : len(new) - last], most_steps)
    lines: list[Line] = []
    n_all = n_added = n_removed = 0
    for group in matcher.get_grouped_opcodes(AROUND):
        lines.append(_gap(first, group))
        n_all += 1
        for sign, old_at, new_at in _steps(group):
            n_added, n_removed = n_added + (sign == "+"), n_removed + (sign == "-")
            n_all += 1
            # What is left out is counted, not made: it may be a hundred thousand lines.
            if len(lines) < most_lines:
                lines.append(_line(sign, old, new, (old_at + first, new_at + first)))
    lines = lines[:most_lines]
    return TextDifference(lines, n_added, n_removed, matcher.is_rough, n_all - len(lines))


def _lines(text: str) -> list[str]:
    # Only at line feeds, as editors count; other separators belong to their line.
    return text.split("\n") if text else []


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    n = 0
    for one, other in zip(some, others, strict=False):
        if one != other:
            break
        n += 1
    return n


def _gap(first: int, group: list[tuple[str, int, int, int, int]]) -> Line:
    old_from, old_to = group[0][1] + first, group[-1][2] + first
    new_from, new_to = group[0][3] + first, group[-1][4] + first
    spans = (
        f"-{old_from + 1},{old_to - old_from}",
        f"+{new_from + 1},{new_to - new_from}",
    )
    return Line("@", None, None, " ".join(spans))


def _steps(group: list[tuple[str, int, int, int, int]]) -> Iterable[tuple[str, int, int]]:
    for tag, old_from, old_to, new_from, new_to in group:
        if tag == "equal":
            for i in range(old_to - old_from):
                yield " ", old_from + i, new_from + i
            continue
        for i in range(old_from, old_to):
            yield "-", i, new_from
        for i in range(new_from, new_to):
            yield "+", old_to, i


def _line(sign: str, old: Sequence[str], new: Sequence[str], at: tuple[int, int]) -> Line:
    text = new[at[1]] if sign == "+" else old[at[0]]
    if len(text) > MAX_LINE:
        text = text[: MAX_LINE - 1] + "…"
    return Line(
        sign,
        None if sign == "+" else at[0] + 1,
        None if sign == "-" else at[1] + 1,
        # A carriage return would not show, and may be all that changed.
        text.replace("\r", "␍"),
    )


class _Bounded(SequenceMatcher[str]):
    """Gives up looking for lines in common when that took too many steps: the rest has changed."""

    a: Sequence[str]
    b2j: dict[str, list[int]]  # line -> where it is in the new text; not the very common ones

    def __init__(self, old: Sequence[str], new: Sequence[str], most_steps: int) -> None:
        super().__init__(None, old, new)
        # What a look at the lines before each place costs: one step for every twin of a line.
        self.costs = list(accumulate((1 + len(self.b2j.get(line, ())) for line in old), initial=0))
        self.n_left = most_steps
        self.is_rough = False

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        to = len(self.a) if ahi is None else ahi
        self.n_left -= self.costs[to] - self.costs[alo]
        if self.n_left < 0:
            self.is_rough = True
            return Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)
