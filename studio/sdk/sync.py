"""Sending what earlier processes kept on disk while the studio was away."""

from __future__ import annotations

from dataclasses import dataclass

from studio.sdk.client import RETRIED, Client
from studio.sdk.delivery import dead_letter, parsed
from studio.sdk.errors import ConnectionFailedException, service_error
from studio.sdk.spool import orphans


@dataclass
class SyncReport:
    """What a sync did: requests sent, refused for good (kept in a .dead file), still waiting
    (other workspace, or the studio is away)."""

    n_sent: int = 0
    n_refused: int = 0
    n_left: int = 0


def sync(client: Client) -> SyncReport:
    """Send the spools of dead processes that belong to the client's workspace, in order.

    Raises ConnectionFailedException when the studio cannot be reached: everything stays on disk.
    Sending twice is harmless, batches carry their ids.
    """
    report = SyncReport()
    for spool in orphans():
        try:
            for request in spool.pending():
                if (request.url, request.workspace) != (client.url, client.workspace):
                    break
                answer = client.send(request.method, request.path, body=request.body)
                if answer.status in RETRIED or answer.status in (401, 403):
                    raise service_error(answer.status, parsed(answer.data))
                if answer.status >= 400:
                    dead_letter(request, str(service_error(answer.status, parsed(answer.data))))
                    report.n_refused += 1
                else:
                    report.n_sent += 1
        except OSError as problem:
            text = f"no answer from {client.url}: {problem}"
            raise ConnectionFailedException(text) from problem
        finally:
            report.n_left += spool.n_records
            spool.close()
    return report
