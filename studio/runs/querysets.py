"""Queries about experiments and runs. Every page starts with `visible_to`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db import models
from django.db.models import Count, Exists, ExpressionWrapper, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import In

from studio.accounts.models import User, Workspace
from studio.runs.status import ACTIVE, BEATING, CANCELLABLE, Status

if TYPE_CHECKING:
    from studio.runs.models import Experiment, Run


COUNTED_TO = 10_000
# What the columns of a list show of a run itself.
SHOWN = (
    *("uid", "number", "display_name", "type", "status"),
    *("created_at", "started_at", "ended_at", "duration_s"),
    *("experiment_id", "submitter_id", "target_id"),
)


class CountTo(models.Subquery):
    """How many rows a query has, counted no further than 10,001: what it costs is bounded."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = models.IntegerField()

    def __init__(self, rows: models.QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: COUNTED_TO + 1])


class ListOf(models.Subquery):
    """The values of the first rows of a query as a list, in its order."""

    template = "(SELECT JSON_GROUP_ARRAY(listed.%(column)s) FROM (%(subquery)s) AS listed)"
    output_field = models.JSONField()

    def __init__(self, rows: models.QuerySet[Any], column: str, *, most: int) -> None:
        super().__init__(rows.values(column)[:most], column=column)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = self.template.replace("JSON_GROUP_ARRAY", "JSONB_AGG")
        return self.as_sql(compiler, connection, template=template, **extra)


class _Among(In):
    """PostgreSQL makes a join of an IN, and loses the order of the index that is walked. Not of
    one about whose answer something is said."""

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        sql, values = self.as_sql(compiler, connection)
        return f"({sql}) IS TRUE", values


class Shortlist(NamedTuple):
    """A condition that an index answers: `n` runs or a few more rows, whose ids are any of `rows`,
    each a subquery; `of`: about how many runs there are in all; `is_begun`: the runs it belongs to
    are read from there in any case; `column`: where querysets among the rows have the run's id;
    `is_wider`: it has other runs too, and each is to be asked for the condition itself."""

    n: int
    rows: tuple[Any, ...]
    of: int = 1
    is_begun: bool = False
    column: str = "run_id"
    is_wider: bool = False

    @property
    def runs(self) -> Q:
        """The condition as a place to begin at."""
        return reduce(or_, (Q(pk__in=rows) for rows in self.rows))

    def first(self, n: int) -> Q:
        """The first `n` of each of the rows."""
        return reduce(or_, (Q(pk__in=rows[:n]) for rows in self.rows))

    def both(self, other: Shortlist) -> Self | None:
        """This list without the runs that are not in the other, found out before any run is read;
        None where its rows can't be filtered."""
        if not all(isinstance(rows, models.QuerySet) for rows in self.rows):
            return None
        found = tuple(rows.filter(other.test(self.column)) for rows in self.rows)
        return self._replace(rows=found)

    def test(self, column: str = "pk") -> Q:
        """The condition as a test of each row by its run's id in `column`, for which the ids are
        read once. The sum keeps SQLite from beginning here, and what is said of the answer keeps
        PostgreSQL from it."""
        value = ExpressionWrapper(F(column) + Value(0), models.BigIntegerField())
        return reduce(or_, (Q(_Among(value, rows)) for rows in self.rows))


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

    def known_as(self, title: str) -> Self:
        """Those, of one workspace the one, that people call so: by title where there is one."""
        return self.filter(Q(title=title) | Q(title="", name=title))

    def named_like(self, text: str) -> Self:
        """Those whose name or title holds `text`, in any case."""
        part = text.replace("\0", "")
        return self.filter(Q(name__icontains=part) | Q(title__icontains=part))

    def starred_by(self, user: User) -> Self:
        """Each says whether it is a favourite of the user, as `is_starred`."""
        from studio.runs.models import ExperimentStar

        stars = ExperimentStar.objects.filter(user=user, experiment=OuterRef("pk"))
        return self.annotate(is_starred=Exists(stars))

    def only_starred_by(self, user: User) -> Self:
        return self.filter(stars__user=user)

    def numbers_of_runs(self) -> dict[int, int]:
        """Experiment id -> number of its listed root runs, counted to 10,001 from an index."""
        from studio.runs.models import Run

        # Every run has a status. Said so, the index of statuses answers; others read every row.
        counted = CountTo(Run.objects.listed_of(OuterRef("pk")).filter(status__gt=""))
        return dict(self.order_by().annotate(n_runs=counted).values_list("pk", "n_runs"))


class RunQuerySet(models.QuerySet["Run"]):
    # What all of these runs meet and an index answers with not too many rows: where all of them
    # are read, reading begins there. Set by a search.
    shortlist: Shortlist | None = None
    # PostgreSQL: conditions that an index answers, of which nobody has counted the rows yet.
    uncounted: tuple[Shortlist, ...] = ()
    # Those that a search looked through.
    searched: RunQuerySet | None = None

    def _clone(self) -> Self:
        copy: Self = super()._clone()  # type: ignore[misc]
        copy.shortlist, copy.uncounted = self.shortlist, self.uncounted
        copy.searched = self.searched
        return copy

    def shortlisted(self) -> Self:
        """The same runs, read from the shortlist: for counting them or reading all."""
        if self.shortlist is None or self.shortlist.is_begun:
            return self
        return self.filter(self.shortlist.runs)

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

    def ended_before(self, moment: datetime) -> Self:
        return self.filter(ended_at__lt=moment)

    def listed(self) -> Self:
        return self.filter(archived_at=None)

    def listed_of(self, experiment: Experiment | OuterRef) -> Self:
        """What an experiment's own page lists: root runs, neither archived nor in the trash."""
        return self.filter(experiment=experiment, deleted_at=None, archived_at=None).roots()

    def roots(self) -> Self:
        return self.filter(parent=None)

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def beating(self) -> Self:
        """Runs with a process that ought to be heard from."""
        return self.filter(status__in=BEATING)

    def heard_before(self, moment: datetime) -> Self:
        """Runs whose last sign of life, or else whose start or last change, is older."""
        heard = Coalesce("last_beat_at", "started_at", "status_at")
        return self.annotate(heard_at=heard).filter(heard_at__lt=moment)

    def newest(self) -> Self:
        """Newest submission first; ties by id, so that pages never repeat or miss a run."""
        return self.order_by("-created_at", "-id")

    def slim(self) -> Self:
        """With what columns show of a run itself only: thousands at once load in half the time."""
        return self.only(*SHOWN)

    def before(self, run: Run) -> Self:
        """The runs that follow `run` in the order of `newest` (keyset paging)."""
        return self.filter(
            Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, id__lt=run.pk)
        )

    def after(self, run: Run) -> Self:
        """The runs that come above `run` in the order of `newest`."""
        return self.filter(
            Q(created_at__gt=run.created_at) | Q(created_at=run.created_at, id__gt=run.pk),
            created_at__gte=run.created_at,
        )

    def for_list(self) -> Self:
        """What a row of the run list shows of the run itself (1 query).

        The workspace is left to the caller, who knows it, and so are tags and names: as objects of
        their own they would take longer than all else.

        No joins: with statistics at hand SQLite starts a join at the workspace and sorts all its
        runs, 35 ms instead of 0.3 ms at 100,000.
        """
        return self.only(*SHOWN, "status_at", "parent_id")

    def for_detail(self) -> Self:
        return self.select_related(
            "workspace", "experiment", "submitter", "target", "parent", "root", "job"
        ).select_related("description_row", "definition")

    def starred_by(self, user: User | models.Expression) -> Self:
        from studio.runs.models import Star

        return self.annotate(is_starred=Exists(Star.objects.filter(user=user, run=OuterRef("pk"))))

    def below(self, run: Run, *, all_levels: bool) -> Self:
        """The child runs of a run, or those of all levels below it (`descendants_of`)."""
        return self.descendants_of(run) if all_levels else self.filter(parent=run)

    def descendants_of(self, run: Run) -> Self:
        """All levels below `run`, without it (1 query when it is a root run)."""
        if run.root_id is None:
            return self.filter(root=run)
        return self.filter(pk__in=descendant_ids(run))

    def ids_below(self, runs: Sequence[Run]) -> list[int]:
        """The ids of those at any level below one of `runs` that may be cancelled (1 query when
        they are root runs, else one for each level too)."""
        roots = [run.pk for run in runs if run.root_id is None]
        level = [run.pk for run in runs if run.root_id is not None]
        found = Q(root__in=roots)
        while level:
            level = list(self.filter(parent__in=level).values_list("pk", flat=True))
            found |= Q(pk__in=level)
        below = self.filter(found, status__in=CANCELLABLE)
        return list(below.values_list("pk", flat=True))

    def status_counts(self) -> dict[str, int]:
        """Status -> number of runs, for the runs of this query."""
        rows = self.order_by().values_list("status").annotate(n=Count("id"))
        return dict(rows)

    def bounded_status_counts(self, limit: int) -> dict[str, int]:
        """As `status_counts`, but of each status at most `limit` runs are counted, so that it costs
        the same of a million runs (1 query with a shortlist, else one for each status)."""
        if self.shortlist is not None:
            return {
                status: min(n, limit) for status, n in self.shortlisted().status_counts().items()
            }
        bare = self.select_related(None).prefetch_related(None).order_by()
        counts = {s.value: bare.filter(status=s)[:limit].count() for s in Status}
        return {status: n for status, n in counts.items() if n}


def descendant_ids(run: Run) -> list[int]:
    """Ids of every run below `run`, one query per level."""
    from studio.runs.models import Run as RunModel

    found: list[int] = []
    level = [run.pk]
    while level:
        level = list(RunModel.objects.filter(parent__in=level).values_list("pk", flat=True))
        found.extend(level)
    return found
