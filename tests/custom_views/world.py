"""Views, and the people who try something with them."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings

from tests import make

# On a busy machine the first examples take long; that is no property of views.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def view(workspace: Any, owner: Any, name: str = "Best", **facts: Any) -> Any:
    """A view of `owner`, private unless `everyone` or `people` say otherwise."""
    from studio.custom_views.actions import Draft, create_view
    from studio.custom_views.sharing import share_view

    everyone, people = facts.pop("everyone", ""), facts.pop("people", {})
    draft = Draft(name, facts.pop("state", {"q": "net"}), **facts)
    made = create_view(workspace, draft, by=make.actor(owner))
    if everyone or people:
        share_view(made, everyone=everyone, people=people, by=make.actor(owner))
    return made


def member(workspace: Any, name: str, role: str = "contributor") -> Any:
    from studio.accounts.models import Membership

    user = make.user(name)
    Membership.objects.create(user=user, workspace=workspace, role=role)
    return user


def found(workspace: Any, who: Any, view: Any) -> Any:
    """The view as `who`, a user or an actor, finds it, None where it is not theirs to see."""
    from studio.custom_views.finding import find_view

    return find_view(workspace, as_actor(who), view.address)


def as_actor(who: Any) -> Any:
    from studio.accounts.permissions import Actor

    return who if isinstance(who, Actor) else make.actor(who)


def reading(user: Any) -> Any:
    """A person's token that may only read."""
    from studio.accounts.models import Scope

    return replace(make.actor(user), scope=Scope.READ)


def running(user: Any) -> Any:
    """The token of a run that a person has submitted."""
    return replace(make.actor(user), run_uid="0" * 32)


def events(view: Any) -> list[tuple[str, str, Any, Any]]:
    """(kind, actor, before, after) of each change of the view, the oldest first."""
    from studio.custom_views.models import ViewEvent

    own = ViewEvent.objects.filter(view=view).order_by("pk")
    return list(own.values_list("kind", "actor", "before", "after"))
