"""What tests of custom views' pages share."""

from typing import Any

from django.test import Client

from studio.custom_views.actions import Draft, create_view
from studio.custom_views.models import CustomView
from studio.custom_views.sharing import share_view
from tests import make
from tests.web.pages import Read, read

LIST = "/w/lab/runs"
VIEWS = "/w/lab/views"


def view_of(
    workspace: Any,
    user: Any,
    state: dict[str, str],
    *,
    name: str = "Night sweeps",
    everyone: str = "",
    people: dict[str, str] | None = None,
    **more: Any,
) -> CustomView:
    """A view of `user`, shared as said."""
    by = make.actor(user)
    view = create_view(workspace, Draft(name, state, **more), by=by)
    if everyone or people:
        share_view(view, everyone=everyone, people=people or {}, by=by)
    return view


def page_of(view: CustomView) -> str:
    return f"{VIEWS}/{view.address}"


def opened(client: Client, address: str) -> Read:
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return read(answer)


def save_form(page: Read) -> dict[str, str]:
    """The hidden fields of the bar's Save, and where it is sent."""
    at = next(
        i for i, (tag, own) in enumerate(page.elements) if tag == "form" and "data-view-save" in own
    )
    fields = {
        own["name"]: own.get("value", "")
        for tag, own in page.elements[at : at + 5]
        if tag == "input" and own.get("name") in ("version", "state")
    }
    return fields | {"action": page.elements[at][1]["action"]}


def send(client: Client, form: dict[str, str], **more: str) -> Any:
    fields = {name: value for name, value in form.items() if name != "action"}
    return client.post(form["action"], fields | more)
