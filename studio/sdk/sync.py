"""Sending what earlier processes kept on disk while the studio was away.

`python -m studio.sdk.sync FOLDER SECONDS` is for the worker, after a script has ended: it sends the
spools of one folder to the studio of the environment, again and again within the given time, and
moves what is left, and what was refused, to the folder of all spools. It prints {"n_sent",
"n_left", "kept_in", "n_refused", "n_points_refused", "why_refused"} as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.sdk import config
from studio.sdk.client import RETRIED, Client, retry_delay_s
from studio.sdk.dead import dead_file, dead_letter, read_dead
from studio.sdk.delivery import n_lost, parsed, sender_of
from studio.sdk.errors import ConnectionFailedException, ServiceException, service_error
from studio.sdk.records import Channel
from studio.sdk.spool import Request, Spool, folder, orphans


@dataclass
class SyncReport:
    """What a sync did: requests sent, refused for good (kept in a .dead file), still waiting
    (other workspace, or the studio is away)."""

    n_sent: int = 0
    n_refused: int = 0
    n_left: int = 0


def sync(client: Client, where: Path | None = None) -> SyncReport:
    """Send the spools of dead processes that belong to the client's workspace, in order; those in
    `where`, by default in the folder of all spools.

    Raises ConnectionFailedException when the studio cannot be reached: everything stays on disk.
    Sending twice is harmless, batches carry their ids.
    """
    report, runs = SyncReport(), dict[str, Channel]()
    for spool in orphans(where):
        try:
            _send(spool, client, report, runs)
        except OSError as problem:
            text = f"no answer from {client.url}: {problem}"
            raise ConnectionFailedException(text) from problem
        finally:
            report.n_left += spool.n_records
            spool.close()
    return report


def _send(spool: Spool, client: Client, report: SyncReport, runs: dict[str, Channel]) -> None:
    for request in spool.pending():
        if (request.url, request.workspace) != (client.url, client.workspace):
            return
        answer = client.send(request.method, request.path, body=request.body)
        if answer.status in RETRIED or answer.status in (401, 403):
            raise service_error(answer.status, parsed(answer.data))
        if answer.status >= 400:
            _tell_refused(request, client, runs)
            dead_letter(request, str(service_error(answer.status, parsed(answer.data))))
            report.n_refused += 1
        else:
            report.n_sent += 1


def _tell_refused(request: Request, client: Client, runs: dict[str, Channel]) -> None:
    """Have it counted on its run, before it is put aside: OSError keeps it in the spool."""
    _, uid = sender_of(request)
    if uid and (n := n_lost(request)):
        channel = runs.setdefault(uid, Channel(client, uid))
        channel.count_dropped(n)
        told = channel.heartbeat()
        client.send(told.method, told.path, body=told.body)


def main(arguments: Sequence[str]) -> int:
    """0 when nothing is left in the folder, 1 when some of it was moved."""
    where, within_s = Path(arguments[0]), float(arguments[1])
    found = config.from_environment()
    if found is None:
        raise SystemExit("STUDIO_URL is not set")
    client = Client(found.url, found.workspace, found.token)
    deadline, attempt, n_sent = time.monotonic() + within_s, 0, 0
    while True:
        try:
            n_sent += sync(client, where).n_sent
            break
        except (ConnectionFailedException, ServiceException):
            delay_s = min(retry_delay_s(attempt), 5.0)
            if time.monotonic() + delay_s > deadline:
                break
            time.sleep(delay_s)
            attempt += 1
    n_left = sum(spool.n_records for spool in orphans(where))
    refused = [one for file in {*where.glob("*.dead"), dead_file()} for one in read_dead(file)]
    for file in [*where.glob("*.spool"), *where.glob("*.dead")]:
        shutil.move(file, folder() / file.name)
    report = {
        "n_sent": n_sent,
        "n_left": n_left,
        "kept_in": str(folder()),
        "n_refused": len(refused),
        "n_points_refused": sum(request.n_points for _, request in refused),
        "why_refused": refused[0][0] if refused else "",
    }
    print(json.dumps(report))
    return 1 if n_left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
