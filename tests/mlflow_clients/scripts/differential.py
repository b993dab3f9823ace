"""The same requests to any server that speaks the protocol, and its answers with what may differ by
nature (ids, times, made-up names, the words of errors) replaced.

Fixed seed, fixed times: asked twice, one server gives the same answers.
"""

import json
import re
from typing import Any
from urllib.parse import urlencode

import requests
from mlflow import get_tracking_uri
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

API, FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
TIMES = {
    "creation_time",
    "last_update_time",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
    "end_time",
    "start_time",
}
GIVEN = 1_600_000_000_000
"""Times that the script gives itself are below a day after this one, and stay as they are."""


class Asker:
    """Sends requests as the client does, and keeps (label, request, status, answer) of each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answers: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.host = get_default_host_creds(get_tracking_uri())

    def post(self, label: str, path: str, body: Any = None, method: str = "POST") -> Any:
        """Text and bytes are sent as they are, all else as JSON."""
        raw = isinstance(body, (str, bytes))
        sent = {"data": body} if raw else {"json": {} if body is None else body}
        return self._ask(label, method, API + path, **sent)

    def get(self, label: str, call: str, **query: Any) -> Any:
        return self._ask(label, "GET", f"{API}{call}?{urlencode(query, doseq=True)}")

    def file(self, label: str, method: str, path: str, data: Any = None) -> Any:
        """A file up or down; the path follows the address of all files as it is."""
        return self._ask(label, method, FILES + path, data=data)

    def at(self, label: str, path: str) -> Any:
        """GET of a path of the server's own."""
        return self._ask(label, "GET", path)

    def _ask(self, label: str, method: str, path: str, **sent: Any) -> Any:
        if label in self.answers:
            raise ValueError(f"two requests are called {label!r}")
        answer = http_request(self.host, path, method, max_retries=0, raise_on_status=False, **sent)
        body = read(answer)
        self._learn(body, label)
        asked = sent.get("json", str(sent.get("data"))[:80])
        self.answers[label] = {
            "asked": self._plain([method, path, asked]),
            "status": answer.status_code,
            "answer": self._normal(body, answer.status_code),
        }
        return body

    def _learn(self, body: Any, label: str, key: str = "") -> None:
        """Name each id after the request whose answer had it first."""
        if isinstance(body, dict):
            for name, value in sorted(body.items()):
                self._learn(value, label, name)
        elif isinstance(body, list):
            for value in body:
                self._learn(value, label, key)
        elif key in ("run_id", "model_id", "experiment_id"):
            self.names.setdefault(str(body), f"<{key} of {label}>")

    def _plain(self, value: Any) -> Any:
        """With names for the ids."""
        text = json.dumps(value).replace(self.name, "NAME")
        for known in sorted(self.names, key=len, reverse=True):
            if len(known) > 12:
                text = text.replace(known, self.names[known])
        return json.loads(text)

    def _normal(self, body: Any, status: int) -> Any:
        if status >= 400:
            return error_of(body)
        return self._walk(self._plain(body), "")

    def _walk(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            # What is missing and what is empty mean the same.
            walked = {name: self._walk(inner, name) for name, inner in value.items()}
            if walked.get("file_size") == 0:
                del walked["file_size"]
            return {name: inner for name, inner in walked.items() if inner not in ("", [], {})}
        if isinstance(value, list):
            entries = [self._walk(inner, key) for inner in value]
            # In no promised order: what is found by its key.
            return sorted(entries, key=by_key) if key in KEYED else entries
        if key in TIMES and not (isinstance(value, int) and GIVEN <= value < GIVEN + 10**8):
            return f"<{type(value).__name__}: time>"
        if key == "next_page_token":
            return "<token>"
        if key == "experiment_id":
            return self.names.get(value, value)
        return re.sub(r"mlflow-artifacts:/.*", address, value) if isinstance(value, str) else value


KEYED = ("tags", "params", "metrics", "files", "dataset_inputs", "model_inputs", "model_outputs")


def by_key(entry: Any) -> str:
    """Of a list whose order means nothing; the history of a metric has equal keys, and stays."""
    return str(entry.get("key", entry.get("path", ""))) if isinstance(entry, dict) else str(entry)


def address(found: re.Match[str]) -> str:
    """Of files: the server's own affair but for its beginning."""
    return "mlflow-artifacts:/…"


def read(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return {"text": answer.text[:2000]}


def error_of(body: Any) -> dict[str, Any]:
    """An error's code, and whether it says anything."""
    if "error_code" not in body:
        return {"error_code": "none: no JSON of an error"}
    return {"error_code": body["error_code"], "says something": bool(body.get("message"))}


def main(experiment: str) -> dict[str, Any]:
    import ops_experiments
    import ops_files
    import ops_models
    import ops_runs
    import ops_search

    asker = Asker(experiment)
    for part in (ops_experiments, ops_runs, ops_search, ops_files, ops_models):
        part.operations(asker, experiment)
    return asker.answers
