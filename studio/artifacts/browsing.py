"""A source as people look through it: its folders, what to open first, what to hold it against."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from studio.artifacts.models import Snapshot
from studio.runs.models import Run

MAX_TEXT_BYTES = 1_000_000
# What lies deeper has the rest of its path as its name: a page nests only so far.
MAX_DEPTH = 16
# How far to look for runs with another source; most often the first has one.
LOOKED_THROUGH = 100
MAX_OTHERS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file. name: what its folder calls it."""

    name: str
    path: str
    n_bytes: int
    is_program: bool


@dataclass(slots=True)
class Folder:
    """What is directly in it; n_files and n_bytes count all below it."""

    name: str
    path: str
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[Entry] = field(default_factory=list)
    n_files: int = 0
    n_bytes: int = 0


def tree_of(snapshot: Snapshot, *, most: int) -> Folder:
    """The root folder with the first `most` files of the snapshot, by path; its counts are of
    all of them."""
    root = Folder("", "", n_files=len(snapshot.files), n_bytes=snapshot.n_bytes)
    for file in snapshot.files[:most]:
        add_file(root, file["path"], file["size"], is_program=file["executable"])
    return root


def add_file(root: Folder, path: str, n_bytes: int, *, is_program: bool = False) -> None:
    """Put a file into its folders, which are made and count it; `root` itself does not."""
    *folders, name = path.split("/", MAX_DEPTH)
    holder = root
    for part in folders:
        holder = _inside(holder, part)
        holder.n_files, holder.n_bytes = holder.n_files + 1, holder.n_bytes + n_bytes
    holder.files.append(Entry(name, path, n_bytes, is_program))


def _inside(holder: Folder, name: str) -> Folder:
    path = f"{holder.path}/{name}" if holder.path else name
    return holder.folders.setdefault(name, Folder(name, path))


def folders_above(path: str) -> set[str]:
    """The paths of the folders of the tree in which the file is."""
    parts = path.split("/", MAX_DEPTH)[:-1]
    return {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}


def size_of_file(snapshot: Snapshot, path: str) -> int | None:
    """The bytes of one file, None when the snapshot has no such path."""
    return next((file["size"] for file in snapshot.files if file["path"] == path), None)


def first_path(snapshot: Snapshot, script: str) -> str:
    """The file to open when none is asked for: the script that was run, a read-me, else the first
    file; "" when there is none."""
    paths = [file["path"] for file in snapshot.files]
    if script in paths:
        return script
    read_me = (path for path in paths if path.lower() in {"readme.md", "readme.txt", "readme"})
    return next(read_me, paths[0] if paths else "")


def with_other_source(run: Run) -> list[Run]:
    """Runs of the experiment that were submitted with another source, at most five with as many
    sources: first those before `run`, the nearest first, then those after it (2 queries)."""
    near = Run.objects.of(run.workspace).filter(experiment=run.experiment)
    near = near.only("uid", "number", "display_name", "snapshot", "created_at", "workspace_id")
    before = near.before(run).newest()[:LOOKED_THROUGH]
    after = near.after(run).order_by("created_at", "id")[:LOOKED_THROUGH]
    return _one_for_each([*before, *after], {run.snapshot, ""})


def _one_for_each(runs: Iterable[Run], seen: set[str]) -> list[Run]:
    found = []
    for run in runs:
        if run.snapshot not in seen:
            seen.add(run.snapshot)
            found.append(run)
    return found[:MAX_OTHERS]
