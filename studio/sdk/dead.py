"""Requests that the studio refused for good, put aside for a person to look at.

One file per process, `<pid>-<random>.dead` beside the spools. Of each request a JSON line {why,
n_bytes}, so many bytes, which are the request as in a spool, and the end of its line.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from studio.sdk.spool import Request, folder

log = logging.getLogger("studio.sdk")

_NAME = uuid.uuid4().hex[:12]  # a later process may have the same id


def dead_file() -> Path:
    """Where this process puts its refused requests."""
    return folder() / f"{os.getpid()}-{_NAME}.dead"


def dead_letter(request: Request, why: str) -> None:
    """Append a refused request to the file of this process."""
    data = request.pack()
    head = json.dumps({"why": why, "n_bytes": len(data)}).encode()
    try:
        with dead_file().open("ab") as file:
            file.write(head + b"\n" + data + b"\n")
    except OSError as problem:
        log.warning("studio: a refused request could not be kept: %s", problem)


def read_dead(path: Path) -> Iterator[tuple[str, Request]]:
    """Why, and which request: of all that can be read of a file, none when there is no file."""
    try:
        with path.open("rb") as file:
            while line := file.readline():
                head = json.loads(line)
                data = file.read(int(head["n_bytes"]) + 1)[:-1]
                yield str(head["why"]), Request.unpack(data)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        log.debug("the end of %s can't be read: %s", path, problem)
