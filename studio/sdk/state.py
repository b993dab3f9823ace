"""What a run object knows of its run: identity, the cached record, reading and changing it."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any, Self

from studio.sdk.client import Client, path_of
from studio.sdk.errors import ConnectionFailedException, UserErrorException
from studio.sdk.outbox import OUTBOX
from studio.sdk.records import Channel, Post
from studio.wire import TERMINAL

if TYPE_CHECKING:
    from studio.sdk.environment import Environment
    from studio.sdk.experiment import Experiment

log = logging.getLogger("studio.sdk")

CHANGE_RETRY_S = 10.0  # a tag must not hold up training for longer
LATE_FLUSH_S = 0.2


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
        self._parent: Self | None = None
        self._pid = os.getpid()

    # --- identity --------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, unique in its workspace."""
        return self._uid

    @property
    def number(self) -> int:
        """The run's number within its experiment."""
        known = self._known()
        return int(known["number"] if "number" in known else self._fetch()["number"])

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
        """The parent run, or None for a root run; always the same object."""
        uid = self._known().get("parent")
        if uid and self._parent is None:
            self._parent = self._sibling(uid)
        return self._parent

    @property
    def name(self) -> str:
        """The display name; the original's older word for it."""
        return self.display_name

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

    def get_environment(self) -> Environment:
        """How the Python of a submitted script was made, without its variables; UserErrorException
        for a run that was not submitted."""
        from studio.sdk.environment import Environment

        facts = (self._fetch().get("definition") or {}).get("environment")
        if not isinstance(facts, dict):
            text = f"run {self._uid} was not submitted: it has no environment of its own"
            raise UserErrorException(text)
        return Environment.told(facts)

    def get_portal_url(self) -> str:
        """The address of the run's page."""
        return str(self._known().get("url") or "")

    def history(self) -> list[dict[str, Any]]:
        """Every change of the run, oldest first: at, kind, actor, before, after, message."""
        return list(self._client.items(self._channel.path("events")))

    def _repr_html_(self) -> str:
        """The table a notebook shows; everything is escaped."""
        from studio.sdk.notebook import run_table

        return run_table([self._known()])

    def __repr__(self) -> str:
        known = {key: self._record.get(key) for key in ("experiment", "status")}
        return f"{type(self).__name__}(id={self._uid!r}, {known})"

    def __reduce__(self) -> Any:
        """In another process the same run, which ends with a block of the process that started it,
        as after a fork."""
        return _again, (type(self), self._client, self._uid, self._record, self._pid)

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
        self._change("", change, method="PATCH")
        self._record.update(change)

    def _change(self, what: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Send a change; with the studio away, keep it on disk in its place among the metrics."""
        path = self._channel.path(what) if what else self._channel.path()
        data = json.dumps(body).encode()
        answer = self._sent_or_kept(method, path, data, what or "an edit")
        if answer is not None:
            self._record = answer
        return self._record

    def _sent_or_kept(self, method: str, path: str, data: bytes, what: str) -> Any:
        """The answer of the studio; None when the request is kept on disk and sent later."""
        problem = "earlier changes wait"
        if not self._waits():
            try:
                return self._client.request(
                    method, path, body=data, retry_total_s=CHANGE_RETRY_S
                ).json()
            except ConnectionFailedException as error:
                problem = str(error)
        log.warning("studio: %s; %s of run %s will be sent later", problem, what, self._uid)
        self._keep(method, path, data)
        return None

    def _waits(self) -> bool:
        """Whether something of this run is kept on disk: what comes now must come behind it."""
        if self._channel.is_late and OUTBOX.flush(LATE_FLUSH_S, self._channel):
            self._channel.is_late = False
        return self._channel.is_late

    def _keep(self, method: str, path: str, data: bytes) -> None:
        request = self._channel.request(path, data, method=method)
        self._channel.is_late = True
        OUTBOX.put_heavy(Post(self._channel, request), 1 + len(data) // 50)

    def _keep_change(self, path: str, body: dict[str, Any]) -> None:
        self._keep("POST", path, json.dumps(body).encode())

    def _sibling(self, uid: str, record: dict[str, Any] | None = None) -> Self:
        """Another run of the same workspace, as an object of the same kind."""
        return type(self)._attached(self._client, uid, record=record)

    @classmethod
    def _attached(cls, client: Client, uid: str, *, record: dict[str, Any] | None = None) -> Self:
        raise NotImplementedError

    def _make_experiment(self, name: str) -> Experiment:
        raise NotImplementedError


def _again(
    kind: type[RunState], client: Client, uid: str, record: dict[str, Any], pid: int
) -> RunState:
    run = kind._attached(client, uid, record=record)
    run._pid = pid
    return run


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
