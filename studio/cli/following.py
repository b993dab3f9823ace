"""Following the log of a run until it ends."""

from __future__ import annotations

import re
import sys
import time
from typing import Any, TextIO

from studio.cli.connection import RETRY_WHILE_FOLLOWING_S, Call
from studio.cli.failures import INTERRUPTED, RUN_FAILED, Failure
from studio.cli.output import remark

# On a terminal a log may colour its words, and nothing else: no titles, no clipboard, no answers.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OTHER_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)?", re.S)
CONTROL = {code: None for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n\r\b\x1b"}


def follow(call: Call, run_id: str) -> dict[str, Any]:
    """The record of the run when it has ended; meanwhile its log is written, from the start.

    The log goes to standard output; when a format or query was asked for, to standard error, so
    that standard output holds that alone. Raises Failure for Ctrl-C: the run goes on.
    """
    from studio.sdk.names import TERMINAL
    from studio.sdk.records import Channel
    from studio.sdk.waiting import MAIN_LOG, POLL_S, LogReader

    client = call.client(retry_s=RETRY_WHILE_FOLLOWING_S)
    out = sys.stderr if wants_record(call) else sys.stdout
    log = LogReader(client, Channel(client, run_id), MAIN_LOG)
    status = ""
    try:
        while True:
            record: dict[str, Any] = client.get(f"/runs/{run_id}")
            ended = record["status"] in TERMINAL  # known before reading: the rest is complete
            status = tell_status(record, status)
            for text in log.texts():
                _write(text, out)
            if ended:
                return record
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        raise Failure(
            f"stopped following; the run goes on. Cancel it: studio run cancel -r {run_id}",
            INTERRUPTED,
        ) from None


def wants_record(call: Call) -> bool:
    """Whether the run itself is asked for, not only its log."""
    return call.output_is_given or call.query is not None


def end_of(record: dict[str, Any]) -> None:
    """Say how a followed run ended; Failure unless it is Completed."""
    status, run_id = record["status"], record["uid"]
    if status == "Completed":
        remark(f"Run {run_id} is Completed. {record.get('url') or ''}")
        return
    why = (record.get("error") or {}).get("message") or record.get("status_reason") or ""
    why = f": {why}" if why else ""
    see = f"See: studio run show -r {run_id}"
    raise Failure(f"run {run_id} is {status}{why.rstrip('.')}. {see}", RUN_FAILED)


def tell_status(record: dict[str, Any], before: str) -> str:
    """On a terminal, what a run waits for before it writes anything; returns the status."""
    status = str(record["status"])
    if status != before and sys.stderr.isatty() and status not in ("Completed", "Failed"):
        reason = record.get("status_reason") or ""
        remark(f"{status} {reason}", dim=True)
    return status


def _write(text: str, out: TextIO) -> None:
    out.write(harmless(text) if out.isatty() else text)
    out.flush()


def harmless(text: str) -> str:
    """A log as a terminal may be given it: colours, tabs and returns stay, all else goes."""
    pieces, end = [], 0
    for found in OTHER_CONTROL.finditer(text):
        pieces.append(text[end : found.start()])
        if COLOUR.fullmatch(found[0]):
            pieces.append(found[0])
        end = found.end()
    pieces.append(text[end:])
    return "".join(pieces).translate(CONTROL)
