"""What lies in one folder of a run's files, as the database counts it."""

from dataclasses import dataclass

from django.db.models import Case, F, IntegerField, Sum, Value, When
from django.db.models.functions import Left, StrIndex, Substr

from studio.artifacts.models import ArtifactQuerySet

MOST_ENTRIES = 50_000


class FolderTooLarge(Exception):
    """More files and folders lie in one folder than one answer tells."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"“{folder[:200]}” holds more than {MOST_ENTRIES:,} files and folders, the most one "
            "answer tells. Ask for a folder below it."
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """name: the last part of its path. n_bytes: of a file, None of a folder."""

    name: str
    n_bytes: int | None


def entries_in(files: ArtifactQuerySet, folder: str) -> list[Entry]:
    """What of these files of one run lies right below `folder` ("" for the top), by name (1 query,
    grouped where the rows are). Raises FolderTooLarge."""
    start = f"{folder}/" if folder else ""
    rest = Substr("path", len(start) + 1)
    slash = StrIndex(rest, Value("/"))
    if start:
        files = files.alias(begins=Left("path", len(start))).filter(begins=start)
    rows = (
        files.alias(rest=rest, slash=slash)
        .annotate(
            name=Case(When(slash=0, then=F("rest")), default=Left("rest", F("slash") - 1)),
            is_dir=Case(
                When(slash=0, then=Value(0)), default=Value(1), output_field=IntegerField()
            ),
        )
        .order_by("name")
        .values_list("name", "is_dir")
        .annotate(size=Sum("n_bytes"))
    )
    found = [
        Entry(name, None if is_dir else int(size))
        for name, is_dir, size in rows[: MOST_ENTRIES + 1]
    ]
    if len(found) > MOST_ENTRIES:
        raise FolderTooLarge(folder)
    return found
