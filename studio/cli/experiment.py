"""`studio experiment …`."""

from __future__ import annotations

from typing import Any

import click

from studio.cli.command import ExperimentName, Family, experiment_option
from studio.cli.connection import Call
from studio.cli.records import EXPERIMENT_COLUMNS, experiment_object

required_name = click.option(
    *("-e", "--experiment-name", "experiment"),
    type=ExperimentName(),
    required=True,
    metavar="NAME",
    help="The experiment.",
)


@click.group(cls=Family, example="studio experiment list --output table")
def experiment() -> None:
    """Groups of runs."""


@experiment.command(
    "list",
    columns=EXPERIMENT_COLUMNS,
    example="""
    studio experiment list
    studio experiment list --archived --query "[].name" -o tsv
    """,
)
@click.option("--archived", "view", flag_value="archived", help="Only archived ones.")
@click.option("--all", "view", flag_value="all", help="Archived ones too.")
@click.pass_obj
def list_experiments(call: Call, view: str | None) -> list[dict[str, Any]]:
    """The experiments, the one with the newest run first."""
    found = call.client().items("/experiments", archived=view or "active", limit=500)
    return [experiment_object(record) for record in found]


@experiment.command("show", example="studio experiment show -e explore-runs")
@experiment_option
@click.pass_obj
def show_experiment(call: Call, experiment: str | None) -> dict[str, Any]:
    """One experiment, with its number of runs."""
    name = experiment or call.config().experiment
    if not name:
        raise click.UsageError("Give the experiment: -e NAME.")
    return experiment_object(call.client().get(_path(name)))


@experiment.command("archive", example="studio experiment archive -e explore-runs")
@required_name
@click.pass_obj
def archive_experiment(call: Call, experiment: str) -> dict[str, Any]:
    """Hide an experiment from lists; a run written to it brings it back."""
    return experiment_object(call.client().post(_path(experiment, "archive"), {}))


@experiment.command("reactivate", example="studio experiment reactivate -e explore-runs")
@required_name
@click.pass_obj
def reactivate_experiment(call: Call, experiment: str) -> dict[str, Any]:
    """Show an archived experiment in lists again."""
    return experiment_object(call.client().post(_path(experiment, "reactivate"), {}))


def _path(*parts: str) -> str:
    from studio.sdk.client import path_of

    return path_of("experiments", *parts)
