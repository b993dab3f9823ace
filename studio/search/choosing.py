"""Which way to a page of sorted runs is shorter: to read a list that an index gives and sort it, or
to walk the index of the order and look each run up in the list."""

from django.db.models import Sum

from studio.queries.estimates import estimated
from studio.runs.models import Experiment
from studio.runs.querysets import RunQuerySet, Shortlist
from studio.search.order import Order
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


def is_better_sorted(shortlist: Shortlist, share: float) -> bool:
    """Whether reading and sorting the whole shortlist is less than walking the index of the order
    till a page is full."""
    return A_PAGE * shortlist.of / (share * shortlist.n) > COST_OF_SORTING * shortlist.n


def likely_list(runs: RunQuerySet, order: Order, *, more_than: int) -> Shortlist | None:
    """On PostgreSQL the shortest of the lists that a search met, if it is long and the index of the
    order can be walked instead (1 query for each, and one more)."""
    if not runs.uncounted or order.steps[0].lane.rows is None:
        return None
    lists = [one._replace(n=sum(map(estimated, one.rows))) for one in runs.uncounted]
    shortest = min(lists, key=lambda one: one.n)
    if not more_than < shortest.n <= MANY:
        return None
    numbered = Experiment.objects.of(order.workspace).aggregate(n=Sum("last_number"))
    return shortest._replace(of=numbered["n"] or 1)
