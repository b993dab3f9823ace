"""Waiting for a run and reading its logs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from studio.sdk.client import Client
from studio.sdk.errors import (
    ActivityFailedException,
    ExperimentExecutionException,
    NotFoundException,
    UserErrorException,
)
from studio.sdk.records import Channel
from studio.sdk.state import RunState
from studio.wire import TERMINAL

POLL_S = 0.7
WINDOW_BYTES = 1 << 20
MAIN_LOG = "logs/output.txt"


class Waiting(RunState):
    """The waiting half of a run."""

    def wait_for_completion(
        self,
        show_output: bool = False,
        wait_post_processing: bool = False,
        raise_on_error: bool = True,
    ) -> dict[str, Any]:
        """Wait until the run has ended; returns its details.

        `show_output` prints new log text at most 1 s after it was stored. A failed run raises
        ActivityFailedException unless `raise_on_error` is off. Ctrl-C raises
        ExperimentExecutionException: the run itself goes on.
        """
        try:
            record = self._stream(sys.stdout) if show_output else self._poll()
        except KeyboardInterrupt:
            raise ExperimentExecutionException(
                f"Stopped waiting; run {self._uid} goes on. Cancel it with run.cancel() or "
                f"`studio run cancel -r {self._uid}`."
            ) from None
        if record["status"] == "Failed" and raise_on_error:
            raise ActivityFailedException(_failure(record), record)
        return self.get_details()

    def get_details_with_logs(self) -> dict[str, Any]:
        """Like get_details, with the full text of each log in logFiles."""
        details = self.get_details()
        for path in details["logFiles"]:
            details["logFiles"][path] = self.read_log(path).decode("utf-8", "replace")
        return details

    def get_all_logs(self, destination: str | os.PathLike[str] | None = None) -> list[str]:
        """Write every log below a folder (default `assets/<run id>`), keeping sub-paths; returns
        the paths of the files."""
        from studio.sdk.files import _inside

        folder = Path(destination) if destination is not None else Path("assets") / self._uid
        if folder.is_file():
            raise UserErrorException(f"get_all_logs: {str(folder)!r} is a file, not a folder")
        written = []
        for item in self._client.items(self._channel.path("artifacts"), prefix="logs/"):
            target = _inside(folder, item["path"])
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                log = LogReader(self._client, self._channel, item["path"])
                while piece := log.read():
                    file.write(piece)
            written.append(str(target))
        return written

    def read_log(self, path: str = MAIN_LOG, offset: int = 0) -> bytes:
        """The bytes of a log from an offset to its present end; b"" when there is none yet."""
        pieces = []
        log = LogReader(self._client, self._channel, path, offset)
        while piece := log.read():
            pieces.append(piece)
        return b"".join(pieces)

    def _poll(self) -> dict[str, Any]:
        while (record := self._fetch())["status"] not in TERMINAL:
            time.sleep(POLL_S)
        return record

    def _stream(self, out: TextIO) -> dict[str, Any]:
        record = self._fetch()
        out.write(f"RunId: {self._uid}\nWeb View: {record.get('url', '')}\n\n")
        out.write(f"Streaming {MAIN_LOG}\n{'=' * len('Streaming ' + MAIN_LOG)}\n\n")
        log = LogReader(self._client, self._channel, MAIN_LOG)
        while True:
            ended = record["status"] in TERMINAL  # known before reading: the rest is complete
            for text in log.texts():
                out.write(text)
            out.flush()
            if ended:
                out.write(_summary(self._uid, record))
                out.flush()
                return record
            time.sleep(POLL_S)
            record = self._fetch()


class LogReader:
    """Reads a growing log, each byte once."""

    def __init__(self, client: Client, channel: Channel, path: str, offset: int = 0) -> None:
        import codecs

        self._client, self._path = client, channel.path("logs", path)
        self.offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> bytes:
        """The next bytes, at most 1 MB; b"" at the present end or while there is no log."""
        try:
            query = {"offset": self.offset, "limit": WINDOW_BYTES}
            data = self._client.request("GET", self._path, query=query).data
        except NotFoundException:
            return b""
        self.offset += len(data)
        return data

    def texts(self) -> Any:
        """The text up to the present end; a character cut in two comes out whole later."""
        while data := self.read():
            yield self._decoder.decode(data)


def _summary(uid: str, record: dict[str, Any]) -> str:
    lines = ["", "Execution Summary", "=================", f"RunId: {uid}"]
    lines += [f"Status: {record['status']}", f"Web View: {record.get('url', '')}"]
    lines += [f"Warning: {warning}" for warning in record.get("warnings") or []]
    if error := (record.get("error") or {}).get("message"):
        lines.append(f"Error: {error}")
    return "\n".join(lines) + "\n"


def _failure(record: dict[str, Any]) -> str:
    import json

    error = record.get("error") or {"message": record.get("status_reason") or "the run failed"}
    return f"Run {record['uid']} failed:\n" + json.dumps({"error": error}, indent=2)
