"""Ends of runs: cancel, fail, delete, restore."""

from __future__ import annotations

import time
from typing import Any

import click

from studio.cli.command import Command, run_option
from studio.cli.command import unused_experiment_option as unused
from studio.cli.connection import RETRY_WHILE_FOLLOWING_S, Call
from studio.cli.failures import INTERRUPTED, Failure
from studio.cli.output import note
from studio.cli.records import run_object


@click.command(
    "cancel",
    cls=Command,
    example="""
    studio run cancel -r ID --reason "wrong data"
    studio run cancel -r ID --wait
    """,
)
@run_option
@unused
@click.option("--reason", metavar="TEXT", help="Why; the history of the run keeps it.")
@click.option("--children/--no-children", default=True, help="Its child runs too, or not.")
@click.option("--kill", is_flag=True, help="Without the rest of the grace period.")
@click.option("--wait", is_flag=True, help="Return when the run has ended.")
@click.pass_obj
def cancel_run(call: Call, /, run_id: str, **asked: Any) -> dict[str, Any]:
    """Ask a run to stop. A finished run stays as it is, and that is said."""
    client = call.client()
    body = {"children": asked["children"]}
    if asked["reason"]:
        body["reason"] = asked["reason"]
    record = client.post(f"/runs/{run_id}/cancel", body)
    if record.get("notice"):
        note(f"{record['notice']} Its status stays.")
        return run_object(record)
    if asked["kill"]:
        record = client.post(f"/runs/{run_id}/kill", {})
    return run_object(_ended(call, run_id) if asked["wait"] else record)


def _ended(call: Call, run_id: str) -> dict[str, Any]:
    from studio.sdk.names import TERMINAL
    from studio.sdk.waiting import POLL_S

    client = call.client(retry_s=RETRY_WHILE_FOLLOWING_S)
    try:
        while True:
            record: dict[str, Any] = client.get(f"/runs/{run_id}")
            if record["status"] in TERMINAL:
                return record
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        text = f"stopped waiting; run {run_id} is being canceled all the same."
        raise Failure(text, INTERRUPTED) from None


@click.command(
    "fail", cls=Command, example='studio run fail -r ID --message "wrong script" --code MyCode'
)
@run_option
@unused
@click.option("--message", metavar="TEXT", help="What went wrong.")
@click.option("--code", metavar="CODE", help="A code of yours for it; default: UserError.")
@click.pass_obj
def fail_run(call: Call, run_id: str, message: str | None, code: str | None) -> dict[str, Any]:
    """Mark a run as Failed, also one that is Completed."""
    error = {"message": message, "code": code}
    error = {name: text for name, text in error.items() if text is not None}
    body = {"error": error} if error else {}
    return run_object(call.client().post(f"/runs/{run_id}/fail", body))


@click.command(
    "delete",
    cls=Command,
    example="""
    studio run delete -r ID
    studio run delete -r ID --cancel
    """,
)
@run_option
@unused
@click.option("--cancel", is_flag=True, help="Cancel it first if it is not finished.")
@click.pass_obj
def delete_run(call: Call, run_id: str, cancel: bool) -> dict[str, Any]:
    """Put a run and its child runs in the trash, from which `studio run restore` takes them."""
    return run_object(call.client().post(f"/runs/{run_id}/delete", {"cancel": cancel}))


@click.command("restore", cls=Command, example="studio run restore -r ID")
@run_option
@unused
@click.pass_obj
def restore_run(call: Call, run_id: str) -> dict[str, Any]:
    """Take a run out of the trash, with the child runs that went there with it."""
    return run_object(call.client().post(f"/runs/{run_id}/restore", {}))


COMMANDS = (cancel_run, fail_run, delete_run, restore_run)
