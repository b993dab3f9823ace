"""Lists of the custom views that a person sees: chosen, ordered by name, cut into pages."""

from typing import NamedTuple

from django.db.models import F, Q

from studio.accounts.models import User, Workspace
from studio.accounts.permissions import Actor
from studio.custom_views.finding import visible_views
from studio.custom_views.models import Access, CustomView, CustomViewQuerySet
from studio.runs.searchtext import folded
from studio.search.cursors import Place, read_cursor, write_cursor

ALL, MINE, SHARED, WORKSPACE = "all", "mine", "shared", "workspace"
OWNERS = (ALL, MINE, SHARED, WORKSPACE)
_SCOPE = "views"


class ViewPage(NamedTuple):
    """Views in the order of their names; `next`: the cursor behind them, "" for the last page."""

    views: list[CustomView]
    next: str


def listed_views(
    workspace: Workspace, actor: Actor, *, owner: str = ALL, q: str = ""
) -> CustomViewQuerySet:
    """The views that a person sees, with the facts for them. owner: of OWNERS, "mine" the own,
    "shared" those of others that name the person, "workspace" those that everyone sees; q: a part
    of the name or the description, in any case, or the name of the owner."""
    if actor.user is None:
        return CustomView.objects.none()
    views = visible_views(workspace, actor)
    if owner == MINE:
        views = views.filter(owner=actor.user)
    elif owner == SHARED:
        views = views.filter(grants__user=actor.user)
    elif owner == WORKSPACE:
        views = views.exclude(everyone=Access.NONE)
    if q:
        text = folded(q.replace("\0", ""))
        is_named = Q(name__folded__contains=text) | Q(owner_name__folded=text)
        views = views.filter(is_named | Q(description__folded__contains=text))
    return views.with_facts_for(actor.user)


def last_used(views: CustomViewQuerySet, user: User) -> CustomViewQuerySet:
    """Those that a person has opened, the last first."""
    return views.filter(uses__user=user).order_by(F("uses__at").desc(), "pk")


def shared_views(workspace: Workspace, *, and_of: User | None = None) -> CustomViewQuerySet:
    """The views that everyone in the workspace sees, and all of one person's own: for who looks
    after the server and is nobody in particular here."""
    is_shared = ~Q(everyone=Access.NONE)
    return CustomView.objects.of(workspace).filter(
        is_shared if and_of is None else is_shared | Q(owner=and_of)
    )


def view_page(views: CustomViewQuerySet, *, size: int, after: str = "") -> ViewPage:
    """The `size` views behind the cursor `after`, from the beginning for a made-up one (1 query).
    None is shown twice or missed while others are added."""
    place = read_cursor(after, _SCOPE) if after else None
    if place is not None:
        (name,) = place.values
        views = views.filter(Q(name__gt=name) | Q(name=name, pk__gt=place.pk))
    found = list(views.order_by("name", "pk")[: size + 1])
    shown = found[:size]
    more = len(found) > size
    return ViewPage(shown, _cursor(shown[-1]) if more else "")


def is_cursor(text: str) -> bool:
    return read_cursor(text, _SCOPE) is not None


def _cursor(view: CustomView) -> str:
    return write_cursor(Place((view.name,), view.pk), _SCOPE)
