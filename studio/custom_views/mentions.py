"""Which custom views mention a tag, for whoever is about to rename it. Views are not changed."""

from dataclasses import dataclass

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor
from studio.custom_views.finding import visible_views
from studio.custom_views.gone import Name, named_in
from studio.custom_views.models import CustomView
from studio.custom_views.stored import state_of
from studio.runs.searchtext import folded

MAX_READ = 2_000
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Mentions:
    """How many of the views that were read mention it, and the first of them by name. Not
    `is_whole`: there are more views than were read."""

    n: int
    views: tuple[CustomView, ...]
    is_whole: bool


def views_with_tag(
    workspace: Workspace, actor: Actor, key: str, value: str | None = None
) -> Mentions:
    """The views that the person may see whose filters, columns, order, groups or charts name the
    tag; with a value those whose filters hold that text too (1 query)."""
    views = list(visible_views(workspace, actor).order_by("name", "pk")[: MAX_READ + 1])
    found = []
    for view in views[:MAX_READ]:
        state = state_of(view.state)
        if Name("tag", key) in named_in(state) and (
            value is None or folded(value) in folded(state.q)
        ):
            found.append(view)
    return Mentions(len(found), tuple(found[:MAX_NAMED]), len(views) <= MAX_READ)
