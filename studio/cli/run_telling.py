"""Being told of runs: notify."""

from __future__ import annotations

from typing import Any

import click

from studio.cli.command import Command, run_option
from studio.cli.command import unused_experiment_option as unused
from studio.cli.connection import Call


@click.command(
    "notify",
    cls=Command,
    example="""
    studio run notify -r ID
    studio run notify -r ID --off
    """,
)
@run_option
@unused
@click.option("--on/--off", default=True, help="A mail, or none.")
@click.pass_obj
def notify_at_end(call: Call, run_id: str, on: bool) -> dict[str, Any]:
    """Get one mail when a run ends, at the address of your account."""
    answer = call.client().post(f"/runs/{run_id}/notify", {"on": on})
    return {"run_id": run_id, "notify": answer["on"], "rule": answer["rule"]}


COMMANDS = (notify_at_end,)
