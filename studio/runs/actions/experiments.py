"""Archiving, renaming, describing, tagging and starring experiments."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs.actions.annotate import EditConflict
from studio.runs.actions.create import ExperimentName
from studio.runs.attachments import note_uses
from studio.runs.description_versions import RESTORED, SAVED
from studio.runs.descriptions import description_of
from studio.runs.history import reactivate, record_experiment_event
from studio.runs.limits import (
    MAX_DESCRIPTION_BYTES,
    MAX_LABELS,
    MAX_VALUE,
    Invalid,
    clean_key,
    clean_labels,
    clean_text,
)
from studio.runs.markdown import RENDERER_VERSION, render_markdown
from studio.runs.models import (
    EXPERIMENT_NAME_RULE,
    Experiment,
    ExperimentDescription,
    ExperimentStar,
)


class NameTaken(Exception):
    """Another experiment of the workspace has this name; the text says what to do."""


def archive_experiment(experiment: Experiment, *, by: Actor) -> Experiment:
    """Hide the experiment from lists; its runs stay where they are. Again changes nothing.

    A run written to it brings it back.
    """
    require_edit(by, experiment)
    with transaction.atomic():
        active = Experiment.objects.filter(pk=experiment.pk, archived_at=None)
        if active.update(archived_at=timezone.now()):
            record_experiment_event(experiment, "archived", by=by, before=False, after=True)
    experiment.refresh_from_db()
    return experiment


def reactivate_experiment(experiment: Experiment, *, by: Actor) -> Experiment:
    """Show an archived experiment in lists again; an active one stays as it is."""
    require_edit(by, experiment)
    with transaction.atomic():
        reactivate(experiment, by=by)
    experiment.refresh_from_db()
    return experiment


def rename_experiment(experiment: Experiment, name: str, *, by: Actor) -> Experiment:
    """Give the experiment another name; its runs stay in it. The old name is free again.

    Raises ExperimentName for a name there can't be, NameTaken for one there is (also archived).
    """
    require_edit(by, experiment)
    if not re.fullmatch(EXPERIMENT_NAME_RULE, str(name)):
        raise ExperimentName(
            "name",
            f"“{str(name)[:80]}” can't name an experiment: start with a letter or digit, then use "
            "letters, digits, “_” and “-” only, at most 255 characters.",
        )
    with transaction.atomic():
        current = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if current.shown_name != name:
            try:
                with transaction.atomic():
                    Experiment.objects.filter(pk=current.pk).update(name=name, title="")
            except IntegrityError as error:
                raise NameTaken(_taken(current, name)) from error
            before = current.shown_name
            record_experiment_event(current, "name", by=by, before=before, after=name)
    experiment.refresh_from_db()
    return experiment


def _taken(experiment: Experiment, name: str) -> str:
    other = Experiment.objects.filter(workspace=experiment.workspace_id, name=name).first()
    archived = " It is archived." if other is not None and other.archived_at else ""
    return (
        f"There is an experiment “{name}” already.{archived} "
        "Choose another name, or move the runs into that one."
    )


def describe_experiment(
    experiment: Experiment,
    text: str,
    *,
    by: Actor,
    expected_version: int | None = None,
    restored: int | None = None,
) -> Experiment:
    """Save the Markdown description; `expected_version` (0: none yet) guards against overwriting.

    The text that is stored already makes no version. `restored`: the version whose text it is.
    Raises EditConflict when another version is stored, Invalid when the text is too long.
    """
    require_edit(by, experiment)
    size = len(text.encode(errors="replace")) if isinstance(text, str) else 0
    if size > MAX_DESCRIPTION_BYTES:
        raise Invalid(
            "description",
            f"The description has {size:,} bytes; at most {MAX_DESCRIPTION_BYTES:,} fit.",
        )
    text = clean_text(text, field="description", most=MAX_DESCRIPTION_BYTES)
    html = render_markdown(text)
    with transaction.atomic():
        current = Experiment.objects.select_for_update().get(pk=experiment.pk)
        if expected_version not in (None, current.description_version):
            raise EditConflict(description_of(current))
        if current.description != text:
            Experiment.objects.filter(pk=current.pk).update(
                description=text, description_version=F("description_version") + 1
            )
            before, kind = current.description, SAVED if restored is None else RESTORED
            record_experiment_event(current, kind, by=by, before=before, after=text)
            _store_html(current, html, by=by)
            note_uses(current, text)
    experiment.refresh_from_db()
    return experiment


def _store_html(experiment: Experiment, html: str, *, by: Actor) -> None:
    facts = {
        "html": html,
        "renderer_version": RENDERER_VERSION,
        "edited_by": by.name,
        "edited_at": timezone.now(),
    }
    ExperimentDescription.objects.update_or_create(experiment=experiment, defaults=facts)


def tag_experiment(
    experiment: Experiment,
    *,
    by: Actor,
    put: Mapping[str, Any] | None = None,
    remove: Iterable[str] = (),
    most: int = MAX_VALUE,
) -> Experiment:
    """Set some tags and remove others; most: characters of a value. Raises Invalid for what can't
    be stored."""
    require_edit(by, experiment)
    new = clean_labels(put or {}, what="tag", nullable=True, most=most)
    gone = {clean_key(key, what="tag") for key in remove} - set(new)
    with transaction.atomic():
        current = Experiment.objects.select_for_update().get(pk=experiment.pk)
        before = current.tags
        after = {key: value for key, value in (before | new).items() if key not in gone}
        if len(after) > MAX_LABELS:
            raise Invalid("tags", f"An experiment holds at most {MAX_LABELS:,} tags.")
        if after != before:
            Experiment.objects.filter(pk=current.pk).update(tags=after)
            record_experiment_event(current, "tags", by=by, before=before, after=after)
    experiment.refresh_from_db()
    return experiment


def star_experiment(experiment: Experiment, *, by: Actor, starred: bool) -> None:
    """Mark or unmark the experiment as a favourite of the person who asks."""
    require(by, Permission.STAR, experiment.workspace)
    if by.user is None:
        raise NotAllowed("Only a person can have favourites.")
    if starred:
        ExperimentStar.objects.get_or_create(user=by.user, experiment=experiment)
    else:
        ExperimentStar.objects.filter(user=by.user, experiment=experiment).delete()


def require_edit(by: Actor, experiment: Experiment) -> None:
    """Raise NotAllowed unless `by` may change this experiment."""
    require(by, Permission.EDIT_EXPERIMENT, experiment.workspace)
    if by.run_uid:
        raise NotAllowed("The token of a run can't change its experiment. Use one of a person.")
