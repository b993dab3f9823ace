"""Naming, describing and labelling runs."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.runs import searchtext
from studio.runs.actions.rights import require_on
from studio.runs.attachments import note_uses
from studio.runs.description_versions import RESTORED, SAVED
from studio.runs.labels import OF_PARAMETER, by_key, parameter_row
from studio.runs.lifecycle import record_event
from studio.runs.limits import (
    MAX_DESCRIPTION_BYTES,
    MAX_LABELS,
    MAX_PARAMETERS,
    MAX_VALUE,
    MAX_WARNINGS,
    Invalid,
    clean_labels,
    clean_name,
    clean_text,
)
from studio.runs.markdown import RENDERER_VERSION, render_markdown
from studio.runs.models import (
    Description,
    ExperimentDescription,
    Parameter,
    Property,
    Run,
    Star,
)


class PropertyConflict(Exception):
    """A property is write-once, and this one holds another value."""

    def __init__(self, key: str, existing: str, value: str) -> None:
        self.key, self.existing, self.value = key, existing, value
        super().__init__(
            f"The property “{key}” is “{existing}” and can't be changed to “{value}”. "
            "Use a tag for what may change."
        )


class EditConflict(Exception):
    """Somebody saved meanwhile; carries what is stored now."""

    def __init__(self, current: Description | ExperimentDescription) -> None:
        self.current = current
        who = current.edited_by or "Somebody"
        super().__init__(f"{who} saved this description meanwhile. Compare, then save again.")


def rename_run(run: Run, display_name: str, *, by: Actor) -> Run:
    """Give the run another display name."""
    require_on(by, Permission.EDIT_RUN, run)
    name = clean_name(display_name)
    with transaction.atomic():
        before = (
            Run.objects.select_for_update().values_list("display_name", flat=True).get(pk=run.pk)
        )
        if name != before:
            Run.objects.filter(pk=run.pk).update(display_name=name)
            run.display_name = name
            searchtext.refresh(run)
            record_event(run, "name", by=by, before=before, after=name)
    return run


def describe_run(
    run: Run,
    text: str,
    *,
    by: Actor,
    expected_version: int | None = None,
    restored: int | None = None,
) -> Description:
    """Save the Markdown description; `expected_version` (0: none yet) guards against overwriting.

    The text that is stored already makes no version. `restored`: the version whose text it is.
    Raises EditConflict when another version is stored, Invalid when the text is too long.
    """
    require_on(by, Permission.EDIT_RUN, run)
    size = len(text.encode(errors="replace")) if isinstance(text, str) else 0
    if size > MAX_DESCRIPTION_BYTES:
        raise Invalid(
            "description",
            f"The description has {size:,} bytes; at most {MAX_DESCRIPTION_BYTES:,} fit. Put long "
            "texts in a file of the run and link to it.",
        )
    text = clean_text(text, field="description", most=MAX_DESCRIPTION_BYTES)
    html = render_markdown(text)
    with transaction.atomic():
        row, created = Description.objects.select_for_update().get_or_create(run=run)
        version = 0 if created else row.version
        if expected_version is not None and version != expected_version:
            row.version = version
            raise EditConflict(row)
        if row.text == text:
            return row
        before, row.text, row.html = row.text, text, html
        row.version = version + 1
        row.renderer_version = RENDERER_VERSION
        row.edited_by, row.edited_at = by.name, timezone.now()
        row.save()
        searchtext.refresh(run)
        note_uses(run, text)
        kind = SAVED if restored is None else RESTORED
        words = "" if restored is None else f"Version {restored} brought back"
        record_event(run, kind, by=by, before=before, after=text, message=words)
    return row


def add_properties(run: Run, properties: Mapping[str, Any], *, by: Actor) -> dict[str, str]:
    """Add write-once properties, all or none; the same value again is fine."""
    require_on(by, Permission.LOG_TO_RUN, run)
    new = clean_labels(properties, what="property")
    with transaction.atomic():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        before = dict(run.properties.values_list("key", "value"))
        for key, value in new.items():
            if before.get(key, value) != value:
                raise PropertyConflict(key, before[key], str(value))
        added = {key: value or "" for key, value in new.items() if key not in before}
        if len(before) + len(added) > MAX_LABELS:
            raise Invalid("properties", f"A run holds at most {MAX_LABELS:,} properties.")
        Property.objects.bulk_create(
            Property(run=run, workspace_id=run.workspace_id, key=k, value=v)
            for k, v in added.items()
        )
        if added:
            record_event(run, "properties", by=by, after=added)
    return before | added


def set_parameters(
    run: Run, parameters: Mapping[str, Any], *, by: Actor, most: int = MAX_VALUE
) -> dict[str, str]:
    """Set parameters; a later value of the same key replaces the earlier one. most: characters of
    a value."""
    require_on(by, Permission.LOG_TO_RUN, run)
    clean = clean_labels(parameters, what="parameter", most=most)
    new = {key: value or "" for key, value in clean.items()}
    with transaction.atomic():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        before: dict[str, str] = by_key(run.parameters.all())
        if len(before | new) > MAX_PARAMETERS:
            raise Invalid("parameters", f"A run holds at most {MAX_PARAMETERS:,} parameters.")
        Parameter.objects.bulk_create(
            [parameter_row(run, key, value) for key, value in new.items()],
            update_conflicts=True,
            unique_fields=["run", "key"],
            update_fields=OF_PARAMETER,
        )
        if before | new != before:
            old = {key: before.get(key) for key in new}
            record_event(run, "parameters", by=by, before=old, after=new)
    return before | new


def star_run(run: Run, *, by: Actor, starred: bool) -> None:
    """Mark or unmark the run as a favourite of the person who asks."""
    require(by, Permission.STAR, run.workspace)
    if by.user is None:
        raise NotAllowed("Only a person can have favourites.")
    if starred:
        Star.objects.get_or_create(user=by.user, run=run)
    else:
        Star.objects.filter(user=by.user, run=run).delete()


def warn_run(run: Run, message: str, *, once_for: str = "") -> None:
    """Add a warning to the run, once per text, or per beginning `once_for` of texts; the studio's
    own parts call this."""
    with transaction.atomic():
        current = Run.objects.select_for_update().get(pk=run.pk)
        told = current.warnings
        known = message in told or (once_for and any(text.startswith(once_for) for text in told))
        if not known and len(told) < MAX_WARNINGS:
            Run.objects.filter(pk=run.pk).update(warnings=[*told, message])
