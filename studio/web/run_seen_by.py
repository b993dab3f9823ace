"""Who can see a run: everybody of its workspace, and what each of them may do with it."""

from dataclasses import dataclass

from django.http import HttpResponse

from studio.accounts.models import Membership, Role
from studio.runs.models import Run
from studio.web.access import Request, find_run, page
from studio.web.frame import frame
from studio.web.render import render_page

MAX_MEMBERS = 100
ACCESS = {
    Role.READER: "May see",
    Role.CONTRIBUTOR: "May see and edit",
    Role.OWNER: "Everything",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A member and what they may do with the run. `why`: what they have to do with it, or ""."""

    name: str
    role: str
    access: str
    why: str


@page
def seen_by(request: Request, uid: str) -> HttpResponse:
    """A dialog, or a page without scripts: the members of the workspace by name (1 query)."""
    run = find_run(request, uid)
    found = Membership.objects.of(request.workspace).who_can_enter().by_name()
    members = list(found[: MAX_MEMBERS + 1])
    context = {
        **frame(request, active="runs"),
        "run": run,
        "people": [_person(run, member) for member in members[:MAX_MEMBERS]],
        "has_more_people": len(members) > MAX_MEMBERS,
        "has_token": run.job is not None and not run.is_terminal,
    }
    return render_page(request, "runs/seen_by.html", context, part="runs/_seen_by.html")


def _person(run: Run, member: Membership) -> Person:
    role = Role(member.role)
    why = "submitted the run" if member.user_id == run.submitter_id else ""
    return Person(member.user.get_username(), str(role.label), ACCESS[role], why)
