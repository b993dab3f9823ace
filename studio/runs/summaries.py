"""What a row of the experiments page tells of an experiment's runs.

Nothing here reads more than a fixed number of index entries for each experiment, however many runs
it has: each status is counted to 10,000, submitters are those of the newest 100 runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import OuterRef, Subquery

from studio.accounts.models import User
from studio.runs.models import Experiment, Run
from studio.runs.querysets import COUNTED_TO, CountTo, ListOf
from studio.runs.status import Status

SUBMITTERS_OF = 100


@dataclass(frozen=True, slots=True)
class Summary:
    """The listed root runs of an experiment: how many by status, the newest, who submitted.

    `submitters`: of its newest 100 runs, the latest one first.
    """

    counts: dict[str, int] = field(default_factory=dict)
    latest: Run | None = None
    submitters: Sequence[User] = ()

    @property
    def n_runs(self) -> int:
        return sum(self.counts.values())

    @property
    def is_exact(self) -> bool:
        return all(n <= COUNTED_TO for n in self.counts.values())


def summaries(experiments: Sequence[Experiment]) -> dict[int, Summary]:
    """Summaries by experiment id (3 queries)."""
    own = Run.objects.listed_of(OuterRef("pk"))
    names = {f"n_{status}": status for status in Status.values}
    told = list(
        Experiment.objects.filter(pk__in=[experiment.pk for experiment in experiments])
        .annotate(
            newest=Subquery(own.newest().values("pk")[:1]),
            submitters=ListOf(own.newest(), "submitter", most=SUBMITTERS_OF),
            **{name: CountTo(own.filter(status=status)) for name, status in names.items()},
        )
        .values("pk", "newest", "submitters", *names)
    )
    latest = Run.objects.in_bulk([row["newest"] for row in told if row["newest"]])
    people = User.objects.in_bulk({pk for row in told for pk in row["submitters"] or () if pk})
    return {
        row["pk"]: Summary(
            {status: row[name] for name, status in names.items()},
            latest.get(row["newest"]),
            [people[pk] for pk in dict.fromkeys(row["submitters"] or ()) if pk in people],
        )
        for row in told
    }
