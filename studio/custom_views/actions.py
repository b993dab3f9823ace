"""Making, saving, restoring and deleting custom views. Each change of what a view shows is a
revision; every change is an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.custom_views.models import (
    MAX_DESCRIPTION,
    MAX_NAME,
    CustomView,
    Place,
    ViewEvent,
    ViewRevision,
)
from studio.custom_views.rights import (
    require_edit,
    require_manage,
    require_rename,
    require_see,
    rights,
)
from studio.custom_views.stored import checked, state_of
from studio.runs.limits import Invalid, clean_text
from studio.runs.models import Experiment

MAX_VIEWS = 1_000


class ViewConflict(Exception):
    """Somebody saved the view meanwhile; `view` is what is stored now."""

    def __init__(self, view: CustomView) -> None:
        self.view = view
        super().__init__(
            f"{view.changed_by} saved version {view.version} of “{view.name}” meanwhile. "
            "Merge both, overwrite it, or save yours as another view."
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new view is made of. `state`: texts as in the URL; `experiment`: of a view of one."""

    name: str
    state: Mapping[str, Any]
    description: str = ""
    place: str = Place.RUNS
    experiment: Experiment | None = None


def create_view(workspace: Workspace, draft: Draft, *, by: Actor, kind: str = "made") -> CustomView:
    """A new private view of the person who asks.

    Raises NotAllowed, and Invalid for a name that is no name or that another view of this person
    has, for a state that can't be understood, and for one view too many.
    """
    require(by, Permission.EDIT_OWN_VIEWS, workspace)
    if by.user is None or by.run_uid:
        raise NotAllowed("Only a person can have views. Use the token of one.")
    if draft.place not in Place.values or (draft.place == Place.EXPERIMENT) != bool(
        draft.experiment
    ):
        raise Invalid("place", "A view is of runs, of pipelines, or of one experiment.")
    if draft.experiment and draft.experiment.workspace_id != workspace.pk:
        raise Invalid("experiment", "The experiment is in another workspace.")
    view = CustomView(
        workspace=workspace,
        name=clean_view_name(draft.name),
        description=clean_description(draft.description),
        place=draft.place,
        experiment=draft.experiment,
        experiment_name=draft.experiment.name if draft.experiment else "",
        state=checked(draft.state),
        owner=by.user,
        owner_name=by.user.get_username(),
        changed_by=by.name,
    )
    with transaction.atomic():
        _room_for_one_more(view)
        _free_name(view, view.name)
        try:
            with transaction.atomic():
                view.save(force_insert=True)
        except IntegrityError as error:
            raise _taken(view.name) from error
        _revise(view)
        record(view, kind, by=by, before=None, after=content(view))
    return view


def save_view(
    view: CustomView,
    *,
    by: Actor,
    expected_version: int | None,
    state: Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str | None = None,
    restored: int | None = None,
) -> CustomView:
    """Store another state, name or description as the next version; what is None stays. Nothing new
    makes no version.

    expected_version: the version that was edited, None to overwrite whatever there is. Raises
    ViewConflict when the stored one is another, NotAllowed, Invalid (also with `view` as its field:
    it was deleted meanwhile).
    """
    require_edit(by, view)
    wanted: dict[str, Any] = {}
    if state is not None:
        wanted["state"] = checked(state)
    if name is not None:
        wanted["name"] = clean_view_name(name)
    if description is not None:
        wanted["description"] = clean_description(description)
    return _next_version(view, wanted, by=by, expected=expected_version, restored=restored)


def _next_version(
    view: CustomView,
    wanted: dict[str, Any],
    *,
    by: Actor,
    expected: int | None,
    restored: int | None,
) -> CustomView:
    with transaction.atomic():
        current = locked(view)
        # Again: what was shared may have ended since the view was read.
        require_edit(by, current)
        if expected not in (None, current.version):
            raise ViewConflict(current)
        before = content(current)
        if before | wanted == before:
            return current
        if wanted.get("name", current.name) != current.name:
            require_rename(by, current)
        _store(current, wanted, by=by)
        _revise(current, restored=restored)
        after = content(current)
        kind = "saved" if after["state"] != before["state"] else "described"
        record(current, "restored" if restored else kind, by=by, before=before, after=after)
    return current


def locked(view: CustomView) -> CustomView:
    """The view as it is stored now, nobody else's to change until the transaction ends. Raises
    Invalid when it was deleted."""
    current = _locked(view)
    if current is None or current.deleted_at is not None:
        told = f"“{view.name}” was deleted meanwhile. Undo that, or save as another view."
        raise Invalid("view", told)
    return current


def _locked(view: CustomView) -> CustomView | None:
    current = CustomView.objects.select_for_update().filter(pk=view.pk).first()
    if current is not None:
        current.workspace = view.workspace
    return current


def _store(view: CustomView, wanted: Mapping[str, Any], *, by: Actor) -> None:
    """Write the next version, if it is still the next one: with the lock of SELECT FOR UPDATE on
    PostgreSQL, by the condition on SQLite."""
    version = view.version
    if "name" in wanted and wanted["name"] != view.name:
        _free_name(view, wanted["name"])
    for key, value in wanted.items():
        setattr(view, key, value)
    view.version, view.changed_at, view.changed_by = version + 1, timezone.now(), by.name
    facts = {**wanted, "version": view.version, "changed_at": view.changed_at}
    mine = CustomView.objects.filter(pk=view.pk, version=version)
    try:
        with transaction.atomic():
            n = mine.update(**facts, changed_by=view.changed_by)
    except IntegrityError as error:
        raise _taken(view.name) from error
    if not n:
        raise ViewConflict(CustomView.objects.select_related("workspace").get(pk=view.pk))


def restore_version(view: CustomView, version: int, *, by: Actor) -> CustomView:
    """Make an earlier version the newest one again: state, description, and for who may rename the
    view its name. Raises Invalid for one there is not, and when its name is taken meanwhile."""
    require_edit(by, view)
    revision = ViewRevision.objects.filter(view=view, version=version).first()
    if revision is None:
        raise Invalid("version", f"“{view.name}” has no version {version}.")
    # Not checked: what could be stored then comes back, also where the rules have changed.
    wanted = content(revision) | {"state": state_of(revision.state).kept(ticks=True)}
    if rights(by, view).why_not_rename:
        del wanted["name"]
    return _next_version(view, wanted, by=by, expected=None, restored=version)


def duplicate_view(view: CustomView, *, by: Actor, name: str = "") -> CustomView:
    """An own, private copy of a view that the person sees; `name`: "" for “… copy”. Raises as
    `create_view`."""
    require_see(by, view)
    place, experiment = view.place, view.experiment
    if place == Place.EXPERIMENT and experiment is None:
        place = Place.RUNS
    state = state_of(view.state).kept(ticks=True)
    draft = Draft(name or free_copy_name(view, by=by), state, view.description, place, experiment)
    return create_view(view.workspace, draft, by=by, kind="duplicated")


def free_copy_name(view: CustomView, *, by: Actor) -> str:
    """A name for a copy that none of the person's views has: “… copy”, “… copy 2”, … (1 query)."""
    own = CustomView.objects.of(view.workspace).filter(owner=by.user)
    taken = {name.casefold() for name in own.values_list("name", flat=True)}
    stem = view.name[: MAX_NAME - 10].rstrip()
    names = (f"{stem} copy{f' {n}' if n > 1 else ''}" for n in range(1, MAX_VIEWS + 2))
    return next(name for name in names if name.casefold() not in taken)


def delete_view(view: CustomView, *, by: Actor) -> None:
    """Take the view away from everybody; `bring_back` undoes it. Again changes nothing."""
    require_manage(by, view)
    with transaction.atomic():
        current = _locked(view)
        if current is None or current.deleted_at is not None:
            return
        require_manage(by, current)
        view.deleted_at = timezone.now()
        CustomView.objects.filter(pk=view.pk).update(deleted_at=view.deleted_at)
        record(current, "deleted", by=by, before=content(current), after=None)


def bring_back(view: CustomView, *, by: Actor) -> CustomView:
    """Undo a deletion. Raises Invalid when its name has been given away meanwhile, or its owner has
    as many views as one can."""
    require_manage(by, view)
    with transaction.atomic():
        current = _locked(view)
        if current is None:
            raise Invalid("view", f"“{view.name}” is gone for good.")
        require_manage(by, current)
        if current.deleted_at is not None:
            _bring_back(current)
            record(current, "brought back", by=by, before=None, after=content(current))
    view.deleted_at = None
    return view


def _bring_back(view: CustomView) -> None:
    if view.owner_id is not None:
        _room_for_one_more(view)
        _free_name(view, view.name)
    try:
        with transaction.atomic():
            CustomView.objects.filter(pk=view.pk).update(deleted_at=None)
    except IntegrityError as error:
        raise _taken(view.name) from error


def clean_view_name(name: object) -> str:
    cleaned = clean_text(name, field="name", most=MAX_NAME, allow_empty=False)
    return " ".join(cleaned.split())


def clean_description(text: object) -> str:
    # Browsers send line ends as CR LF; one that only did this would else be a new version.
    cleaned = clean_text(text, field="description", most=MAX_DESCRIPTION)
    return cleaned.replace("\r\n", "\n").strip()


def content(view: CustomView | ViewRevision) -> dict[str, Any]:
    """What a version of the view holds."""
    return {"name": view.name, "description": view.description, "state": view.state}


def record(view: CustomView, kind: str, *, by: Actor, before: Any, after: Any) -> None:
    """One line of the view's history."""
    ViewEvent.objects.create(
        workspace_id=view.workspace_id,
        view=view,
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        before=before,
        after=after,
    )


def _revise(view: CustomView, *, restored: int | None = None) -> None:
    ViewRevision.objects.create(
        view=view,
        version=view.version,
        actor=view.changed_by,
        at=view.changed_at,
        restored=restored,
        **content(view),
    )


def _room_for_one_more(view: CustomView) -> None:
    own = CustomView.objects.of(view.workspace).filter(owner=view.owner_id)
    if own.count() >= MAX_VIEWS:
        raise Invalid("name", f"There are {MAX_VIEWS:,} views of one person. Delete one first.")


def _free_name(view: CustomView, name: str) -> None:
    """Refuse a name that another view of the same owner has. Compared here: SQLite takes no “Ü” for
    “ü”, so the constraint is for the race only."""
    if view.owner_id is None:
        return
    own = CustomView.objects.of(view.workspace).filter(owner=view.owner_id).exclude(pk=view.pk)
    if name.casefold() in {taken.casefold() for taken in own.values_list("name", flat=True)}:
        raise _taken(name)


def _taken(name: str) -> Invalid:
    return Invalid("name", f"You have a view “{name}” already. Choose another name.")
