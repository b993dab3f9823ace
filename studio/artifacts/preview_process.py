"""Asks a limited process of its own for the rows of a Parquet file or the names of an archive."""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from studio.artifacts.actions import of_now, open_artifact
from studio.artifacts.models import Artifact
from studio.artifacts.store import store

# Wall time; the process itself ends after preview_worker.BUDGET_S seconds of processor time.
ANSWER_LIMIT_S = 20.0
# Short: who waits holds a thread of the server that other pages need.
WAIT_LIMIT_S = 2.0
MAX_ANSWER_BYTES = 16_000_000
# Of a file that no descriptor can be had of: what is wanted of it may lie at its end, so that it is
# fetched whole or not at all.
MAX_FETCHED_BYTES = 64_000_000
FETCH_LIMIT_S = 10.0
PIECE_BYTES = 1 << 20
_ROOT = Path(__file__).resolve().parents[2]
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
# Each may take gigabytes: two at once in each process of the server, however many pages ask.
_slots = threading.BoundedSemaphore(2)
log = logging.getLogger(__name__)


class PreviewFailed(Exception):
    """The file could not be read within the limits; the words are for the page."""


def ask(artifact: Artifact, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of `preview_worker` for this file. Raises PreviewFailed, BlobNotFound."""
    if not _slots.acquire(timeout=WAIT_LIMIT_S):
        raise PreviewFailed("Other files are being read at the moment. Try again.")
    try:
        answer = _run(artifact, request)
    finally:
        _slots.release()
    if "error" in answer:
        log.info("no preview of artifact=%s: %s", artifact.pk, answer["error"])
        raise PreviewFailed("The file is damaged, or of a kind that cannot be read here.")
    return answer


def _run(artifact: Artifact, request: dict[str, Any]) -> dict[str, Any]:
    with _descriptor(artifact) as fd:
        try:
            done = subprocess.run(
                [sys.executable, "-E", "-s", "-m", "studio.artifacts.preview_worker",
                 json.dumps(request)],
                stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                cwd=_ROOT, env=bare_environment(), start_new_session=True,
                timeout=ANSWER_LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PreviewFailed("Reading the file took too long.") from None
    if done.returncode or len(done.stdout) > MAX_ANSWER_BYTES:
        log.info("no preview of artifact=%s: code %s", artifact.pk, done.returncode)
        raise PreviewFailed("Reading the file took too much time or memory.")
    return dict(json.loads(done.stdout))


@contextmanager
def _descriptor(artifact: Artifact) -> Iterator[int]:
    """A descriptor of the bytes, for the time of the block. Raises PreviewFailed, BlobNotFound."""
    fd = of_now(artifact, lambda: store().descriptor(artifact.blob_key))
    if fd is None:
        with tempfile.TemporaryFile(buffering=0) as copy:
            _fetch(artifact, copy)
            yield copy.fileno()
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _fetch(artifact: Artifact, copy: FileIO) -> None:
    """Write all bytes to `copy`, and go back to its beginning. Raises PreviewFailed."""
    until = time.monotonic() + FETCH_LIMIT_S
    n_bytes = artifact.n_bytes
    with open_artifact(artifact) as file:
        while n_bytes <= MAX_FETCHED_BYTES and (piece := file.read(PIECE_BYTES)):
            if time.monotonic() > until:
                raise PreviewFailed("Fetching the file from the storage took too long. Try again.")
            _write(copy, piece)
            n_bytes = max(n_bytes, copy.tell())
    if n_bytes > MAX_FETCHED_BYTES:
        raise PreviewFailed(
            "The file is too large to be fetched from the storage and looked into: at most "
            f"{MAX_FETCHED_BYTES // 1_000_000} MB are. The download has all."
        )
    copy.seek(0)


def _write(copy: FileIO, piece: bytes) -> None:
    try:
        while piece:
            piece = piece[copy.write(piece) :]
    except OSError as error:
        log.warning("no preview: %s", error)
        raise PreviewFailed("The server has no room to look into the file.") from None


def bare_environment() -> dict[str, str]:
    """For a process that reads hostile bytes: no secrets of the server reach it."""
    # Arrow's own allocator would reserve more addresses than the limit gives.
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
