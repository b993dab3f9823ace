"""Experiments and what hangs on runs as the JSON values of the contract.

Runs themselves are in `runs.as_json`, because their pages show the same values.
"""

from typing import Any

from studio.runs.as_json import (
    Parts,
    cancel_dict,
    iso,
    listed_dict,
    run_dict,
    with_parts,
)
from studio.runs.models import Experiment, ExperimentEvent, Run, RunEvent

__all__ = [
    "Parts",
    "beat_dict",
    "cancel_dict",
    "event_dict",
    "experiment_dict",
    "iso",
    "listed_dict",
    "run_dict",
    "with_parts",
]


def beat_dict(run: Run) -> dict[str, Any]:
    """What every sign of life is answered with."""
    return {"status": run.status, "cancel": cancel_dict(run)}


def experiment_dict(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "title": experiment.shown_name,
        "description": experiment.description,
        "description_version": experiment.description_version,
        "starred": bool(vars(experiment).get("is_starred", False)),
        "created_at": iso(experiment.created_at),
        "archived_at": iso(experiment.archived_at),
        "latest_run_at": iso(experiment.latest_run_at),
        "tags": experiment.tags,
    }


def event_dict(event: RunEvent | ExperimentEvent) -> dict[str, Any]:
    return {
        "at": iso(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "before": event.before,
        "after": event.after,
        "message": getattr(event, "message", ""),
    }
