"""Experiments under the names that foreign clients give them, which may hold anything.

Ours stand in addresses: such a name becomes the title, and the name is made of it.
"""

import re
import unicodedata

from django.db import IntegrityError, transaction

from studio.accounts.models import Workspace
from studio.accounts.permissions import Actor, Permission, require
from studio.runs.actions.experiments import NameTaken, require_edit
from studio.runs.history import record_experiment_event
from studio.runs.limits import clean_text
from studio.runs.models import EXPERIMENT_NAME_RULE, Experiment
from studio.runs.querysets import ExperimentQuerySet

MAX_TITLE = 500
# Of a title, so much goes into the name, with room for a number.
SLUG_CHARS = 200
TRIES = 50


def known_as(workspace: Workspace, title: str) -> ExperimentQuerySet:
    """The one experiment that foreign clients know by this name, archived or not."""
    return Experiment.objects.of(workspace).known_as(title)


def create_titled(workspace: Workspace, title: str, *, by: Actor) -> Experiment:
    """A new experiment of that name. Raises NameTaken for one there is (also archived), Invalid
    for a name that can't be stored."""
    require(by, Permission.SUBMIT_RUN, workspace)
    title = clean_title(title)
    with transaction.atomic():
        _refuse_taken(workspace, title)
        experiment = Experiment(workspace=workspace, created_by=by.user)
        return _save_named(experiment, title)


def retitle_experiment(experiment: Experiment, title: str, *, by: Actor) -> Experiment:
    """Give the experiment another name, of the kind that foreign clients give. Raises as
    `create_titled`."""
    require_edit(by, experiment)
    title = clean_title(title)
    with transaction.atomic():
        current = Experiment.objects.select_for_update().get(pk=experiment.pk)
        before = current.shown_name
        if before != title:
            _refuse_taken(current.workspace, title)
            _save_named(current, title)
            record_experiment_event(current, "name", by=by, before=before, after=title)
    experiment.refresh_from_db()
    return experiment


def clean_title(title: str) -> str:
    return clean_text(title, field="name", most=MAX_TITLE, allow_empty=False)


def _refuse_taken(workspace: Workspace, title: str) -> None:
    found = known_as(workspace, title).first()
    if found is not None:
        deleted = " in deleted state" if found.archived_at else ""
        raise NameTaken(f"Experiment '{title[:100]}' already exists{deleted}.")


def _save_named(experiment: Experiment, title: str) -> Experiment:
    """Saved under the first name like the title that is free."""
    wanted = title if re.fullmatch(EXPERIMENT_NAME_RULE, title) else _slug_of(title)
    for i in range(1, TRIES):
        experiment.name = wanted if i == 1 else f"{wanted[:SLUG_CHARS]}-{i}"
        experiment.title = "" if experiment.name == title else title
        try:
            with transaction.atomic():
                experiment.save()
            return experiment
        except IntegrityError:
            _refuse_taken(experiment.workspace, title)
    raise NameTaken(f"There are too many experiments named like “{wanted[:80]}”.")


def _slug_of(title: str) -> str:
    """A name of letters, digits, “_” and “-” that looks like the title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")[:SLUG_CHARS] or "experiment"
