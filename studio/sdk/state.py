"""What a run object knows of its run: identity, the cached record, reading and changing it."""

from __future__ import annotations

import html
import logging
import os
from typing import TYPE_CHECKING, Any, Self

from studio.sdk.client import Client, path_of
from studio.sdk.errors import ConnectionFailedException, UserErrorException
from studio.sdk.outbox import OUTBOX
from studio.sdk.records import Channel, Post
from studio.wire import TERMINAL

if TYPE_CHECKING:
    from studio.sdk.experiment import Experiment

log = logging.getLogger("studio.sdk")

CHANGE_RETRY_S = 10.0  # a tag must not hold up training for longer


class RunState:
    """The reading half of a run; `status`, `tags` and `properties` show the last fetched record."""

    def __init__(
        self,
        client: Client,
        uid: str,
        *,
        record: dict[str, Any] | None = None,
        experiment: Experiment | None = None,
    ) -> None:
        self._client, self._uid = client, uid
        self._record: dict[str, Any] = record or {}
        self._experiment = experiment
        self._channel = Channel(client, uid)
        self._pid = os.getpid()

    # --- identity --------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, unique in its workspace."""
        return self._uid

    @property
    def number(self) -> int:
        """The run's number within its experiment."""
        return int(self._known()["number"])

    @property
    def type(self) -> str:
        """interactive, script, pipeline or step."""
        return str(self._known()["type"])

    @property
    def experiment(self) -> Experiment:
        """The experiment this run belongs to."""
        if self._experiment is None:
            self._experiment = self._make_experiment(str(self._known()["experiment"]))
        return self._experiment

    @property
    def status(self) -> str:
        """The status as last fetched; `get_status` asks the studio."""
        return str(self._known()["status"])

    @property
    def parent(self) -> Self | None:
        """The parent run, or None for a root run."""
        uid = self._known().get("parent")
        return self._sibling(uid) if uid else None

    @property
    def display_name(self) -> str:
        """The run's name as people see it; assign to rename."""
        return str(self._known().get("display_name") or "")

    @display_name.setter
    def display_name(self, value: str) -> None:
        self._patch({"display_name": str(value)})

    @property
    def description(self) -> str:
        """The run's description (Markdown); assign to replace it."""
        return str(self._known().get("description") or "")

    @description.setter
    def description(self, value: str) -> None:
        self._patch({"description": str(value)})

    # --- reading ---------------------------------------------------------------------------------

    def get_status(self) -> str:
        """The status now: always asked for, so that a later change is seen."""
        return str(self._fetch()["status"])

    def get_detailed_status(self) -> dict[str, Any]:
        """{status, details}: details say what the run waits for, or None."""
        record = self._fetch()
        return {"status": record["status"], "details": record.get("status_reason") or None}

    def get_details(self) -> dict[str, Any]:
        """The run as the original shows it: runId, target, status, startTimeUtc, endTimeUtc (only
        when ended), properties, error, warnings, runDefinition, logFiles {path: url}, submittedBy,
        maxRunDurationSeconds, and evidence: what is known of an end that was not the script's own.
        """
        record = self._fetch()
        files = self._client.items(self._channel.path("artifacts"), prefix="logs/")
        url = f"{self._client.url}{self._client.base}{self._channel.path('artifacts')}"
        details = {
            "runId": self._uid,
            "target": record.get("target") or "local",
            "status": record["status"],
            "startTimeUtc": record.get("started_at"),
            "endTimeUtc": record.get("ended_at"),
            "services": {},
            "error": record.get("error"),
            "warnings": record.get("warnings") or [],
            "properties": record.get("properties") or {},
            "tags": record.get("tags") or {},
            "inputDatasets": [],
            "outputDatasets": [],
            "runDefinition": record.get("definition") or {},
            "logFiles": {item["path"]: url + path_of(item["path"]) for item in files},
            "submittedBy": record.get("submitter"),
            "maxRunDurationSeconds": record.get("max_run_duration_s"),
            "evidence": record.get("evidence"),
        }
        absent = ("endTimeUtc", "error", "startTimeUtc", "maxRunDurationSeconds", "evidence")
        return {k: v for k, v in details.items() if v is not None or k not in absent}

    def get_portal_url(self) -> str:
        """The address of the run's page."""
        return str(self._known().get("url") or "")

    def history(self) -> list[dict[str, Any]]:
        """Every change of the run, oldest first: at, kind, actor, before, after, message."""
        return list(self._client.items(self._channel.path("events")))

    def _repr_html_(self) -> str:
        """The table a notebook shows; everything is escaped."""
        record = self._known()
        link = html.escape(self.get_portal_url(), quote=True)
        link = link if link.startswith(("http://", "https://")) else ""
        cells = {
            "Experiment": html.escape(str(record.get("experiment", ""))),
            "Id": html.escape(self._uid),
            "Type": html.escape(str(record.get("type", ""))),
            "Status": html.escape(str(record.get("status", ""))),
            "Details": f'<a href="{link}" target="_blank" rel="noopener">Open in studio</a>',
        }
        head = "".join(f"<th>{name}</th>" for name in cells)
        body = "".join(f"<td>{cell}</td>" for cell in cells.values())
        return f"<table><tr>{head}</tr><tr>{body}</tr></table>"

    def __repr__(self) -> str:
        known = {key: self._record.get(key) for key in ("experiment", "status")}
        return f"{type(self).__name__}(id={self._uid!r}, {known})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunState) and other._uid == self._uid

    def __hash__(self) -> int:
        return hash(self._uid)

    # --- for the other halves --------------------------------------------------------------------

    def _known(self) -> dict[str, Any]:
        return self._record or self._fetch()

    def _fetch(self) -> dict[str, Any]:
        self._record = self._client.get(self._channel.path())
        return self._record

    def _ended(self) -> bool:
        return self._record.get("status") in TERMINAL

    def _patch(self, change: dict[str, Any]) -> None:
        request = self._client.request("PATCH", self._channel.path(), body=change)
        self._record = request.json()

    def _change(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST a change; with the studio away, keep it on disk in its place among the metrics."""
        path = self._channel.path(what)
        try:
            self._record = self._client.post(path, body, retry_total_s=CHANGE_RETRY_S)
        except ConnectionFailedException as error:
            self._change_later(path, body)
            log.warning("studio: %s; %s of run %s will be sent later", error, what, self._uid)
        return self._record

    def _change_later(self, path: str, body: dict[str, Any]) -> None:
        import json

        request = self._channel.request(path, json.dumps(body).encode())
        OUTBOX.put_heavy(Post(self._channel, request), 1 + len(request.body) // 50)

    def _sibling(self, uid: str, record: dict[str, Any] | None = None) -> Self:
        """Another run of the same workspace, as an object of the same kind."""
        return type(self)._attached(self._client, uid, record=record)

    @classmethod
    def _attached(cls, client: Client, uid: str, *, record: dict[str, Any] | None = None) -> Self:
        raise NotImplementedError

    def _make_experiment(self, name: str) -> Experiment:
        raise NotImplementedError


def checked_texts(pairs: Any, what: str) -> dict[str, str]:
    """{key: text} for tags or properties; other values become strings, with a warning."""
    if not isinstance(pairs, dict):
        raise UserErrorException(f"{what} takes a dict of names and values, not {pairs!r}")
    result = {}
    for key, value in pairs.items():
        if not isinstance(key, str) or not key:
            raise UserErrorException(f"{what}: a name must be a string, not {key!r}")
        if value is not None and not isinstance(value, str):
            log.warning("studio: %s %r: the value %r is stored as a string", what, key, value)
            value = str(value)
        result[key] = value
    return result
