"""What the fake studio holds, and the faults it can be told to have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.wire import RunCreate, dump_numbers
from studio.wire.measures import PREFIX


@dataclass
class Fault:
    """`kind`: "503", "500", "reset" (stored, then the connection is reset), "drop" (reset before
    storing), "slow" (answers after `seconds`), or any 4xx as text."""

    kind: str
    path: str = "/batches"
    seconds: float = 0.0
    retry_after: str | None = None


@dataclass
class Store:
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    points: dict[tuple[str, str], list[tuple[Any, float, Any]]] = field(default_factory=dict)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)
    batches: set[str] = field(default_factory=set)
    n_duplicates: int = 0
    heartbeats: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    logs: dict[tuple[str, str], bytearray] = field(default_factory=dict)
    artifacts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    snapshots: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    cancel: dict[str, dict[str, Any]] = field(default_factory=dict)

    def all_values(self, runs: set[str], name: str | None) -> Iterator[dict[str, Any]]:
        """Items of GET …/metrics/values."""
        for (uid, metric), points in self.points.items():
            if uid in runs and (name == metric if name else not metric.startswith(PREFIX)):
                kind, values = self.kinds[uid, metric], [value for _, _, value in points]
                values = dump_numbers(values) if kind in ("scalar", "list") else values
                yield {"run": uid, "name": metric, "kind": kind, "values": values}

    def list_runs(self, query: dict[str, str]) -> dict[str, Any]:
        """The answer of GET …/runs."""
        found = list(self.runs.values())[::-1]
        if "parent" in query:
            found = [r for r in found if r["parent"] == query["parent"]]
        elif "ancestor" in query:
            found = [r for r in found if r["uid"] != query["ancestor"] and r["parent"]]
        elif "children" not in query:
            found = [r for r in found if not r["parent"]]
        start, size = int(query.get("cursor", 0)), int(query.get("limit", 500))
        following = str(start + size) if start + size < len(found) else None
        return {"items": found[start : start + size], "next": following}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        self.status = status
        self.error = {"code": code, "message": message, **extra}


def new_record(message: RunCreate, number: int, url: str) -> dict[str, Any]:
    """A run as it is told right after it was made."""
    definition = dict(message.definition)
    if message.submit:
        definition["environment"] = message.submit.environment.dump()
        del definition["environment"]["variables"]
    return {
        **message.dump(),
        "definition": definition,
        "number": number,
        "status": "Queued" if message.submit else "Running" if message.start else "NotStarted",
        "parent": message.parent,
        "display_name": message.display_name or "",
        "description": message.description or "",
        "error": None,
        "target": "local",
        "started_at": "2026-11-21T04:00:00.000000Z",
        "ended_at": None,
        "submitter": "ada",
        "warnings": [],
        "url": f"{url}/w/default/runs/{message.uid}",
    }


def counts_of(studio: Any, uid: str) -> list[int]:
    """The greatest count of lost values that each sender told of the run."""
    told: dict[str, int] = {}
    for run, beat in studio.store.heartbeats:
        if run == uid and "n_dropped" in beat:
            sender = beat.get("sender", "")
            told[sender] = max(told.get(sender, 0), beat["n_dropped"])
    return list(told.values())
