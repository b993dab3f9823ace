"""`studio run …`: the family; its commands are in the modules `run_…`."""

from __future__ import annotations

import click

from studio.cli import run_changes, run_ending, run_logs, run_reading, run_submit, run_telling
from studio.cli.command import Family


@click.group(cls=Family, example="studio run list --last 5 --output table")
def run() -> None:
    """Runs: submit, list, follow, change, cancel."""


for part in (run_submit, run_reading, run_logs, run_changes, run_ending, run_telling):
    for command in part.COMMANDS:
        run.add_command(command)
