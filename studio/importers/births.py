"""Storing the runs of a group that are not here yet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.utils import timezone

from studio.accounts.models import User
from studio.importers.fitting import experiment_name
from studio.importers.models import ImportedRun
from studio.importers.report import Report
from studio.importers.tasks import Fate, Task
from studio.importers.wish import Wish
from studio.runs.actions.importing import (
    PastRun,
    experiment_of_title,
    find_titled,
    import_runs,
)
from studio.runs.models import Experiment, Run
from studio.runs.turn import in_turn

NO_PARENT = "Its parent run “{}” is not here; it is stored as a run of its own."
UNNAMED = "Imported"
ELSEWHERE = "It was in the experiment “{}”; a child run is in the experiment of its parent."


class Births:
    """Puts new runs into their experiments, below their parents, with their submitters."""

    def __init__(self, wish: Wish, label: str, report: Report) -> None:
        self.wish, self.label, self.report = wish, label, report
        self.experiments: dict[str, Experiment | None] = {}
        self.people: dict[str, User] | None = None

    def place(self, tasks: Sequence[Task]) -> None:
        """Find the experiments of new runs, or make them; a dry run only tells."""
        for task in tasks:
            if task.fate == Fate.NEW:
                name = self.name_of(task)
                if name not in self.experiments:
                    self.experiments[name] = self._experiment(name)
                self.report.experiments[name] = self.report.experiments.get(name, 0) + 1

    def name_of(self, task: Task) -> str:
        return self.wish.experiment or task.record.experiment.strip() or UNNAMED

    def _experiment(self, title: str) -> Experiment | None:
        workspace, by = self.wish.workspace, self.wish.by
        name = title if self.wish.experiment else experiment_name(title)
        found = find_titled(workspace, title)
        is_new = found is None
        if found is None and not self.wish.is_dry:
            found, is_new = experiment_of_title(workspace, title, name=name, by=by)
        if is_new:
            self.report.new_experiments.append(title)
        return found

    def store(self, tasks: Sequence[Task], rows: Mapping[str, ImportedRun]) -> None:
        """All or nothing. Raises IntegrityError when another import was quicker with one of them.

        rows: what was imported earlier, with the parents of the new runs.
        """
        new = sorted(
            (task for task in tasks if task.fate == Fate.NEW), key=lambda t: t.fitted.created_at
        )
        if not new:
            return
        places = {task.record.origin: i for i, task in enumerate(new)}
        pasts = [self._past(task, places, rows) for task in new]
        pasts = [self._with_parent(i, pasts, task) for i, task in enumerate(new)]
        with in_turn():
            runs = import_runs(self.wish.workspace, pasts, by=self.wish.by)
            for task, run in zip(new, runs, strict=True):
                task.row.run = run
                task.row.work = self.wish.by.work_uid
                task.row.imported_at = timezone.now()
                task.row.is_open = task.fitted.past.is_open
            # Told apart before the first of them get their keys.
            again = [task.row for task in new if task.row.pk is not None]
            ImportedRun.objects.bulk_create([task.row for task in new if task.row.pk is None])
            ImportedRun.objects.bulk_update(
                again, ["run", "work", "imported_at", "is_open", "is_whole", "points"]
            )

    def _past(
        self, task: Task, places: Mapping[str, int], rows: Mapping[str, ImportedRun]
    ) -> PastRun:
        experiment = self.experiments[self.name_of(task)]
        if experiment is None:
            raise ValueError("runs are stored in experiments that are there")
        message = f"Imported from {self.label} by {self.wish.by.name}"
        past = task.fitted.run_of(experiment, message, self._submitter(task))
        origin = task.record.parent
        if not origin or origin == task.record.origin:
            return past
        if origin in places:
            return replace(past, parent_at=places[origin])
        parent = self._living(rows.get(origin))
        if parent is None:
            self.report.note(task.place, NO_PARENT.format(origin[:80]))
            return past
        return self._below(past, parent.experiment, task, parent=parent)

    def _with_parent(self, place: int, pasts: Sequence[PastRun], task: Task) -> PastRun:
        """With the experiment of the topmost run above it in the same call; a circle is cut."""
        past, seen, top = pasts[place], {place}, pasts[place]
        while top.parent_at is not None:
            if top.parent_at in seen:
                self.report.note(task.place, NO_PARENT.format(task.record.parent[:80]))
                return replace(past, parent_at=None)
            seen.add(top.parent_at)
            top = pasts[top.parent_at]
        return self._below(past, top.experiment, task, parent=past.parent)

    def _below(
        self, past: PastRun, experiment: Experiment, task: Task, *, parent: Run | None
    ) -> PastRun:
        if experiment.pk != past.experiment.pk and not self.wish.experiment:
            self.report.note(task.place, ELSEWHERE.format(task.record.experiment[:80]))
        return replace(past, experiment=experiment, parent=parent)

    @staticmethod
    def _living(row: ImportedRun | None) -> Run | None:
        run = row.run if row is not None else None
        return run if run is not None and run.deleted_at is None else None

    def _submitter(self, task: Task) -> User | None:
        """Whoever imports: a file may name anybody. On a shell, the member of that name."""
        if self.wish.trusts_names and task.fitted.submitter:
            if self.people is None:
                members = User.objects.filter(memberships__workspace=self.wish.workspace)
                self.people = {user.username: user for user in members}
            return self.people.get(task.fitted.submitter, self.wish.by.user)
        return self.wish.by.user
