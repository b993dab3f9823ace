"""An import from its beginning to its end: read, planned, stored, reported.

Every step is whole: stopped after any of them, a later import of the same source goes on.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from django.db import IntegrityError
from django.utils import timezone

from studio.accounts.permissions import Permission, require
from studio.importers.births import Births
from studio.importers.filling import Filling
from studio.importers.models import ImportedRun
from studio.importers.past import Fitted, fitted
from studio.importers.records import Note, Reader, RunRecord, Unreadable
from studio.importers.report import Report
from studio.importers.tasks import Fate, Task, planned, rows_of
from studio.importers.wish import Wish
from studio.runs.actions.keeping import restore_run

# Runs of one transaction; from a slow source, as many as come in a second.
GROUP, GROUP_S = 100, 1.0
# About what a group holds in memory, unless one run alone has more.
GROUP_BYTES = 32 << 20
MAX_ORIGIN = 300
Rows = dict[str, ImportedRun]
Record = RunRecord | Unreadable | Note


@runtime_checkable
class WithParts(Protocol):
    """A reader whose source has more than runs: what they lean on is stored before them, what
    leans on them after them. Both may be called again, and then change nothing. A dry run calls
    `foresee` instead, which counts and writes nothing."""

    def prepare(self, wish: Wish, report: Report) -> None: ...

    def finish(self, wish: Wish, report: Report) -> None: ...

    def foresee(self, wish: Wish, report: Report) -> None: ...


class Import:
    """One import. `steps` does it; `report` and `n_seen` (records looked at) tell how far it is."""

    def __init__(self, reader: Reader, wish: Wish, *, skip: int = 0) -> None:
        """skip: so many records were looked at by an earlier try of the same import."""
        for permission in (Permission.SUBMIT_RUN, Permission.LOG_TO_RUN):
            require(wish.by, permission, wish.workspace)
        self.reader, self.wish, self.skip = reader, wish, skip
        self.report = Report(is_dry=wish.is_dry)
        self.n_seen = skip
        self._births = Births(wish, reader.label, self.report)
        self._filling = Filling(wish, self.report)

    def steps(self) -> Iterator[None]:
        """Do it, coming up after each transaction or file that stores something and each group: who
        starts anew after any of them gets further. Raises SourceError, NotAllowed,
        blobs.StorageFull; what was stored by then is whole."""
        parts = self.reader if isinstance(self.reader, WithParts) else None
        if parts is not None and not self.wish.is_dry:
            parts.prepare(self.wish, self.report)
        records = islice(self._records(), self.skip, None)
        for group in _groups(records):
            tasks, rows = self._plan(group)
            yield from self._do(tasks, rows)
            self.n_seen += len(group)
            yield
        if parts is not None:
            end = parts.foresee if self.wish.is_dry else parts.finish
            end(self.wish, self.report)

    def _records(self) -> Iterator[Record]:
        for record in self.reader.read():
            self.wish.tick()
            yield record

    def _plan(self, group: Sequence[Record]) -> tuple[list[Task], Rows]:
        readable = self._readable(group)
        origins = [record.origin for record, _ in readable]
        origins += [record.parent for record, _ in readable if record.parent]
        rows = rows_of(self.wish, self.reader.source, origins)
        return planned(self.wish, self.reader.source, readable, rows), rows

    def _readable(self, group: Sequence[Record]) -> list[tuple[RunRecord, Fitted]]:
        found: dict[str, tuple[RunRecord, Fitted]] = {}
        now = timezone.now()
        for one in group:
            if isinstance(one, Unreadable):
                self.report.note(one.place, one.why)
                self.report.n_skipped += 1
            elif isinstance(one, Note):
                self.report.notes.append(one.text)
            elif not 1 <= len(one.origin) <= MAX_ORIGIN or one.origin in found:
                self._skip(one, "The source has another run of the same id.")
            else:
                try:
                    found[one.origin] = one, fitted(one, now=now)
                except ValueError as error:
                    self._skip(one, str(error))
        return list(found.values())

    def _skip(self, record: RunRecord, why: str) -> None:
        self.report.n_skipped += 1
        self.report.note(record.name or record.origin, why)

    def _do(self, tasks: list[Task], rows: Rows) -> Iterator[None]:
        tasks = self._bring_back(tasks)
        self._births.place(tasks)
        if not self.wish.is_dry:
            is_news = any(task.fate == Fate.NEW for task in tasks)
            tasks = self._bear(tasks, rows)
            if is_news:
                yield
        busy = [task for task in tasks if task.fate in {Fate.NEW, Fate.GROW}]
        for task in busy:
            for problem in task.fitted.problems:
                self.report.note(task.place, problem)
        was_whole = {task.record.origin: task.row.is_whole for task in busy}
        yield from self._filling.fill(busy, self.reader.label)
        for task in tasks:
            self._count(task, was_whole.get(task.record.origin, True))

    def _bear(self, tasks: list[Task], rows: Rows) -> list[Task]:
        try:
            self._births.store(tasks, rows)
        except IntegrityError:
            # Another import was quicker with some of them: look again, once.
            readable = [(task.record, task.fitted) for task in tasks]
            rows = rows_of(self.wish, self.reader.source, [*rows, *(r.origin for r, _ in readable)])
            tasks = planned(self.wish, self.reader.source, readable, rows)
            self._births.store(tasks, rows)
        return tasks

    def _bring_back(self, tasks: list[Task]) -> list[Task]:
        """Take what was asked for again out of the trash."""
        for task in tasks:
            if task.in_trash and task.fate == Fate.GROW:
                task.has_news = True
                if not self.wish.is_dry:
                    restore_run(task.run, by=self.wish.by)
        return tasks

    def _count(self, task: Task, was_whole: bool) -> None:
        report = self.report
        work = self.wish.by.work_uid
        # An earlier try of the same work was killed after it had stored the run.
        is_mine = bool(work) and task.row.work == work
        if task.fate == Fate.NEW or (is_mine and (task.fate == Fate.KNOWN or not was_whole)):
            report.n_new += 1
        elif task.fate == Fate.GONE:
            report.n_gone += 1
        elif task.has_news:
            report.n_changed += 1
        else:
            report.n_known += 1


def _groups(
    records: Iterator[Record],
) -> Iterator[list[Record]]:
    group: list[Record] = []
    n_bytes, until = 0, time.monotonic() + GROUP_S
    for record in records:
        group.append(record)
        n_bytes += _weight_of(record)
        if len(group) >= GROUP or n_bytes >= GROUP_BYTES or time.monotonic() > until:
            yield group
            group, n_bytes, until = [], 0, time.monotonic() + GROUP_S
    if group:
        yield group


def _weight_of(record: Record) -> int:
    """About how many bytes it holds."""
    if not isinstance(record, RunRecord):
        return 0
    texts = (record.tags, record.properties, record.parameters)
    n_chars = sum(len(key) + len(value or "") for labels in texts for key, value in labels.items())
    return max(record.weight, n_chars + len(record.description))
