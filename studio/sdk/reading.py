"""Reading the metrics of a run, or of a whole family, in few requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.sdk.metrics import read_points
from studio.sdk.state import RunState

Points = list[tuple[int, float, Any]]
Found = dict[str, dict[str, Any]]


class Reading(RunState):
    """The half of a run that gives back what was logged."""

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: str | None = None,
        populate: bool = False,
    ) -> dict[str, Any]:
        """{metric: values}, or {run id: {metric: values}} with `recursive`: of the run itself and
        of those below it that have metrics, only of the type `run_type` where it is given.

        One shape per kind whatever the count, unlike in the original: numbers, strings and lists
        as a list in order, tables as {column: list}, images as a list of artifact paths (with
        `populate` of their bytes), documents as a list of dicts. What this process has queued is
        sent first. Samples of the machine (`system/…`) come for their name only. One request for
        100,000 values, however many metrics and runs they are of.
        """
        self.flush(30)
        found = self._values(name, recursive, populate)
        if not recursive:
            return found.get(self._uid, {})
        if run_type is not None:
            wanted = {run.id for run in self._family() if run.type == run_type}
            return {uid: metrics for uid, metrics in found.items() if uid in wanted}
        return {self._uid: {}, **found}

    def metric_points(self, name: str) -> Points:
        """(step, epoch seconds, value) of every point of one metric, in order."""
        return [
            line
            for page in self._points(name)
            for line in zip(page["steps"], page["times"], page["values"], strict=True)
        ]

    def _values(self, name: str | None, tree: bool, populate: bool) -> Found:
        """{run id: {metric: values}}, metrics by name."""
        pieces: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = {}
        query = {"name": name, "tree": "true" if tree else None, "limit": 100_000}
        for item in self._client.items(self._channel.path("metrics", "values"), **query):
            key = (item["run"], item["name"])
            pieces.setdefault(key, (item["kind"], []))[1].append(item)
        found: Found = {}
        for (uid, metric), (kind, pages) in sorted(pieces.items()):
            values = read_points(kind, pages)
            if populate and kind == "image":
                values = [self._bytes_of(uid, path) for path in values]
            found.setdefault(uid, {})[metric] = values
        return found

    def _bytes_of(self, uid: str, path: str) -> bytes:
        channel = self._channel if uid == self._uid else self._sibling(uid)._channel
        return self._client.request("GET", channel.path("artifacts", path)).data

    def _points(self, name: str) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            query = {"name": name, "cursor": cursor, "limit": 100_000}
            page = self._client.get(self._channel.path("metrics", "points"), **query)
            yield page
            cursor = page.get("next")
            if not cursor:
                return

    def _family(self) -> Iterator[RunState]:
        """The run and all below it."""
        from studio.sdk.search import find_runs

        yield self
        for record in find_runs(self._client, ancestor=self._uid, include_children=True):
            yield self._sibling(record["uid"], record)

    def flush(self, timeout_seconds: float = 300) -> bool:
        """Wait until everything logged so far has arrived; False when it has not in time."""
        from studio.sdk.outbox import OUTBOX

        return OUTBOX.flush(timeout_seconds, self._channel)
