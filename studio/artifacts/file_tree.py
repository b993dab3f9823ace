"""The files of a run as people look through them: in folders, or those a search finds."""

from dataclasses import dataclass, field

from django.db.models import Count, Sum

from studio.artifacts.browsing import Entry, Folder, add_file, folders_above
from studio.artifacts.models import MAIN_LOG, Artifact
from studio.runs.models import Run

# More are counted but not listed: the page says so, and the zip has all.
MAX_FILES = 50_000
MAX_FOUND = 200
MAX_IN_FOLDER = 200
# Opened unless the address says which are.
FIRST_FOLDERS = frozenset({"logs", "outputs"})


@dataclass(frozen=True, slots=True)
class FileTree:
    """root: all folders; found: what a search found, at most 200 of `n_found`; version: another one
    when a file came, went or grew; is_cut: there are more files than can be listed."""

    root: Folder
    first_path: str
    version: str
    found: list[Entry] = field(default_factory=list)
    n_found: int = 0
    is_cut: bool = False


def tree_of_run(run: Run, *, search: str = "") -> FileTree:
    """The tree of the run's files, the logs first (1 query). A file is found when its path has all
    words of `search`, in capitals or not. One more query when there are more than can be listed."""
    listed = Artifact.objects.of(run).order_by("path").values_list("path", "n_bytes", "is_log")
    files = list(listed[: MAX_FILES + 1])
    is_cut = len(files) > MAX_FILES
    files = sorted(files[:MAX_FILES], key=lambda file: (file[0] != MAIN_LOG, not file[2]))
    root = Folder("", "", n_files=len(files), n_bytes=sum(size for _, size, _ in files))
    for path, size, _ in files:
        add_file(root, path, size)
    words = search.lower().split()
    found = [
        Entry(path, path, size, is_program=False)
        for path, size, _ in files
        if words and all(word in path.lower() for word in words)
    ]
    return FileTree(
        root,
        first_path=files[0][0] if files else "",
        version=version_of(run) if is_cut else f"{len(files)}-{root.n_bytes}",
        found=found[:MAX_FOUND],
        n_found=len(found),
        is_cut=is_cut,
    )


def version_of(run: Run) -> str:
    """The version of the tree without reading it (1 query)."""
    found = Artifact.objects.of(run).aggregate(n=Count("pk"), size=Sum("n_bytes"))
    return f"{found['n']}-{int(found['size'] or 0)}"


def open_folders(asked: list[str], path: str) -> set[str]:
    """The paths of the folders to show open: those asked for, else `logs` and `outputs`, and those
    in which the opened file is."""
    return (set(asked) if asked else set(FIRST_FOLDERS)) | folders_above(path)
