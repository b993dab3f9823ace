"""The runs of one group of records: what is known of each, and what is to be done with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto

from studio.importers.growth import Growth
from studio.importers.models import ImportedRun
from studio.importers.natives import STUDIO, natives
from studio.importers.past import Fitted
from studio.importers.records import RunRecord
from studio.importers.wish import Wish
from studio.runs.models import Run


class Fate(StrEnum):
    """What becomes of a run that was read."""

    NEW = auto()
    # Here already: what the source has more of is added.
    GROW = auto()
    KNOWN = auto()
    # Deleted here by people.
    GONE = auto()


@dataclass(slots=True)
class Task:
    """One run on its way. `is_whole` falls when something of it should be tried again next time."""

    record: RunRecord
    fitted: Fitted
    row: ImportedRun
    fate: Fate
    growth: Growth = field(default_factory=lambda: Growth({}))
    in_trash: bool = False
    is_whole: bool = True
    has_news: bool = False
    last_point_at: float | None = None

    @property
    def run(self) -> Run:
        if self.row.run is None:
            raise ValueError(f"{self.record.origin} is not stored yet")
        return self.row.run

    @property
    def place(self) -> str:
        return self.fitted.name or self.record.origin


def rows_of(wish: Wish, source: str, origins: Iterable[str]) -> dict[str, ImportedRun]:
    """What was imported before, by origin (1 query for each 500)."""
    wanted = sorted(set(origins))
    found: dict[str, ImportedRun] = {}
    for at in range(0, len(wanted), 500):
        rows = ImportedRun.objects.filter(
            workspace=wish.workspace, source=source, origin__in=wanted[at : at + 500]
        )
        found |= {row.origin: row for row in rows.select_related("run__experiment", "run__root")}
    if source == STUDIO:
        found = natives(wish.workspace, [one for one in wanted if one not in found]) | found
    return found


def planned(
    wish: Wish,
    source: str,
    readable: Sequence[tuple[RunRecord, Fitted]],
    rows: Mapping[str, ImportedRun],
) -> list[Task]:
    """A task for each record, with its fate."""
    tasks = []
    for record, fitted in readable:
        row = rows.get(record.origin) or ImportedRun(
            workspace=wish.workspace, source=source, origin=record.origin
        )
        task = Task(record, fitted, row, _fate(wish, record, row))
        task.in_trash = row.run is not None and row.run.deleted_at is not None
        if row.run is None:
            row.points, row.is_whole = {}, False
        task.growth = Growth(dict(row.points))
        tasks.append(task)
    return tasks


def _fate_of_native(run: Run) -> Fate:
    return Fate.KNOWN if run.deleted_at is None else Fate.GONE


def _fate(wish: Wish, record: RunRecord, row: ImportedRun) -> Fate:
    if row.pk is None:
        return _fate_of_native(row.run) if row.run is not None else Fate.NEW
    if row.run is None:
        return Fate.NEW if wish.again else Fate.GONE
    if row.run.deleted_at is not None:
        return Fate.GROW if wish.again else Fate.GONE
    if row.is_whole and record.version and row.version == record.version[:100]:
        return Fate.KNOWN
    return Fate.GROW
