"""HTTP to the studio: keep-alive connections, retries with full jitter, errors as exceptions."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlencode

from studio.sdk.errors import (
    ConnectionFailedException,
    StudioError,
    UserErrorException,
    service_error,
)

if TYPE_CHECKING:
    import urllib3

RETRY_FIRST_S, RETRY_MOST_S = 0.5, 60.0
RETRY_TOTAL_S = 90.0
CONNECT_S, READ_S = 5.0, 60.0
PIECE_BYTES = 1 << 18
RETRIED = frozenset({408, 429, 500, 502, 503, 504, 507})

Body = dict[str, Any] | bytes | Path | None


def retry_delay_s(attempt: int, retry_after: str | None = None) -> float:
    """Seconds to wait before try `attempt` + 1: full jitter, 0.5 s doubling to 60 s, or more when
    the server's Retry-After (seconds or a date) asks for it."""
    ceiling = min(RETRY_MOST_S, RETRY_FIRST_S * 2.0 ** min(attempt, 10))
    return max(random.uniform(0.0, ceiling), _retry_after_s(retry_after))  # noqa: S311


def _retry_after_s(header: str | None) -> float:
    if not header:
        return 0.0
    if header.strip().isdigit():
        return min(float(header), 300.0)
    from email.utils import parsedate_to_datetime

    try:
        return min(max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0), 300.0)
    except (ValueError, TypeError):
        return 0.0


class Answer:
    """A 2xx answer: `status`, `headers`, `data` (bytes)."""

    def __init__(self, status: int, headers: Any, data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data

    def json(self) -> Any:
        """The body as JSON; raises ConnectionFailedException when it is something else."""
        try:
            return json.loads(self.data)
        except ValueError:
            text = self.data[:80].decode("utf-8", "replace")
            raise ConnectionFailedException(f"this is not a studio, it answered: {text}") from None


class Client:
    """One studio, one workspace, one token. Safe for threads; a forked child gets own sockets."""

    def __init__(
        self, url: str, workspace: str, token: str, *, retry_total_s: float = RETRY_TOTAL_S
    ) -> None:
        self.url, self.workspace, self.token = url.rstrip("/"), workspace, token
        self.retry_total_s = retry_total_s
        self._pool: urllib3.PoolManager | None = None
        self._pid = 0

    def __getstate__(self) -> dict[str, Any]:
        """The token goes to a process that this one is starting, and into no other pickle."""
        context = sys.modules.get("multiprocessing.context")
        is_starting = context is not None and context.get_spawning_popen() is not None
        return {**vars(self), "_pool": None, "token": self.token if is_starting else ""}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self.token:
            from studio.sdk.config import token_here

            self.token = token_here(self.url)

    @property
    def base(self) -> str:
        """The path of the workspace in the API."""
        return f"/api/v1/workspaces/{quote(self.workspace, safe='')}"

    def get(self, path: str, **query: Any) -> Any:
        """JSON of GET `path` below the workspace; query values that are None are left out."""
        return self.request("GET", path, query=query).json()

    def post(self, path: str, body: dict[str, Any], *, retry_total_s: float | None = None) -> Any:
        """JSON answer of POST `path` below the workspace."""
        return self.request("POST", path, body=body, retry_total_s=retry_total_s).json()

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if not page.get("next"):
                return
            query["cursor"] = page["next"]

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        query: dict[str, Any] | None = None,
        retry_total_s: float | None = None,
    ) -> Answer:
        """The answer to one request, retried until it is known or the time for retries is over.

        Retries connection errors, time-outs, 408, 429 and 5xx. Other 4xx raise the exception of
        their code; no answer in time raises ConnectionFailedException. A Path as the body is
        streamed from the file.
        """
        return self._retried(lambda: self.send(method, path, body=body, query=query), retry_total_s)

    def download(self, path: str, target: Path) -> None:
        """Stream GET `path` into a file, which appears when it is complete."""
        part = target.with_name(target.name + ".part")
        try:
            self._retried(lambda: self.send("GET", path, into=part), None)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _retried(self, once: Callable[[], Answer], retry_total_s: float | None) -> Answer:
        limit_s = self.retry_total_s if retry_total_s is None else retry_total_s
        deadline, attempt = time.monotonic() + limit_s, 0
        while True:
            error: StudioError
            retry_after = None
            try:
                answer = once()
                if answer.status < 400:
                    return answer
                error = service_error(answer.status, _json_or_none(answer.data))
                if answer.status not in RETRIED:
                    raise error
                retry_after = answer.headers.get("Retry-After")
            except OSError as problem:
                error = ConnectionFailedException(f"no answer from {self.url}: {problem}")
            delay_s = retry_delay_s(attempt, retry_after)
            if time.monotonic() + delay_s > deadline:
                raise error
            time.sleep(delay_s)
            attempt += 1

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        query: dict[str, Any] | None = None,
        read_s: float = READ_S,
        into: Path | None = None,
    ) -> Answer:
        """One try: the answer whatever its status, or OSError when there is none."""
        import urllib3

        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "studio-sdk"}
        pairs = {key: value for key, value in (query or {}).items() if value is not None}
        url = self.url + (path if path.startswith("/api/") else self.base + path)
        url += ("&" if "?" in url else "?") + urlencode(pairs) if pairs else ""
        with contextlib.ExitStack() as files:
            data: Any = body
            if isinstance(body, dict):
                data = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
            elif isinstance(body, Path):
                data = files.enter_context(_opened(body))
                headers["Content-Length"] = str(os.fstat(data.fileno()).st_size)
            if data is not None:
                headers["Content-Type"] = _content_type(path)
            try:
                response = self._connections().request(
                    method,
                    url,
                    body=data,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
                    retries=False,
                    redirect=False,
                    preload_content=into is None,
                )
                return _stored(response, into) if into is not None else _whole(response)
            except urllib3.exceptions.HTTPError as problem:
                raise OSError(_short(problem)) from problem

    def _connections(self) -> urllib3.PoolManager:
        if self._pool is None or self._pid != os.getpid():  # never share sockets over a fork
            import urllib3

            self._pool = urllib3.PoolManager(num_pools=4, maxsize=8, block=False)
            self._pid = os.getpid()
        return self._pool


def path_of(*parts: str) -> str:
    """ "/a/b c" -> "/a/b%20c": a request path below the workspace; '/' inside parts stays."""
    return "".join("/" + quote(part, safe="/") for part in parts)


def _whole(response: Any) -> Answer:
    return Answer(response.status, response.headers, response.data)


def _stored(response: Any, into: Path) -> Answer:
    """The answer with its bytes in a file, or with an error's text in `data`."""
    try:
        if response.status >= 400:
            return Answer(response.status, response.headers, response.read())
        with into.open("wb") as file:
            for piece in response.stream(PIECE_BYTES):
                file.write(piece)
        return Answer(response.status, response.headers, b"")
    finally:
        response.release_conn()


def _opened(file: Path) -> BinaryIO:
    """The file to send; one that cannot be read is no failure of the network."""
    try:
        return file.open("rb")
    except OSError as problem:
        raise UserErrorException(f"{file} cannot be read: {problem.strerror}") from None


def _content_type(path: str) -> str:
    if "/artifacts/" in path:
        import mimetypes

        return mimetypes.guess_type(path)[0] or "application/octet-stream"
    raw = "/logs/" in path or path.startswith("/blobs")
    return "application/octet-stream" if raw else "application/json"


def _json_or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _short(problem: BaseException) -> str:
    text = str(problem.__cause__ or problem)
    return text.rsplit(": ", 1)[-1][:200] if "object at 0x" in text else text[:200]
