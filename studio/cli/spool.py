"""Sending what was logged while the studio was away."""

from __future__ import annotations

from typing import Any

import click

from studio.cli.command import Command
from studio.cli.connection import Call
from studio.cli.failures import Failure
from studio.cli.output import note


@click.command(cls=Command, example="studio sync")
@click.pass_obj
def sync(call: Call) -> dict[str, Any]:
    """Send what ended training processes kept on disk while the studio was away.

    Sending twice is harmless: everything carries an id.
    """
    from studio.sdk.sync import sync as send

    report = send(call.client())
    if report.n_left:
        note(f"{report.n_left} requests wait on: they are of another studio or workspace")
    if report.n_refused:
        refused = (
            f"The studio refused {report.n_refused} requests for good; {report.n_sent} were sent."
        )
        raise Failure(f"{refused} They are kept in a file .dead beside the spool.")
    return {"n_sent": report.n_sent, "n_left": report.n_left}
