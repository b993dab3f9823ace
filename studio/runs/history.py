"""Lines of history for many runs at once, and for experiments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from studio.accounts.permissions import Actor
from studio.runs.models import Experiment, ExperimentEvent, Run, RunEvent


@dataclass(slots=True)
class Outcome:
    """What became of a change to many runs: those changed, and why others were not.

    `facts` are numbers to tell besides, such as bytes freed.
    """

    done: list[Run] = field(default_factory=list)
    refused: list[tuple[Run, str]] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)


class Refused(Exception):
    """The change is not possible for this run as it stands; the text says why and what to do."""


def record_events(
    runs: Iterable[Run],
    kind: str,
    *,
    by: Actor,
    before: Mapping[int, Any],
    after: Mapping[int, Any],
) -> None:
    """One line for each run, with its values by id (1 query for each few hundred)."""
    now = timezone.now()
    RunEvent.objects.bulk_create(
        RunEvent(
            workspace_id=run.workspace_id,
            run=run,
            at=now,
            kind=kind,
            actor=by.name,
            actor_user=by.user,
            before=before.get(run.pk),
            after=after.get(run.pk),
            work=by.work_uid or None,
        )
        for run in runs
    )


def record_experiment_event(
    experiment: Experiment, kind: str, *, by: Actor, before: Any, after: Any
) -> None:
    """One line of an experiment's history."""
    ExperimentEvent.objects.create(
        workspace_id=experiment.workspace_id,
        experiment=experiment,
        kind=kind,
        actor=by.name,
        actor_user=by.user,
        before=before,
        after=after,
    )


def reactivate(experiment: Experiment, *, by: Actor) -> None:
    """Show an archived experiment again; of several at once, one writes the line."""
    archived = Experiment.objects.filter(pk=experiment.pk, archived_at__isnull=False)
    if archived.update(archived_at=None):
        record_experiment_event(experiment, "archived", by=by, before=True, after=False)
    experiment.archived_at = None
