"""What people and programs do to runs: each function checks the right, then the rule, writes in
one transaction and records who did it. Pages, API, CLI, importers and tasks all call these."""

from studio.runs.actions.annotate import (
    EditConflict,
    PropertyConflict,
    add_properties,
    describe_run,
    rename_run,
    set_parameters,
    star_run,
    warn_run,
)
from studio.runs.actions.cancelling import cancel_run, cancel_runs
from studio.runs.actions.create import (
    ExperimentName,
    NewRun,
    Submission,
    UidTaken,
    create_children,
    create_run,
    ensure_experiment,
    known_experiment,
)
from studio.runs.actions.definitions import definition_of
from studio.runs.actions.status import (
    complete_run,
    confirm_canceled,
    fail_run,
    kill_run,
    resume_run,
    start_run,
)
from studio.runs.actions.tags import NO_TAG, Seen, TagClash, TagConflict, change_tags

__all__ = [
    "EditConflict",
    "NO_TAG",
    "ExperimentName",
    "NewRun",
    "PropertyConflict",
    "Seen",
    "Submission",
    "TagClash",
    "TagConflict",
    "UidTaken",
    "add_properties",
    "cancel_run",
    "cancel_runs",
    "change_tags",
    "complete_run",
    "confirm_canceled",
    "create_children",
    "create_run",
    "definition_of",
    "describe_run",
    "ensure_experiment",
    "fail_run",
    "kill_run",
    "known_experiment",
    "rename_run",
    "resume_run",
    "set_parameters",
    "star_run",
    "start_run",
    "warn_run",
]
