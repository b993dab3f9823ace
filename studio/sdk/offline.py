"""Offline runs: the full surface of a run without a studio; every change prints what it would do.

Tags, properties, metrics and children are kept in memory, files by name and where they lie, so
that reading them back works. The machine is sampled as for any run, without a word.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from studio.sdk.client import Answer, Body, Client
from studio.sdk.errors import PropertyConflictException, UserErrorException, service_error
from studio.sdk.monitoring import Monitor
from studio.sdk.records import Channel, Point, Post
from studio.sdk.run import Run
from studio.wire import TERMINAL, dump_numbers
from studio.wire.measures import PREFIX

SAMPLE_TURN_S = 1.0


class OfflineRun(Run):
    """A run that only exists in this process."""

    @classmethod
    def create(cls) -> OfflineRun:
        """A new root run, Running."""
        studio = OfflineStudio()
        record = studio.add({"uid": f"OfflineRun_{uuid.uuid4()}", "start": True})
        run = cls._attached(studio, record["uid"], record=record)
        if (monitor := Monitor.wanted()) is not None:
            arguments = (studio, run._channel, monitor)
            threading.Thread(
                target=_sample, args=arguments, name="studio-offline", daemon=True
            ).start()
        return run

    @classmethod
    def _attached(cls, client: Client, uid: str, *, record: dict[str, Any] | None = None) -> Self:
        run = cls.__new__(cls)
        super(Run, run).__init__(client, uid, record=record)
        run._live_here()
        return run

    def _answer_for(self, *, tee: bool = False) -> Self:
        return self

    def _put(self, record: Point | Post) -> None:
        studio = self._client
        if isinstance(studio, OfflineStudio) and type(record) is Point:
            studio.log(self._uid, record)
        elif isinstance(studio, OfflineStudio) and type(record) is Post:
            path = unquote(record.request.path).partition("/artifacts/")[2]
            studio.store(self._uid, path, record.request.body)

    def flush(self, timeout_seconds: float = 300) -> bool:
        """Nothing is queued."""
        return True

    def submit_child(self, config: Any, tags: Any = None, **kwargs: Any) -> Self:
        """A child that counts as Completed: nothing is executed, the configuration is checked."""
        return super().submit_child(config, tags, **kwargs)

    def cancel(self, reason: str | None = None, *, children: bool = True) -> None:
        """Marks the run as Canceled."""
        self._end("canceled", {"reason": reason} if reason else {})

    def __enter__(self) -> Self:
        sys.stdout.write(f"[START] offline run {self._uid}\n")
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        sys.stdout.write(f"[STOP] offline run {self._uid}\n")


def _sample(studio: OfflineStudio, channel: Channel, monitor: Monitor) -> None:
    """Keep samples of the machine until the run has ended."""
    while studio.is_live(channel.uid):
        for point in monitor.points(channel):
            studio.keep(channel.uid, point)
        time.sleep(SAMPLE_TURN_S)


def say(what: str) -> None:
    """Tell on stdout what a studio would have been asked to do."""
    sys.stdout.write(f"Attempted to {what}\n")


class OfflineStudio(Client):
    """Answers the requests of a run from memory."""

    def __init__(self) -> None:
        super().__init__("offline:", "offline", "")
        self._runs: dict[str, dict[str, Any]] = {}
        self._metrics: dict[str, dict[str, list[Point]]] = {}
        self._files: dict[str, dict[str, bytes | Path]] = {}

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        """The record of a new run; a submitted one counts as done, nothing executes here."""
        uid, now = body["uid"], _now()
        parent = body.get("parent")
        root = self._runs[parent]["root"] if parent in self._runs else uid
        status = (
            "Completed" if "submit" in body else "Running" if body.get("start") else "NotStarted"
        )
        record = {
            "uid": uid,
            "number": len(self._runs) + 1,
            "experiment": body.get("experiment", "offline"),
            "workspace": "offline",
            "display_name": body.get("display_name") or uid,
            "type": body.get("type", "interactive"),
            "status": status,
            "parent": parent,
            "root": root,
            "target": "local",
            "started_at": now,
            "created_at": now,
            "ended_at": now if status == "Completed" else None,
            "tags": dict(body.get("tags") or {}),
            "properties": dict(body.get("properties") or {}),
            "parameters": dict(body.get("parameters") or {}),
            "description": body.get("description") or "",
            "definition": body.get("definition") or {},
            "error": None,
            "warnings": [],
            "url": "",
            "submitter": os.environ.get("USER", ""),
        }
        self._runs[uid] = record
        return record

    def log(self, uid: str, point: Point) -> None:
        """Keep a point and tell."""
        say(f"log {point.kind} metric {point.name}: {point.value!r}")
        self.keep(uid, point)

    def is_live(self, uid: str) -> bool:
        """Whether the run has not ended."""
        return self._runs[uid]["status"] not in TERMINAL

    def keep(self, uid: str, point: Point) -> None:
        """Keep a point, to be read back."""
        self._metrics.setdefault(uid, {}).setdefault(point.name, []).append(point)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        query: dict[str, Any] | None = None,
        retry_total_s: float | None = None,
    ) -> Answer:
        """The answer a studio would give."""
        parts = unquote(path.partition("?")[0]).strip("/").split("/")
        content = _content(method, body)
        if parts[0] == "runs" and len(parts) > 1:
            what = "/".join(parts[2:])
            if method == "GET" and what.startswith("artifacts/"):
                return Answer(200, {}, self._bytes_of(parts[1], what.removeprefix("artifacts/")))
            answer = self._of_run(method, parts[1], what, content, query or {})
            if method == "PUT" and isinstance(body, bytes | Path):
                answer = self.store(parts[1], "/".join(parts[3:]), body)
        elif parts[0] == "runs":
            answer = self._runs_answer(method, content, query or {})
        else:
            answer = _elsewhere(parts, content)
        return Answer(200, {}, json.dumps(answer).encode())

    def store(self, uid: str, path: str, data: bytes | Path) -> dict[str, Any]:
        """Remember a file and tell; {path, size}."""
        say(f"upload {path}")
        self._files.setdefault(uid, {})[path] = data
        return {"path": path, "size": _size(data)}

    def download(self, path: str, target: Path) -> None:
        """Write a file that was uploaded; a snapshot is refused, none is kept."""
        parts = unquote(path).strip("/").split("/")
        if parts[0] != "runs":
            raise UserErrorException(f"an offline run keeps no snapshots: {path}")
        target.write_bytes(self._bytes_of(parts[1], "/".join(parts[3:])))

    def _bytes_of(self, uid: str, path: str) -> bytes:
        data = self._files.get(uid, {}).get(path)
        if data is None:
            error = {"code": "not_found", "message": f"run {uid} has no file {path}"}
            raise service_error(404, {"error": error})
        return data if isinstance(data, bytes) else data.read_bytes()

    def _runs_answer(self, method: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
        if method == "POST":
            say("submit a script" if "submit" in body else f"create a child run {body['uid']}")
            return self.add(body)
        records = list(self._runs.values())[::-1]
        for key in ("parent", "type"):
            if query.get(key):
                records = [r for r in records if r[key] == query[key]]
        if ancestor := query.get("ancestor"):
            records = [r for r in records if ancestor in self._ancestors(r)]
        return {"items": records, "next": None}

    def _ancestors(self, record: dict[str, Any]) -> list[str]:
        found = []
        while parent := record.get("parent"):
            found.append(parent)
            record = self._runs.get(parent, {})
        return found

    def _of_run(
        self, method: str, uid: str, what: str, body: dict[str, Any], query: dict[str, Any]
    ) -> Any:
        record = self._runs.get(uid)
        if record is None:
            raise service_error(404, {"error": {"code": "not_found", "message": f"no run {uid}"}})
        if method == "PATCH":
            say(f"change {', '.join(body)} of the run")
            record.update(body)
        elif method == "GET" and what:
            return self._read(uid, what, query)
        elif method == "POST" and what == "children":
            made = [self.add({**child, "parent": uid, "start": True}) for child in body["children"]]
            say(f"create {len(made)} child runs")
            return {"items": made}
        elif method == "POST":
            _change(record, what, body)
        return record

    def _read(self, uid: str, what: str, query: dict[str, Any]) -> Any:
        logged = self._metrics.get(uid, {})
        if what == "metrics/points":
            points = logged.get(query["name"], [])
            kind = points[0].kind if points else "scalar"
            values = [point.value for point in points]
            steps = [i if p.step is None else p.step for i, p in enumerate(points)]
            times = [point.time_s for point in points]
            values = dump_numbers(values) if kind in ("scalar", "list") else values
            return {"kind": kind, "steps": steps, "times": times, "values": values, "next": None}
        if what == "metrics":
            items = [{"name": name, "kind": found[0].kind} for name, found in list(logged.items())]
            return {"items": items, "next": None}
        if what == "metrics/values":
            return {"items": list(self._all_values(uid, query)), "next": None}
        if what == "artifacts":
            stored = sorted(self._files.get(uid, {}).items())
            found = [{"path": path, "size": _size(data)} for path, data in stored]
            return {"items": _below(found, query.get("prefix") or ""), "next": None}
        if what.startswith("logs/"):
            raise service_error(404, {"error": {"code": "not_found", "message": "no logs"}})
        return {"items": [], "next": None}

    def _all_values(self, uid: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """As a studio answers for all metrics of a run, or of its tree."""
        wanted = query.get("name")
        below = [r["uid"] for r in self._runs.values() if uid in self._ancestors(r)]
        for run in [uid, *(below if query.get("tree") else [])]:
            for name in list(self._metrics.get(run, {})):
                if name == wanted if wanted else not name.startswith(PREFIX):
                    page = self._read(run, "metrics/points", {"name": name})
                    yield {"run": run, "name": name, "kind": page["kind"], "values": page["values"]}


def _content(method: str, body: Body) -> dict[str, Any]:
    """The JSON of a request that is not a file."""
    if isinstance(body, bytes) and method != "PUT":
        content: dict[str, Any] = json.loads(body)
        return content
    return body if isinstance(body, dict) else {}


def _size(data: bytes | Path) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def _below(files: list[dict[str, Any]], prefix: str) -> list[dict[str, Any]]:
    return [file for file in files if file["path"].startswith(prefix)]


def _change(record: dict[str, Any], what: str, body: dict[str, Any]) -> None:
    ends = {"complete": "Completed", "fail": "Failed", "canceled": "Canceled", "cancel": "Canceled"}
    say(f"{what} the run" if what in ends or what == "start" else f"set {what}: {body}")
    if what in ends and (record["status"] not in TERMINAL or what == "fail"):
        record.update(status=ends[what], ended_at=_now(), error=body.get("error"))
    elif what == "start":
        record["status"] = "Running"
    elif what == "tags":
        record["tags"].update(body.get("set", {}))
        for key in body.get("remove", ()):
            record["tags"].pop(key, None)
    elif what == "properties":
        _add_properties(record["properties"], body["set"])
    elif what == "parameters":
        record["parameters"].update(body["set"])
    elif what == "star":
        record["starred"] = body["starred"]


def _add_properties(existing: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if existing.get(key, value) != value:
            text = f"property {key!r} is {existing[key]!r} and cannot become {value!r}"
            error = {"code": "property_conflict", "message": text, "key": key}
            raise PropertyConflictException(409, error)
    existing.update(new)


def _elsewhere(parts: list[str], body: dict[str, Any]) -> Any:
    if parts == ["snapshots", "missing"]:
        return {"missing": []}
    if parts == ["snapshots"]:
        say(f"store a snapshot of {len(body['files'])} files")
        return {"id": f"offline-{uuid.uuid4().hex[:8]}", "n_files": len(body["files"])}
    if parts == ["experiments"]:
        return {"name": body.get("name"), "tags": {}}
    return {"items": [], "next": None}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
