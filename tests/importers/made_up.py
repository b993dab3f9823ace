"""A source that a test writes down: what any reader may yield."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from studio.importers.importing import Import
from studio.importers.records import FileRecord, Points, RunRecord, Unreadable
from studio.importers.report import Report
from studio.importers.wish import Wish
from tests import make

BEGIN = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Listed:
    """A reader of records that are given."""

    source, label = "made-up", "a made-up source"

    def __init__(self, *records: RunRecord | Unreadable) -> None:
        self.records = records

    def count(self) -> int | None:
        return len(self.records)

    def read(self) -> Iterator[RunRecord | Unreadable]:
        yield from self.records


def record(origin: str = "one", **facts: Any) -> RunRecord:
    """A run that took an hour and completed."""
    plain: dict[str, Any] = {
        "experiment": "vision",
        "name": f"run {origin}",
        "status": "Completed",
        "created_at": BEGIN,
        "started_at": BEGIN,
        "ended_at": BEGIN + timedelta(hours=1),
    }
    return RunRecord(origin=origin, **(plain | facts))


def points(n: int, *, name: str = "loss", start: int = 0, size: int = 1_000) -> Callable[[], Any]:
    """Points start … n - 1 of a metric in pieces, value = 1 / (step + 1)."""

    def pieces() -> Iterator[Points]:
        for at in range(start, n, size):
            steps = range(at, min(n, at + size))
            times = [BEGIN.timestamp() + step for step in steps]
            yield Points(name, list(steps), times, [1 / (step + 1) for step in steps])

    return pieces


def files(**named: bytes) -> Callable[[], Any]:
    """Files by name (a "__" in it is a folder)."""
    return lambda: [
        FileRecord(name.replace("__", "/"), len(content), partial(io.BytesIO, content))
        for name, content in named.items()
    ]


def bring(workspace: Any, *records: RunRecord | Unreadable, **wish: Any) -> Report:
    """Import them as bob, who contributes."""
    by = wish.pop("by", None) or make.actor(make.contributor_of(workspace))
    work = Import(Listed(*records), Wish(workspace=workspace, by=by, **wish))
    for _ in work.steps():
        pass
    return work.report
