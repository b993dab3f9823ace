"""The process that renders descriptions: `python -m studio.runs.markdown_worker`.

It colours source text, too: regular expressions may take as long with hostile text.
Python-Markdown needs minutes for some inputs of a few kB, so it runs where it can be killed. Frames
both ways are a 4-byte big-endian length and that much JSON. The first frame out says "ready"; then
one answer per request. Ends at end of input. Imports no Django and is given no secrets.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from typing import Any

from studio.runs.colouring import coloured
from studio.runs.markdown_cleaner import clean_html
from studio.runs.markdown_dialect import to_html

BUDGET_S = 2.0
MEMORY_LIMIT_BYTES = 1 << 30
HTML_LIMIT = 2_000_000


def main() -> None:
    """Answer requests until the input ends."""
    _limit_self()
    # Whatever a library prints must not land between frames.
    out = os.dup(1)
    os.dup2(2, 1)
    _send(out, {"ready": True})
    while (request := _receive()) is not None:
        # Default action: the kernel ends the process, also in the middle of a regular expression.
        # Processor time, so that a busy machine does not turn honest text into plain text.
        signal.setitimer(signal.ITIMER_PROF, BUDGET_S)
        answer = _render(request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(out, answer)


def _render(request: dict[str, Any]) -> dict[str, Any]:
    try:
        if "code" in request:
            return {"lines": coloured(request["code"], request["language"])}
        html = to_html(request["text"])
        if len(html) > HTML_LIMIT:
            return {"error": f"the HTML has {len(html)} characters"}
        return {"html": clean_html(html)}
    except (Exception, RecursionError, MemoryError) as error:  # told to the caller, who logs it
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def _limit_self() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _receive() -> dict[str, Any] | None:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        return None
    (n_bytes,) = struct.unpack(">I", head)
    body = sys.stdin.buffer.read(n_bytes)
    return dict(json.loads(body)) if len(body) == n_bytes else None


def _send(fd: int, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    data = memoryview(struct.pack(">I", len(body)) + body)
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    main()
