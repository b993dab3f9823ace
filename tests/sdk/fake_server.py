"""A small real HTTP server that keeps the contract of the API in memory, with injectable faults.

Bodies are parsed with studio.wire, so whatever the SDK sends is checked as strictly as by the
studio. Batches are idempotent by id. Faults are taken one per matching request, in order.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
import struct
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from studio import wire
from studio.wire.bundles import BadBundle, read_bundle
from tests.sdk.fake_store import Fault, Refused, Store, new_record

BASE = "/api/v1/workspaces/default"
TERMINAL = wire.TERMINAL


class FakeStudio:
    """Start with `with FakeStudio() as studio`; `stop()` and `start()` keep the port."""

    def __init__(self) -> None:
        self.store, self.lock = Store(), threading.RLock()
        self.faults: list[Fault] = []
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> FakeStudio:
        self.start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        handler = type("Handler", (Handler,), {"studio": self})
        self._server = Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.close_all()
            self._server = None

    def values(self, uid: str, name: str) -> list[Any]:
        with self.lock:
            return [value for _, _, value in self.store.points.get((uid, name), [])]

    def run(self) -> dict[str, Any]:
        """The only run."""
        (record,) = self.store.runs.values()
        return record

    def take_fault(self, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.path in path:
                    self.faults.remove(fault)
                    return fault
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, *args: Any) -> None:
        self.sockets: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.sockets.add(request)
        super().process_request(request, client_address)

    def close_all(self) -> None:
        for connection in self.sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body leaves with its head, not 40 ms after it
    studio: FakeStudio

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_PATCH = do_GET

    def answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fault = self.studio.take_fault(parts.path)
        if fault and fault.kind == "drop":
            return self.reset()
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault and fault.kind.isdigit():
            return self.refuse(int(fault.kind), fault)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        try:
            with self.studio.lock:
                self.studio.store.requests.append((self.command, unquote(parts.path)))
                status, data, headers = self.route(unquote(parts.path), query, body)
        except Refused as error:
            status, data, headers = error.status, {"error": error.error}, {}
        except wire.WireError as error:
            problem = {"code": "invalid", "message": str(error), "field": error.path}
            status, data, headers = 422, {"error": problem}, {}
        if fault and fault.kind == "reset":
            return self.reset()
        self.send(status, data, headers)

    def send(self, status: int, data: Any, headers: dict[str, str]) -> None:
        payload = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(payload)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def refuse(self, status: int, fault: Fault) -> None:
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        code = {503: "unavailable", 429: "rate_limited"}.get(status, "error")
        self.send(status, {"error": {"code": code, "message": f"fault {status}"}}, headers)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def route(self, path: str, query: dict[str, str], body: bytes) -> Any:
        if self.headers.get("Authorization") != "Bearer secret":
            raise Refused(401, "unauthenticated", "Sign in, or send a token.")
        if not path.startswith(BASE):
            raise Refused(404, "not_found", "There is no such workspace.")
        parts = path[len(BASE) :].strip("/").split("/")
        name = f"{self.command.lower()}_{parts[0]}"
        method = getattr(self, name, None)
        if method is None:
            raise Refused(404, "not_found", f"There is no {path}.")
        result = method(parts[1:], query, body)
        return result if isinstance(result, tuple) else (200, result, {})

    # --- routes ----------------------------------------------------------------------------------

    def get_(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return {"name": "default", "description": "", "role": "owner"}

    def post_experiments(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        name = json.loads(body)["name"]
        new = {"name": name, "description": "", "archived_at": None, "tags": {}}
        return self.studio.store.experiments.setdefault(name, new)

    def get_experiments(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        return {"items": list(self.studio.store.experiments.values()), "next": None}

    def get_targets(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        target = {"name": "local", "description": "", "enabled": True, "n_workers": 1}
        return {"items": [{**target, "grace_s": 30}], "next": None}

    def post_snapshots(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        store, data = self.studio.store, json.loads(body)
        if parts == ["missing"]:
            digests = wire.DigestList.parse(data).digests
            return {"missing": [digest for digest in digests if digest not in store.blobs]}
        files = wire.SnapshotCreate.parse(data).files
        missing = [f.digest for f in files if f.digest not in store.blobs]
        if missing:
            raise Refused(409, "conflict", "Upload the blobs first.", missing=missing)
        snapshot = hashlib.sha256(body).hexdigest()[:32]
        store.snapshots[snapshot] = [f.dump() for f in files]
        return 201, {"id": snapshot, "n_files": len(files), "n_bytes": 0}, {}

    def get_snapshots(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        files = self.studio.store.snapshots[parts[0]]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in files:
                archive.writestr(file["path"], self.studio.store.blobs[file["digest"]])
        return buffer.getvalue()

    def put_blobs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        if hashlib.sha256(body).hexdigest() != parts[0]:
            raise Refused(422, "invalid", "The digest is another.", field="digest")
        self.studio.store.blobs[parts[0]] = body
        self.studio.store.puts.append(parts[0])
        return 201, {"digest": parts[0], "size": len(body)}, {}

    def post_blobs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        try:
            blobs = read_bundle(body)
        except BadBundle as error:
            raise Refused(422, "invalid", str(error), field=error.field) from error
        self.studio.store.blobs.update(blobs)
        self.studio.store.puts.extend(blobs)
        return 201, {"blobs": [{"digest": d, "size": len(blobs[d])} for d in blobs]}, {}

    def record(self, uid: str) -> dict[str, Any]:
        try:
            return self.studio.store.runs[uid]
        except KeyError:
            raise Refused(404, "not_found", f"There is no run {uid}.") from None

    def get_runs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        if not parts:
            return self.studio.store.list_runs(query)
        uid, what = parts[0], parts[1] if len(parts) > 1 else ""
        record, store = self.record(uid), self.studio.store
        rest = "/".join(parts[2:])
        if not what:
            return record
        if what == "metrics" and rest == "values":
            wanted = {uid, *(u for u, r in store.runs.items() if r["parent"])}
            runs = wanted if "tree" in query else {uid}
            return {"items": list(store.all_values(runs, query.get("name"))), "next": None}
        if what == "metrics" and rest == "points":
            points = store.points[uid, query["name"]]
            kind = store.kinds[uid, query["name"]]
            steps = [i if step is None else step for i, (step, _, _) in enumerate(points)]
            values = [value for _, _, value in points]
            values = wire.dump_numbers(values) if kind in ("scalar", "list") else values
            times = [at for _, at, _ in points]
            return {"kind": kind, "steps": steps, "times": times, "values": values, "next": None}
        if what == "metrics":
            names = [name for key, name in store.points if key == uid]
            items = [{"name": name, "kind": store.kinds[uid, name]} for name in names]
            return {"items": items, "next": None}
        if what == "logs":
            data = bytes(store.logs.get((uid, rest), b""))
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", 65536))
            headers = {"X-Log-Size": str(len(data)), "X-Log-Complete": "0"}
            return 200, data[offset : offset + limit], headers
        if what == "artifacts" and rest:
            if (uid, rest) not in store.artifacts:
                raise Refused(404, "not_found", f"There is no file {rest}.")
            return store.artifacts[uid, rest]
        if what == "artifacts":
            names = [n for key, n in [*store.artifacts, *store.logs] if key == uid]
            names = [n for n in names if n.startswith(query.get("prefix", ""))]
            return {"items": [{"path": n} for n in sorted(names)], "next": None}
        return {"items": [], "next": None}

    def put_runs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        self.record(parts[0])
        self.studio.store.artifacts[parts[0], "/".join(parts[2:])] = body
        return 201, {"path": "/".join(parts[2:]), "size": len(body)}, {}

    def patch_runs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        record = self.record(parts[0])
        record.update(wire.RunPatch.parse(json.loads(body)).dump())
        return record

    def post_runs(self, parts: list[str], query: dict[str, str], body: bytes) -> Any:
        if not parts:
            return self.create(wire.RunCreate.parse(json.loads(body)))
        uid, what = parts[0], parts[1]
        record = self.record(uid)
        if what == "logs":
            return self.append_log(uid, "/".join(parts[2:]), int(query["offset"]), body)
        return getattr(self, f"run_{what}")(record, json.loads(body))

    def create(self, message: wire.RunCreate) -> Any:
        store = self.studio.store
        if message.uid in store.runs:
            return store.runs[message.uid]
        record = new_record(message, len(store.runs) + 1, self.studio.url)
        store.runs[message.uid] = record
        return 201, record, {}

    def append_log(self, uid: str, path: str, offset: int, body: bytes) -> Any:
        log = self.studio.store.logs.setdefault((uid, path), bytearray())
        if offset > len(log):
            raise Refused(409, "log_gap", "There is a gap.", size=len(log))
        log += body[len(log) - offset :]
        return {"size": len(log)}

    def run_children(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        message = wire.ChildrenCreate.parse(data)
        made = []
        for child in message.children:
            body = {**child.dump(), "experiment": record["experiment"], "parent": record["uid"]}
            self.create(wire.RunCreate.parse({**body, "start": message.start}))
            made.append(self.record(child.uid))
        return {"items": made}

    def run_batches(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        store, batch = self.studio.store, wire.Batch.parse(data)
        if duplicate := batch.batch in store.batches:
            store.n_duplicates += 1
        else:
            store.batches.add(batch.batch)
            for series in batch.metrics:
                key = (record["uid"], series.name)
                store.kinds[key] = series.kind
                steps = series.steps or [None] * len(series.values)
                lines = zip(steps, series.times, series.values, strict=True)
                store.points.setdefault(key, []).extend(lines)
        beat = self.beat(record)
        return {"accepted": batch.n_points, "duplicate": duplicate, **beat}

    def run_heartbeat(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        wire.Heartbeat.parse(data)
        self.studio.store.heartbeats.append((record["uid"], data))
        return self.beat(record)

    def beat(self, record: dict[str, Any]) -> dict[str, Any]:
        cancel = self.studio.store.cancel.get(record["uid"])
        return {"status": record["status"], "cancel": cancel}

    def run_tags(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        change = wire.TagChange.parse(data)
        record["tags"].update(change.set)
        for key in change.remove:
            record["tags"].pop(key, None)
        return record

    def run_properties(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        for key, value in wire.PropertyChange.parse(data).set.items():
            if record["properties"].get(key, value) != value:
                text = f"The property {key!r} is write-once."
                raise Refused(409, "property_conflict", text, key=key)
        record["properties"].update(data["set"])
        return record

    def run_star(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        return {**record, "starred": data["starred"]}

    def end(self, record: dict[str, Any], status: str) -> Any:
        if record["status"] in TERMINAL and status != "Failed":
            text = f"The run is already {record['status']}."
            raise Refused(409, "invalid_transition", text)
        record.update(status=status, ended_at="2026-11-21T04:01:00.000000Z")
        return record

    def run_complete(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        return self.end(record, "Completed")

    def run_canceled(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        return self.end(record, "Canceled")

    def run_fail(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        message = wire.FailRequest.parse(data)
        record["error"] = message.error.dump() if message.error else None
        return self.end(record, "Failed")

    def run_cancel(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        wire.CancelRequest.parse(data)
        if record["status"] in TERMINAL:
            return {**record, "notice": f"The run is already {record['status']}."}
        record["status"] = "CancelRequested"
        return record

    def run_start(self, record: dict[str, Any], data: dict[str, Any]) -> Any:
        record["status"] = "Running"
        return record
