"""A find as an answer: lines of JSON as they come, and what a request asks for."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

from django.http import StreamingHttpResponse

from studio.artifacts.find_slots import slot
from studio.artifacts.finding import HITS_SENT, Asked, Ending, Progress, find, read_cursor
from studio.artifacts.hits import MAX_CONTEXT, Hit
from studio.artifacts.models import Artifact
from studio.artifacts.ripgrep import FindFailed, Pattern, checked
from studio.runs.limits import Invalid

STOPPED_WORDS = {
    "enough": "There are more hits than one answer holds.",
    "time": "The time for one search is over.",
}


def pattern_of(query: Mapping[str, str]) -> Pattern:
    """What a query asks to find. Raises WrongPattern."""
    on = {name: query.get(name, "") in ("1", "true", "on") for name in ("regex", "case", "word")}
    return checked(Pattern(query.get("find", ""), on["regex"], on["case"], on["word"]))


def asked_of(query: Mapping[str, str]) -> Asked:
    """How much of it is wanted: `after` (a cursor), `context` (lines), `most` (hits).

    Raises Invalid.
    """
    start, line = read_cursor(query.get("after", ""))
    context = _number(query, "context", MAX_CONTEXT, 0)
    most = _number(query, "most", HITS_SENT, HITS_SENT)
    return Asked(start=start, line=line, most=max(1, most), context=context)


def _number(query: Mapping[str, str], name: str, most: int, otherwise: int) -> int:
    text = query.get(name, "")
    if not text:
        return otherwise
    if not (text.isdecimal() and len(text) < 7):
        raise Invalid(name, f"{name} must be a whole number from 0 to {most:,}.")
    return min(int(text), most)


def find_answer(
    artifact: Artifact, pattern: Pattern, asked: Asked, *, user_id: int
) -> StreamingHttpResponse:
    """Every hit, progress and the ending as a line of JSON each. Raises TooManyFinds.

    Whoever closes the connection ends the search: progress is written five times a second, and
    the write that fails closes the answer.
    """
    answer = StreamingHttpResponse(
        _Lines(artifact, pattern, asked, user_id), content_type="application/x-ndjson"
    )
    answer["Cache-Control"] = "private, no-store"
    # A proxy that gathers the answer would show neither hits nor progress.
    answer["X-Accel-Buffering"] = "no"
    return answer


class _Lines:
    """The lines of the answer. The slot is taken before the first of them, so that a refusal can
    have its status, and given back by `close`, also where nobody ever read."""

    def __init__(self, artifact: Artifact, pattern: Pattern, asked: Asked, user_id: int) -> None:
        self._held = ExitStack()
        self._held.enter_context(slot(user_id))
        self._lines = _lines(artifact, pattern, asked)
        self._held.callback(self._lines.close)

    def __iter__(self) -> Iterator[bytes]:
        with self._held:
            yield from self._lines

    def close(self) -> None:
        self._held.close()


def _lines(artifact: Artifact, pattern: Pattern, asked: Asked) -> Generator[bytes]:
    try:
        with closing(find(artifact, pattern, asked)) as said:
            for one in said:
                yield json.dumps(as_json(one), ensure_ascii=False).encode() + b"\n"
    except FindFailed as failure:
        yield json.dumps({"type": "error", "message": str(failure)}).encode() + b"\n"


def as_json(said: Hit | Progress | Ending) -> dict[str, Any]:
    """{"type": "hit" | "progress" | "end", …} as docs/api says."""
    match said:
        case Hit():
            return {
                "type": "hit",
                "line": said.line,
                "start": said.start,
                "at": said.at,
                "parts": [list(part) for part in said.parts],
                "is_cut": said.is_cut,
                "before": [list(line) for line in said.before],
                "after": [list(line) for line in said.after],
            }
        case Progress():
            return {"type": "progress", "n_bytes": said.n_bytes, "size": said.size, "n": said.n}
        case Ending():
            return {
                "type": "end",
                "n": said.n,
                "is_exact": said.is_exact,
                "stopped": said.stopped,
                "message": stopped_words(said),
                "next": said.cursor or None,
                "n_bytes": said.n_bytes,
                "size": said.size,
            }


def stopped_words(ending: Ending) -> str:
    """Why a find ended early, "" when it did not."""
    if ending.stopped == "failed":
        return f"The search failed: {ending.why}."
    return STOPPED_WORDS.get(ending.stopped, "")
