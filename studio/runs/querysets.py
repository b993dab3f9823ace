"""Queries about experiments and runs. Every page starts with `visible_to`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q

from studio.accounts.models import User, Workspace
from studio.runs.status import ACTIVE, BEATING

if TYPE_CHECKING:
    from studio.runs.models import Experiment, Run  # noqa: F401  (named in strings)


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(workspace__in=Workspace.objects.visible_to(user))

    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def listed(self, *, archived: bool = False) -> Self:
        """Newest submission first, those without any run last."""
        return self.filter(archived_at__isnull=not archived).order_by(
            F("latest_run_at").desc(nulls_last=True), "-id"
        )


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User) -> Self:
        """Runs of the user's workspaces that are not in the trash."""
        return self.filter(workspace__in=Workspace.objects.visible_to(user), deleted_at=None)

    def of(self, workspace: Workspace) -> Self:
        """The workspace's runs that are not in the trash; rights were checked by the caller."""
        return self.filter(workspace=workspace, deleted_at=None)

    def in_trash(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def chosen_in_trash(self) -> Self:
        """What people deleted, without the child runs that went with it."""
        return self.in_trash().filter(deleted_with=F("pk"))

    def deleted_before(self, run: Run) -> Self:
        """What follows `run` in a trash with the newest deletion first (keyset paging)."""
        return self.filter(
            Q(deleted_at__lt=run.deleted_at) | Q(deleted_at=run.deleted_at, id__lt=run.pk)
        )

    def listed(self) -> Self:
        return self.filter(archived_at=None)

    def roots(self) -> Self:
        return self.filter(parent=None)

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def beating(self) -> Self:
        """Runs with a process that ought to be heard from."""
        return self.filter(status__in=BEATING)

    def newest(self) -> Self:
        """Newest submission first; ties by id, so that pages never repeat or miss a run."""
        return self.order_by("-created_at", "-id")

    def before(self, run: Run) -> Self:
        """The runs that follow `run` in the order of `newest` (keyset paging)."""
        return self.filter(
            Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, id__lt=run.pk)
        )

    def for_list(self) -> Self:
        """What a row of the run list shows: 1 query + 3, whatever the page size.

        The workspace is left to the caller, who knows it.

        No joins: with statistics at hand SQLite starts a join at the workspace and sorts all its
        runs, 35 ms instead of 0.3 ms at 100,000.
        """
        return self.prefetch_related("experiment", "submitter", "tags")

    def for_detail(self) -> Self:
        return self.select_related(
            "workspace", "experiment", "submitter", "target", "parent", "root", "job"
        ).select_related("description_row", "definition")

    def starred_by(self, user: User) -> Self:
        from studio.runs.models import Star

        return self.annotate(is_starred=Exists(Star.objects.filter(user=user, run=OuterRef("pk"))))

    def descendants_of(self, run: Run) -> Self:
        """All levels below `run`, without it (1 query when it is a root run)."""
        if run.root_id is None:
            return self.filter(root=run)
        return self.filter(pk__in=descendant_ids(run))

    def status_counts(self) -> dict[str, int]:
        """Status -> number of runs, for the runs of this query."""
        rows = self.order_by().values_list("status").annotate(n=Count("id"))
        return dict(rows)


def descendant_ids(run: Run) -> list[int]:
    """Ids of every run below `run`, one query per level."""
    from studio.runs.models import Run as RunModel

    found: list[int] = []
    level = [run.pk]
    while level:
        level = list(RunModel.objects.filter(parent__in=level).values_list("pk", flat=True))
        found.extend(level)
    return found
