"""Logs of runs: monitor-logs, download-logs."""

from __future__ import annotations

from typing import Any

import click

from studio.cli import following
from studio.cli.command import Command, reveal, run_option
from studio.cli.command import unused_experiment_option as unused
from studio.cli.connection import Call
from studio.cli.records import run_object


@click.command(
    "monitor-logs",
    cls=Command,
    example="""
    studio run monitor-logs -r ID
    studio run monitor-logs -r ID -o json 2>train.log
    """,
)
@run_option
@unused
@click.pass_obj
def monitor_logs(call: Call, run_id: str) -> None:
    """Write the log of a run from its start, and follow it until the run ends.

    With -o or --query the log goes to standard error and the run to standard output. Ctrl-C stops
    following; the run goes on. Exit code 4 when the run ended otherwise than Completed.
    """
    follow_to_the_end(call, run_id)


def follow_to_the_end(call: Call, run_id: str) -> None:
    """Write the log, show the run where that is asked for, and say how it ended."""
    record = following.follow(call, run_id)
    if following.wants_record(call):
        reveal(call, run_object(record))
    following.end_of(record)


@click.command("download-logs", cls=Command, example="studio run download-logs -r ID -d out")
@run_option
@unused
@click.option(
    "-d", "--output-dir", "folder", required=True, metavar="FOLDER",
    help="Where the files go; made when it is not there.",
)  # fmt: skip
@click.pass_obj
def download_logs(call: Call, run_id: str, folder: str) -> dict[str, Any]:
    """Write the logs of a run below a folder, in the tree that its page shows."""
    from studio.sdk.search import Runs

    files = Runs(call.client()).get(run_id).get_all_logs(folder)
    return {"run_id": run_id, "output_dir": folder, "files": files}


COMMANDS = (monitor_logs, download_logs)
