"""Bringing back an earlier text of a description, as its newest version."""

from studio.accounts.permissions import Actor, Permission
from studio.runs.actions.annotate import describe_run
from studio.runs.actions.experiments import describe_experiment, require_edit
from studio.runs.actions.rights import require_on
from studio.runs.description_versions import Version, version_of
from studio.runs.limits import Invalid
from studio.runs.models import Description, Experiment, Run


def restore_description(
    run: Run, version: int, *, by: Actor, expected_version: int | None = None
) -> Description:
    """Save the text of `version` again; `expected_version` guards against overwriting.

    Raises Invalid when there is no such version, EditConflict when another one is stored.
    """
    require_on(by, Permission.EDIT_RUN, run)
    text = _found(run, version).text
    return describe_run(run, text, by=by, expected_version=expected_version, restored=version)


def restore_experiment_description(
    experiment: Experiment, version: int, *, by: Actor, expected_version: int | None = None
) -> Experiment:
    """As restore_description, for an experiment."""
    require_edit(by, experiment)
    text = _found(experiment, version).text
    return describe_experiment(
        experiment, text, by=by, expected_version=expected_version, restored=version
    )


def _found(described: Run | Experiment, version: int) -> Version:
    found = version_of(described, version)
    if found is None:
        raise Invalid("version", f"There is no version {version:,} of this description.")
    return found
