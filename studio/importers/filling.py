"""What hangs on the runs of a group and may be large: points in pieces, files one by one."""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar, cast

from django.utils import timezone

from studio.artifacts.actions import TooLarge, import_artifact
from studio.artifacts.models import Artifact, hash_of_path
from studio.artifacts.paths import clean_path
from studio.importers.lineage_ahead import count_ahead
from studio.importers.past import ended_later, new_input, past_input, past_model
from studio.importers.records import FileRecord, SourceError, Unreadable
from studio.importers.report import Report
from studio.importers.tasks import Fate, Task
from studio.importers.wish import Wish
from studio.lineage.actions import note_inputs
from studio.lineage.importing import PastInput, PastModel, import_models
from studio.metrics.actions import merge_chunks
from studio.metrics.importing import add_points
from studio.metrics.summary import Series
from studio.runs.actions.importing import complete_run
from studio.runs.lifecycle import restate
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.runs.rows import update_rows
from studio.runs.turn import in_turn

# Points, and series, of one transaction.
MAX_POINTS, MAX_SERIES = 50_000, 2_000
# Texts wait as so many points more: of 20,000 characters each, far fewer are held.
CHARS_A_POINT = 400
# What a broken source may raise while it is read. Whatever else is raised is our mistake.
BROKEN = (
    *(OSError, ValueError, LookupError, EOFError, NotImplementedError),
    *(zlib.error, zipfile.BadZipFile, SourceError),
)
T = TypeVar("T")


class Filling:
    """Reads points and files of runs that are stored, and stores what is new of them."""

    def __init__(self, wish: Wish, report: Report) -> None:
        self.wish, self.report = wish, report
        self._waiting: dict[tuple[int, str], tuple[Task, Series]] = {}
        self._n_waiting = 0

    def fill(self, tasks: Sequence[Task], label: str) -> Iterator[None]:
        """Everything of these runs; comes up for air after each transaction and file."""
        for task in tasks:
            yield from self._read_points(task)
        if self._waiting:
            self._flush()
            yield
        for task in tasks:
            yield from self._read_files(task)
        if self.wish.is_dry:
            self._count_lineage(tasks)
        elif tasks:
            self._close(tasks, label)
            yield

    def _read_points(self, task: Task) -> Iterator[None]:
        n_pieces = 0
        for piece in self._read(task, "its metrics", task.record.points):
            try:
                series = task.growth.new_of(piece)
            except Invalid as refused:
                self._trouble(task, str(piece.name)[:80], str(refused))
                continue
            if series is not None:
                self._take(task, series)
            if self._n_waiting >= MAX_POINTS or len(self._waiting) >= MAX_SERIES:
                n_pieces += 1
                self._flush()
                yield
        for name, why in task.growth.problems() if task.is_whole else ():
            self._trouble(task, name, why)
        if n_pieces and not self.wish.is_dry:
            self._flush()
            merge_chunks([task.run])

    def _take(self, task: Task, series: Series) -> None:
        task.has_news = True
        newest = max(series.times)
        task.last_point_at = max(task.last_point_at or newest, newest)
        self.report.n_points += len(series.steps)
        if self.wish.is_dry:
            return
        self._n_waiting += len(series.steps) + _n_chars(series.values) // CHARS_A_POINT
        known = self._waiting.get((task.run.pk, series.name))
        if known is None:
            self._waiting[task.run.pk, series.name] = task, series
        elif known[1].kind == series.kind:
            known[1].steps += series.steps
            known[1].times += series.times
            known[1].values += series.values
        else:
            self._trouble(task, series.name, f"It changed its kind to {series.kind}; left out.")

    def _flush(self) -> None:
        """Store what waits, with what is known of it, in one transaction."""
        if not self._waiting:
            return
        waiting, self._waiting, self._n_waiting = self._waiting, {}, 0
        tasks = {task.run.pk: task for task, _ in waiting.values()}
        with in_turn():
            news = [(task.run, series) for task, series in waiting.values()]
            refused = add_points(self.wish.workspace, news, by=self.wish.by)
            for task in tasks.values():
                task.row.points = task.growth.stored()
            update_rows([task.row for task in tasks.values()], ("points",))
        for run, series, why in refused:
            self.report.n_points -= len(series.steps)
            self._trouble(tasks[run.pk], series.name, why)

    def _read_files(self, task: Task) -> Iterator[None]:
        known: dict[str, tuple[int, str]] | None = None
        for one in self._read(task, "its files", task.record.files):
            if known is None:
                known = self._files_of(task.row.run)
            if self._store_file(task, one, known):
                yield

    def _read(
        self, task: Task, what: str, pieces: Callable[[], Iterable[T | Unreadable]]
    ) -> Iterator[T]:
        """What can be read; the rest is reported."""
        try:
            source = iter(pieces())
        except BROKEN as error:
            return self._broken(task, what, error)
        while True:
            self.wish.tick()
            try:
                one = next(source)
            except StopIteration:
                return
            except BROKEN as error:
                return self._broken(task, what, error)
            if isinstance(one, Unreadable):
                self._trouble(task, one.place, one.why)
            else:
                yield one

    @staticmethod
    def _files_of(run: Run | None) -> dict[str, tuple[int, str]]:
        if run is None:
            return {}
        rows = Artifact.objects.filter(run=run)
        return {row[0]: row[1:] for row in rows.values_list("path_hash", "n_bytes", "digest")}

    def _store_file(self, task: Task, one: FileRecord, known: dict[str, tuple[int, str]]) -> bool:
        """Whether it was stored now (or would be)."""
        try:
            label = clean_path(one.path)
            stored = known.get(hash_of_path(label))
            if stored is not None and _is_same(one, stored):
                return False
            if self.wish.is_dry:
                n_bytes = one.n_bytes or 0
            else:
                with one.open() as stream:
                    ticking = cast(BinaryIO, Ticking(stream, self.wish))
                    n_bytes = import_artifact(task.run, label, ticking, by=self.wish.by).n_bytes
        except (Invalid, TooLarge) as refused:
            self._trouble(task, one.path, str(refused))
            return False
        except BROKEN as error:
            self._broken(task, one.path, error)
            return False
        known[hash_of_path(label)] = (n_bytes, one.sha256)
        task.has_news = True
        self.report.n_files += 1
        self.report.n_bytes += n_bytes
        return True

    def _close(self, tasks: Sequence[Task], label: str) -> None:
        """Note what is here now; add the plain values that a run of earlier lacks."""
        message = f"Imported again from {label} by {self.wish.by.name}"
        now = timezone.now()
        with in_turn():
            self._tell_models(tasks)
            for task in tasks:
                row, digest = task.row, task.fitted.digest
                if task.fate == Fate.GROW and row.digest != digest:
                    self._complete(task)
                if row.is_open:
                    self._restate(task, now, message)
                self._tell_data_sets(task)
                if task.is_whole:
                    row.digest, row.version = digest, task.record.version[:100]
                row.is_whole = task.is_whole
                row.points = task.growth.stored()
            names = ("digest", "version", "is_whole", "is_open", "points")
            update_rows([task.row for task in tasks], names)

    def _complete(self, task: Task) -> None:
        fitted = task.fitted
        added = complete_run(
            task.run,
            by=self.wish.by,
            tags=fitted.tags,
            properties=fitted.properties,
            parameters=fitted.parameters,
        )
        task.has_news |= bool(added)

    def _tell_data_sets(self, task: Task) -> None:
        """What it used; what is known already is stored once."""
        for used in task.record.datasets:
            try:
                new = note_inputs(task.run, [new_input(used)], by=self.wish.by)
                self.report.n_datasets += new
            except Invalid as refused:
                self._trouble(task, f"data set {used.name[:80]}", str(refused))

    def _tell_models(self, tasks: Sequence[Task]) -> None:
        """The models that these runs made; what is known already is left as it is."""
        by_run = {task.run.pk: task for task in tasks}
        news = [(task.run, model) for task, model in self._models_of(tasks)]
        if news:
            brought = import_models(self.wish.workspace, news, by=self.wish.by)
            self.report.n_models += brought.n_new
            for one in brought.refused:
                self._trouble(by_run[one.run.pk], one.what, one.why)

    def _models_of(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, PastModel]]:
        for task in tasks:
            for made in task.record.models:
                try:
                    yield task, past_model(made)
                except Invalid as refused:
                    self._trouble(task, f"model {made.name[:80]}", str(refused))

    def _count_lineage(self, tasks: Sequence[Task]) -> None:
        told: list[tuple[Task, PastInput | PastModel]] = [
            (task, past_input(used)) for task in tasks for used in task.record.datasets
        ]
        told += self._models_of(tasks)
        news = [(task.record.origin, task.row.run, what) for task, what in told]
        count_ahead(self.wish.workspace, news, self.report)

    def _restate(self, task: Task, now: datetime, message: str) -> None:
        """An end that was guessed: the last sign of life, or what the source says now."""
        past = task.fitted.past
        if past.is_open:
            if task.last_point_at is None:
                return
            try:
                at = datetime.fromtimestamp(task.last_point_at, UTC)
            except (ValueError, OverflowError, OSError):
                return
            past = ended_later(past, min(at, now))
        task.row.is_open = past.is_open
        changed = restate(task.run, past, by=self.wish.by, message=message)
        task.has_news |= changed and not past.is_open

    def _trouble(self, task: Task, place: str, why: str) -> None:
        self.report.note(f"{task.place}: {place}", why)

    def _broken(self, task: Task, place: str, error: Exception) -> None:
        """Something could not be read: the rest goes on, and the next import tries it again."""
        task.is_whole = False
        self.report.note(f"{task.place}: {place}", f"Could not be read: {error or type(error)}.")


def _is_same(one: FileRecord, stored: tuple[int, str]) -> bool:
    n_bytes, digest = stored
    if one.sha256:
        return one.sha256 == digest
    return one.n_bytes == n_bytes


def _n_chars(values: Sequence[Any]) -> int:
    return sum(len(value) for value in values if isinstance(value, str))


class Ticking:
    """A stream that gives a sign of life with every piece that is read of it."""

    def __init__(self, stream: BinaryIO, wish: Wish) -> None:
        self._stream, self._tick = stream, wish.tick

    def read(self, n_bytes: int = -1) -> bytes:
        self._tick()
        return self._stream.read(n_bytes)
