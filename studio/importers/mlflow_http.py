"""Asking an MLflow tracking server by HTTP."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlsplit

import urllib3

from studio.importers.records import SourceError

API, PROXY = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
CONNECT_S, READ_S = 10.0, 120.0
# Of one answer that is no file.
MAX_ANSWER_BYTES = 200_000_000
NOT_THERE = 404


class NotThere(SourceError):
    """The server has no such address or object."""


class Server:
    """One tracking server. Redirects are not followed: the token is for this server only."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise SourceError(
                "Write the server as http://host:port with no login in it; a login is read from "
                "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
            )
        self.name = parts.netloc
        self._base = address.rstrip("/")
        again = urllib3.Retry(
            total=3,
            redirect=0,
            backoff_factor=0.5,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,
            raise_on_redirect=False,
            raise_on_status=False,
        )
        timeout = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
        self._pool = urllib3.PoolManager(headers=_headers(), retries=again, timeout=timeout)

    def close(self) -> None:
        self._pool.clear()

    def get(self, where: str, /, **query: Any) -> dict[str, Any]:
        """Raises NotThere, SourceError."""
        return self._object(self._ask("GET", where, fields=query))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Raises NotThere, SourceError."""
        return self._object(self._ask("POST", path, json=body))

    def pages(self, path: str, part: str, **body: Any) -> Iterator[Any]:
        """The items of all pages of a search. Raises SourceError."""
        token, seen = "", set[str]()
        while True:
            answer = self.post(path, **body, **({"page_token": token} if token else {}))
            yield from answer.get(part) or ()
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise SourceError(f"{self.name} gives the same page of {part} for ever.")
            seen.add(token)

    def open(self, where: str, /, **query: str) -> BinaryIO:
        """The bytes of a file as they come. Raises NotThere, SourceError; its `read` OSError."""
        answer = self._ask("GET", where, fields=query)
        return cast(BinaryIO, _Body(answer))

    def _ask(self, method: str, path: str, **more: Any) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(
                method, self._base + path, preload_content=False, redirect=False, **more
            )
        except urllib3.exceptions.HTTPError as error:
            raise SourceError(f"{self.name} can't be reached: {error}") from error
        if answer.status == 200:
            return answer
        words = _words(answer)
        answer.release_conn()
        if answer.status == NOT_THERE:
            raise NotThere(f"{self.name} has no {path}: {words}")
        raise SourceError(f"{self.name} answers {answer.status} to {path}: {words}")

    def _object(self, answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        try:
            data = answer.read(MAX_ANSWER_BYTES + 1, decode_content=True)
            found = json.loads(data or b"{}") if len(data) <= MAX_ANSWER_BYTES else None
        except (urllib3.exceptions.HTTPError, ValueError, RecursionError) as error:
            raise SourceError(f"{self.name} gives no answer that can be read: {error}") from error
        finally:
            answer.release_conn()
        if not isinstance(found, dict):
            raise SourceError(f"{self.name} is no MLflow server: its answer is no object.")
        return found


def _headers() -> Mapping[str, str]:
    """What the MLflow client would send, from the same variables."""
    found = {"User-Agent": "studio-import"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    if token:
        found["Authorization"] = f"Bearer {token}"
    elif user:
        login = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        found |= urllib3.make_headers(basic_auth=login)
    if workspace := os.environ.get("MLFLOW_WORKSPACE", ""):
        found["X-MLFLOW-WORKSPACE"] = workspace
    return found


def _words(answer: urllib3.BaseHTTPResponse) -> str:
    """What the server says is wrong."""
    try:
        text = answer.read(10_000, decode_content=True)
        found = json.loads(text)
    except (urllib3.exceptions.HTTPError, ValueError, RecursionError):
        return "it does not say why"
    return str(found.get("message", ""))[:300] if isinstance(found, dict) else str(found)[:300]


def proxied(address: str) -> str:
    """The path at the server's proxy of an `mlflow-artifacts:` address, "" for another one."""
    parts = urlsplit(address)
    return parts.path.strip("/") if parts.scheme == "mlflow-artifacts" else ""


def quoted(path: str) -> str:
    return quote(path, safe="/")


class _Body:
    """The body of an answer as a stream that is closed with its connection."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer

    def read(self, n_bytes: int = -1) -> bytes:
        try:
            return self._answer.read(None if n_bytes < 0 else n_bytes, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(f"the server broke off: {error}") from error

    def __enter__(self) -> "_Body":
        return self

    def __exit__(self, *failure: object) -> None:
        # What was not read would be taken for the next answer.
        self._answer.close()
        self._answer.release_conn()
