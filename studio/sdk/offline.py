"""Offline runs: the full surface of a run without a studio; every change prints what it would do.

Tags, properties, metrics and children are kept in memory, so that reading them back works; files
are named, not kept.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from studio.sdk.client import Answer, Body, Client
from studio.sdk.errors import PropertyConflictException, UserErrorException, service_error
from studio.sdk.records import Point, Post
from studio.sdk.run import Run
from studio.wire import TERMINAL, dump_numbers


class OfflineRun(Run):
    """A run that only exists in this process."""

    @classmethod
    def create(cls) -> OfflineRun:
        """A new root run, Running."""
        studio = OfflineStudio()
        record = studio.add({"uid": f"OfflineRun_{uuid.uuid4()}", "start": True})
        return cls._attached(studio, record["uid"], record=record)

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
        elif type(record) is Post:
            say(f"store the image {record.request.path.partition('/artifacts/')[2]}")

    def flush(self, timeout_seconds: float = 300) -> bool:
        """Nothing is queued."""
        return True

    def cancel(self, reason: str | None = None, *, children: bool = True) -> None:
        """Marks the run as Canceled."""
        self._end("canceled", {"reason": reason} if reason else {})

    def __enter__(self) -> Self:
        sys.stdout.write(f"[START] offline run {self._uid}\n")
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        sys.stdout.write(f"[STOP] offline run {self._uid}\n")


def say(what: str) -> None:
    """Tell on stdout what a studio would have been asked to do."""
    sys.stdout.write(f"Attempted to {what}\n")


class OfflineStudio(Client):
    """Answers the requests of a run from memory."""

    def __init__(self) -> None:
        super().__init__("offline:", "offline", "")
        self._runs: dict[str, dict[str, Any]] = {}
        self._metrics: dict[str, dict[str, list[Point]]] = {}
        self._files: dict[str, dict[str, int]] = {}

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
        content = body if isinstance(body, dict) else {}
        if parts[0] == "runs" and len(parts) > 1:
            answer = self._of_run(method, parts[1], "/".join(parts[2:]), content, query or {})
            if method == "PUT":
                say(f"upload {'/'.join(parts[3:])}")
                sizes = self._files.setdefault(parts[1], {})
                sizes["/".join(parts[3:])] = len(body) if isinstance(body, bytes) else 0
        elif parts[0] == "runs":
            answer = self._runs_answer(method, content, query or {})
        else:
            answer = _elsewhere(parts, content)
        return Answer(200, {}, json.dumps(answer).encode())

    def download(self, path: str, target: Path) -> None:
        """Refused: an offline run keeps no files."""
        raise UserErrorException(f"an offline run keeps no files: {path}")

    def _runs_answer(self, method: str, body: dict[str, Any], query: dict[str, Any]) -> Any:
        if method == "POST":
            say("submit a script" if "submit" in body else f"create a child run {body['uid']}")
            return self.add(body)
        records = list(self._runs.values())[::-1]
        if query.get("parent"):
            records = [r for r in records if r["parent"] == query["parent"]]
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
            items = [{"name": name, "kind": points[0].kind} for name, points in logged.items()]
            return {"items": items, "next": None}
        if what == "artifacts":
            sizes = self._files.get(uid, {})
            files = [{"path": path, "size": size} for path, size in sorted(sizes.items())]
            return {"items": files, "next": None}
        if what == "events":
            return {"items": [], "next": None}
        raise UserErrorException(f"an offline run keeps no files: {what}")


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
