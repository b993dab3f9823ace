"""Custom views as a YAML document: written out, and taken in as views of the person who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require, role_in
from studio.custom_views.actions import (
    MAX_VIEWS,
    Draft,
    ViewConflict,
    clean_description,
    clean_view_name,
    content,
    create_view,
    save_view,
)
from studio.custom_views.differences import differences
from studio.custom_views.entries import Entry, document, read_entries
from studio.custom_views.gone import Missing, missing_of_each
from studio.custom_views.models import CustomView, CustomViewQuerySet, Place
from studio.custom_views.rights import Rights, rights
from studio.custom_views.sharing import share_view
from studio.custom_views.stored import checked, state_of
from studio.runs.limits import Invalid
from studio.runs.models import Experiment

CREATED, CHANGED, UNCHANGED, REFUSED = "created", "changed", "unchanged", "refused"
NO_PERSON = "Only a person can have views. Use the token of one."


def export_views(workspace: Workspace, views: CustomViewQuerySet, *, by: Actor) -> str:
    """The document of the views, ordered by name: the same views give the same text.

    Who a view is shared with by name is told only to those who may share it. Raises Invalid for
    more than MAX_VIEWS, as many as an import takes. Queries: at most 4.
    """
    by = _knowing_role(by, workspace)
    if by.user is not None:
        views = views.with_facts_for(by.user)
    found = list(_with_grants(views)[: MAX_VIEWS + 1])
    if len(found) > MAX_VIEWS:
        raise Invalid("view", f"A document holds at most {MAX_VIEWS:,} views. Name those you need.")
    found.sort(key=lambda view: (view.name.casefold(), view.name, view.owner_name, view.uid))
    return document(_entry(workspace, view, by) for view in found)


@dataclass(frozen=True, slots=True)
class ViewReport:
    """What an import does, or would do, with one entry.

    result: CREATED, CHANGED, UNCHANGED or REFUSED; reason: why refused, a sentence; changes: of one
    that is changed, in words, such as "+1 filter, description, sharing"; unknown: what it asks for
    and the workspace does not have; uid: of the view, "" of one that is not there; version: that it
    then has, 0 of one that was refused.
    """

    name: str
    result: str
    reason: str = ""
    changes: str = ""
    unknown: tuple[Missing, ...] = ()
    uid: str = ""
    version: int = 0


def import_views(
    workspace: Workspace,
    text: str | bytes,
    *,
    by: Actor,
    dry_run: bool = False,
    share: bool = False,
) -> list[ViewReport]:
    """Make the person's own views as the document says, and tell what became of each entry, in its
    order. An entry means the own view of its name; it is taken whole or, where something in it
    can't be, not at all, and the others are taken. Views that it does not name stay as they are.

    dry_run: change nothing and tell the same. share: also who else sees and edits a view; one
    without `shared` becomes private. Everything happens in one transaction.

    Raises NotAllowed, and Invalid for a document that is none (`entries.read_entries`).
    """
    require(by, Permission.EDIT_OWN_VIEWS, workspace)
    if by.user is None or by.run_uid:
        raise NotAllowed(NO_PERSON)
    entries = read_entries(text)
    with transaction.atomic():
        taking = _Import(workspace, entries, by=_knowing_role(by, workspace), share=share)
        reports = [taking.report(entry) for entry in entries]
        transaction.set_rollback(dry_run)
    unknown = missing_of_each(workspace, [state_of(entry.state) for entry in entries])
    return [
        # What was made on trial is not there.
        replace(one, unknown=tuple(names), uid="" if dry_run and one.result == CREATED else one.uid)
        for one, names in zip(reports, unknown, strict=True)
    ]


class _Import:
    """Entries on their way into the views of one person."""

    def __init__(
        self, workspace: Workspace, entries: list[Entry], *, by: Actor, share: bool
    ) -> None:
        self.workspace, self.by, self.share = workspace, by, share
        own = CustomView.objects.of(workspace).filter(owner=by.user)
        self.own = {view.name: view for view in _with_grants(own)}
        # Names that differ in case only can't stand side by side.
        self.folded = {name.casefold(): view for name, view in self.own.items()}
        named = {entry.experiment for entry in entries if entry.experiment}
        found = Experiment.objects.of(workspace).filter(name__in=named)
        self.experiments = {one.name: one for one in found}
        self.seen: set[str] = set()

    def report(self, entry: Entry) -> ViewReport:
        """Take one entry, whole or not at all."""
        try:
            with transaction.atomic():
                return self._take(entry)
        except (Invalid, NotAllowed, ViewConflict) as refused:
            return ViewReport(entry.name[:100], REFUSED, str(refused))

    def _take(self, entry: Entry) -> ViewReport:
        wanted: dict[str, Any] = {
            "name": clean_view_name(entry.name),
            "description": clean_description(entry.description),
            "state": checked(entry.state),
        }
        name = wanted["name"]
        if name.casefold() in self.seen:
            raise Invalid("name", f"“{name}” comes twice in the document. This one is left out.")
        self.seen.add(name.casefold())
        held = self.own.get(name) or self.folded.get(name.casefold())
        if held is None:
            return self._create(entry, wanted)
        held.workspace = self.workspace
        _require_same_list(held, entry)
        changes = _changes(content(held), wanted)
        view = held
        if changes:
            view = save_view(held, by=self.by, expected_version=held.version, **wanted)
        if self._share(view, entry, _shared(held)):
            changes.append("sharing")
        result = CHANGED if changes else UNCHANGED
        told = ", ".join(changes)
        return ViewReport(name, result, changes=told, uid=view.uid, version=view.version)

    def _create(self, entry: Entry, wanted: Mapping[str, Any]) -> ViewReport:
        experiment = self.experiments.get(entry.experiment)
        if entry.experiment and experiment is None:
            told = f"There is no experiment “{entry.experiment[:80]}” in this workspace."
            raise Invalid("experiment", told)
        draft = Draft(**wanted, place=entry.place, experiment=experiment)
        view = create_view(self.workspace, draft, by=self.by, kind="imported")
        self._share(view, entry, {"everyone": "", "people": {}})
        return ViewReport(view.name, CREATED, uid=view.uid, version=view.version)

    def _share(self, view: CustomView, entry: Entry, before: Mapping[str, Any]) -> bool:
        """Whether it is shared otherwise now."""
        wanted: dict[str, Any] = {"everyone": entry.everyone, "people": dict(entry.people)}
        if not self.share or wanted == before:
            return False
        share_view(view, **wanted, by=self.by)
        return True


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What makes the next version of a view, in words."""
    found = [one.summary for one in differences(before["state"], after["state"])]
    return [*found, *(key for key in ("name", "description") if before[key] != after[key])]


def _require_same_list(view: CustomView, entry: Entry) -> None:
    """Refuse to make a view of one list one of another."""
    if (view.place, _experiment_name(view)) != (entry.place, entry.experiment):
        told = f"Your view “{view.name}” is of another list. Give this one another name."
        raise Invalid("list", told)


def _experiment_name(view: CustomView) -> str:
    if view.place != Place.EXPERIMENT:
        return ""
    return view.experiment.name if view.experiment else view.experiment_name


def _with_grants(views: CustomViewQuerySet) -> CustomViewQuerySet:
    """With all that an entry needs (2 queries more)."""
    return views.select_related("experiment").prefetch_related("grants__user")


def _shared(view: CustomView) -> dict[str, Any]:
    """As `sharing.sharing_of`, of a view whose grants are loaded."""
    people = {grant.user.get_username(): grant.access for grant in view.grants.all()}
    return {"everyone": view.everyone, "people": people}


def _entry(workspace: Workspace, view: CustomView, by: Actor) -> Entry:
    view.workspace = workspace
    may, shared = rights(by, view), _shared(view)
    return Entry(
        name=view.name,
        description=view.description,
        place=view.place,
        experiment=_experiment_name(view),
        state={name: text for name, text in view.state.items() if isinstance(text, str)},
        everyone=shared["everyone"],
        people=shared["people"] if knows_grants(by, may) else {},
    )


def knows_grants(actor: Actor, may: Rights) -> bool:
    """Whether a person with these rights in a view is told whom it is shared with; the code of a
    run need not be the person's."""
    return (may.is_own or may.may_manage) and not actor.run_uid


def _knowing_role(actor: Actor, workspace: Workspace) -> Actor:
    """The actor, whose role need not be asked with each view (at most 1 query)."""
    if actor.user is None or actor.seen_role:
        return actor
    role = role_in(actor.user, workspace)
    return replace(actor, seen_role=(workspace.pk, role)) if role else actor
