"""Which runs a list in some state is about: on its page, and for whoever watches a view."""

from studio.accounts.models import User
from studio.custom_views.state import FLAT, ViewState
from studio.runs.models import Run
from studio.runs.querysets import RunQuerySet
from studio.search.apply import asks_for_archived
from studio.search.tree import Node


def in_state(
    runs: RunQuerySet,
    state: ViewState,
    node: Node | None,
    *,
    user: User | None,
    parent: Run | None = None,
) -> RunQuerySet:
    """Those of `runs` that a list in this state is about, before its query `node` is asked.

    user: whose list it is. parent: whose child runs are listed (the queries of `below`).
    """
    if not asks_for_archived(node):
        runs = runs.listed()
    # Who ticked child runs wants to see them.
    has_all_levels = state.children == FLAT or state.only
    if parent is not None:
        runs = runs.below(parent, all_levels=has_all_levels)
    elif not has_all_levels:
        runs = runs.roots()
    if state.mine:
        runs = runs.filter(submitter=user)
    if state.only:
        runs = runs.filter(uid__in=state.chosen)
    return runs
