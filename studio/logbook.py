"""How the server's log is written: plain lines or JSON, each with the request and the run it is
about. Standard library only.

What people typed cannot forge a line or move a terminal's cursor: control characters are written as
escapes. Secrets that got into a text (a token, the password of an address, a link that signs
somebody in) are cut out of it.
"""

import json
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST: ContextVar[str] = ContextVar("request", default="")
RUN: ContextVar[str] = ContextVar("run", default="")

PLAIN_ID = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
UID = re.compile(r"[A-Za-z0-9_\-]{1,256}")
# Older lines name the run in their text.
TOLD_RUN = re.compile(r"\brun=([A-Za-z0-9_\-]{1,256})")
# What a terminal or a reader of lines takes for more than text; also the ends of lines of Unicode
# and the marks that turn the direction of writing.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# In the lines of a traceback, which are many on purpose, and marked as one text.
CONTROL_BUT_LINES = re.compile(CONTROL.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
SECRETS = (
    (re.compile(r"\bstudio_[A-Za-z0-9_\-]{16,}"), "studio_…"),
    (re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/\-]{8,}=*"), r"\1 …"),
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s]*@"), r"\1:…@"),
    (re.compile(r"(?i)(\b(?:cookie|set-cookie|authorization) *[:=] *).*"), r"\1…"),
    (
        re.compile(
            r"(?i)\b(password|passwd|secret|token|sessionid|studio_session|csrftoken)"
            r"(['\"]? *[=:] *['\"]?)[^\s'\",;&]+"
        ),
        r"\1\2…",
    ),
    (re.compile(r"/(welcome|unsubscribe)/[^\s?]+"), r"/\1/…"),
)


def request_id(given: str) -> str:
    """The id that a proxy gave the request when it is plain and short, else a new one."""
    return given if PLAIN_ID.fullmatch(given) else secrets.token_hex(8)


def begin_request(name: str) -> None:
    """What this thread logs from now on is about the request of this id, and of no run yet."""
    REQUEST.set(name)
    RUN.set("")


@contextmanager
def about_run(uid: str) -> Iterator[None]:
    """What is logged inside is about this run."""
    mark = RUN.set(uid)
    try:
        yield
    finally:
        RUN.reset(mark)


def note_run(uid: str) -> None:
    """What the rest of this request logs is about this run; nothing that is no uid is noted."""
    if UID.fullmatch(uid):
        RUN.set(uid)


def told(text: str) -> str:
    """The text in one line, without secrets and without what a terminal would obey."""
    return CONTROL.sub(_escape, _cut(text))


def _escape(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0]) or f"\\u{ord(found[0]):04x}"


def _cut(text: str) -> str:
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


class ExpectedRefusals(logging.Filter):
    """For the logger on which Django warns of each refused request: of a program that expects it
    (asking for a log before there is one) it is INFO, and left out where that is too little. Who
    is not let in stays a warning."""

    PROGRAMS = "/api/"
    NOT_LET_IN = (401, 403)

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", 0)
        path = getattr(getattr(record, "request", None), "path", "")
        is_expected = 400 <= status < 500 and status not in self.NOT_LET_IN
        if record.levelno != logging.WARNING or not is_expected:
            return True
        if not path.startswith(self.PROGRAMS):
            return True
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return logging.getLogger(record.name).isEnabledFor(logging.INFO)


class PlainLines(logging.Formatter):
    """`time level logger message`, then the request and the run in brackets; a traceback follows in
    lines that begin with a bar."""

    def format(self, record: logging.LogRecord) -> str:
        about = [f"request={REQUEST.get()}"] if REQUEST.get() else []
        about += [f"run={RUN.get()}"] if RUN.get() else []
        suffix = f" [{' '.join(about)}]" if about else ""
        time = _time_of(record)
        line = f"{time} {record.levelname} {record.name} {told(record.getMessage())}{suffix}"
        trace = CONTROL_BUT_LINES.sub(_escape, _cut(trace_of(self, record)))
        return "\n".join([line, *(f"  | {part}" for part in trace.split("\n") if part)])


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message; request, run, error where there are
    any; and the `fields` that a line was given beside its message."""

    def format(self, record: logging.LogRecord) -> str:
        message = told(record.getMessage())
        run = RUN.get() or next(iter(TOLD_RUN.findall(message)), "")
        trace = _cut(trace_of(self, record))
        found: dict[str, Any] = {
            "time": _time_of(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            **({"request": REQUEST.get()} if REQUEST.get() else {}),
            **({"run": run} if run else {}),
            **({"error": trace} if trace else {}),
            **getattr(record, "fields", {}),
        }
        # Escapes everything outside ASCII, so also what turns the direction of writing.
        return json.dumps(found)


def trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    parts += [formatter.formatStack(record.stack_info)] if record.stack_info else []
    return "\n".join(parts)


def _time_of(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
