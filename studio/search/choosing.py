"""Which way to a page of runs is shorter: to read a list that an index gives, or to walk the index
of the order and look each run up."""

from django.db.models import QuerySet, Sum

from studio.queries.estimates import estimated
from studio.runs.models import Experiment
from studio.runs.querysets import RunQuerySet, Shortlist
from studio.search.scope import MANY

A_PAGE = 51
# Reading and sorting a run, to looking at one on the way.
COST_OF_SORTING = 4
# Of so many at the beginning of a list each is asked, to learn how many of all it leaves.
SAMPLE = 500


def share_of(runs: RunQuerySet, shortlist: Shortlist) -> float:
    """About which share of a shortlist is among the runs (1 query, of the first of the list)."""
    n_seen = min(SAMPLE, shortlist.n)
    return max(1, runs.filter(shortlist.first(n_seen)).count()) / n_seen


def is_better_sorted(shortlist: Shortlist, share: float = 1.0, *, n: int = A_PAGE) -> bool:
    """Whether reading and sorting the whole shortlist, of which a share is looked for, is less than
    walking the index of the order till `n` of these are met."""
    return n * shortlist.of / (share * shortlist.n) > COST_OF_SORTING * shortlist.n


def first_steps(shortlist: Shortlist) -> int:
    """How many of a shortlist are met on a walk that takes half as long as sorting them all, which
    tells how many of them are looked for; not more than a sample."""
    n = COST_OF_SORTING * shortlist.n**2 // (2 * shortlist.of)
    return min(SAMPLE, max(A_PAGE, n))


def likely_list(
    runs: RunQuerySet, experiments: QuerySet[Experiment], *, more_than: int
) -> Shortlist | None:
    """On PostgreSQL the shortest of the lists that a search of these experiments met, if it is long
    (1 query for each, and one more)."""
    shortest = shortest_list(runs)
    if shortest is None or not more_than < shortest.n <= MANY:
        return None
    numbered = experiments.order_by().aggregate(n=Sum("last_number"))
    return shortest._replace(of=numbered["n"] or 1)


def status_counts(runs: RunQuerySet, limit: int) -> dict[str, int]:
    """As `bounded_status_counts`. PostgreSQL is asked once instead of for each status, where a list
    that it met is so short that looking for `limit` runs of each is more than reading it (1 query,
    and one for each list)."""
    shortest = shortest_list(runs)
    if shortest is None or shortest.n > 2 * limit:
        return runs.bounded_status_counts(limit)
    return {status: min(n, limit) for status, n in runs.status_counts().items()}


def shortest_list(runs: RunQuerySet) -> Shortlist | None:
    """On PostgreSQL the shortest of the lists that a search met (1 query for each)."""
    lists = [one._replace(n=sum(map(estimated, one.rows))) for one in runs.uncounted]
    return min(lists, key=lambda one: one.n, default=None)
