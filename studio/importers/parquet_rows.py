"""The rows of a Parquet file as a limited process of its own reads them (`parquet_worker`)."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.artifacts.preview_process import bare_environment
from studio.importers.archive_zip import load

# Without a byte of an answer.
PATIENCE_S = 60.0
LOOK_EVERY_S = 1.0
MAX_LINE_BYTES = 16 << 20
_ROOT = Path(__file__).resolve().parents[2]


def parquet_rows(
    path: Path, tick: Callable[[], None], wanted: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """The rows with the wanted columns, all of them when none is named. Raises ValueError."""
    with path.open("rb") as file, subprocess.Popen(
        [sys.executable, "-E", "-s", "-m", "studio.importers.parquet_worker",
         json.dumps(list(wanted))],
        stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        cwd=_ROOT, env=bare_environment(), start_new_session=True,
    ) as reader:  # fmt: skip
        try:
            for line in _lines(reader, tick):
                found = load(line)
                if isinstance(found, dict):
                    yield found
                elif found:
                    raise ValueError(str(found[0]))
                else:
                    return
        finally:
            reader.kill()
    raise ValueError("reading it takes too much memory")


def _lines(reader: "subprocess.Popen[bytes]", tick: Callable[[], None]) -> Iterator[bytes]:
    """The whole lines of its answer. Raises ValueError when it is silent, or a line is too long."""
    if reader.stdout is None:
        return
    answer, held = reader.stdout.fileno(), bytearray()
    waiting = select.poll()
    waiting.register(answer, select.POLLIN)
    until = time.monotonic() + PATIENCE_S
    while True:
        tick()
        if not waiting.poll(LOOK_EVERY_S * 1000):
            if time.monotonic() > until:
                raise ValueError("reading it takes too long")
            continue
        data = os.read(answer, 1 << 18)
        if not data:
            return
        held += data
        if b"\n" in data:
            *lines, rest = held.split(b"\n")
            yield from map(bytes, lines)
            held = rest
        if len(held) > MAX_LINE_BYTES:
            raise ValueError(f"a row has more than {MAX_LINE_BYTES:,} bytes")
        until = time.monotonic() + PATIENCE_S
