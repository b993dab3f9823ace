"""What was asked, what was answered, what is stored, and what really happened.

acknowledged ⊆ stored ⊆ attempted, nothing twice; scripts append their starts to an effects file;
every history is one that the status machine allows.
"""

import itertools
import os
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from studio.runs.status import ALLOWED, MARK_AS_FAILED, TERMINAL, Status
from studio.sdk import Experiment, ScriptRunConfig
from studio.sdk.script import submit
from tests.live.faults import rows
from tests.live.studio import Studio
from tests.waiting import wait_until

# Put before a script: appends "<word> <run> <attempt> <pid> <more>" to the file it is given. The
# attempt is the cookie that the guard of one attempt gives to its processes.
BOOK = """
import os, sys, time
_book = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_me = f"{os.environ['STUDIO_RUN_ID']} {os.environ['STUDIO_RUN_COOKIE']} {os.getpid()}"
def note(word, more=""):
    os.write(_book, f"{word} {_me} {more}\\n".encode())
note("start")
"""


@dataclass(frozen=True)
class Line:
    word: str
    run: str
    attempt: str
    pid: int
    more: str


class Effects:
    """The file that scripts append to, whatever the studio knows of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self, word: str, run: str = "") -> list[Line]:
        """The lines with this word, of all runs or of one; a torn last line waits."""
        whole = self.path.read_text().rpartition("\n")[0].splitlines()
        parsed = [line.split(" ", 4) for line in whole if line.startswith(word + " ")]
        found = [Line(w, uid, attempt, int(pid), more) for w, uid, attempt, pid, more in parsed]
        return [line for line in found if run in {"", line.run}]

    def starts(self) -> Counter[str]:
        """How often the script of each run was started."""
        return Counter(line.run for line in self.lines("start"))

    def starts_per_attempt(self) -> Counter[str]:
        return Counter(line.attempt for line in self.lines("start"))


@dataclass
class Ledger:
    """The runs of one test on one studio, and the word of the client that submitted them."""

    studio: Studio
    effects: Effects
    experiment: str = field(default_factory=lambda: f"faults-{uuid.uuid4().hex[:8]}")
    attempted: set[str] = field(default_factory=set)
    acknowledged: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, studio: Studio, folder: Path) -> "Ledger":
        folder.mkdir(parents=True, exist_ok=True)
        return cls(studio, Effects(folder / f"effects-{uuid.uuid4().hex[:8]}"))

    def submit(self, source: Path, *, n: int, target: str, arguments: Any = (), grace_s: Any = None
               ) -> list[str]:  # fmt: skip
        """Submit the script n times; the script gets the effects file as its first argument."""
        client = self.studio.workspace._client
        words = [str(self.effects.path), *map(str, arguments)]
        config = ScriptRunConfig(str(source), "train.py", arguments=words, compute_target=target)
        config.grace_s = grace_s
        made = []
        for _ in range(n):
            uid = uuid.uuid4().hex
            self.attempted.add(uid)
            record = submit(client, self.experiment, config, run_id=uid)
            assert record["uid"] == uid
            self.acknowledged.append(uid)
            made.append(uid)
        return made

    # ------------------------------------------------------------ what is stored
    def stored(self) -> list[str]:
        """The runs of the experiment, as the API lists them."""
        return [run.id for run in Experiment(self.studio.workspace, self.experiment).get_runs()]

    def statuses(self) -> dict[str, str]:
        query = (
            "SELECT r.uid, r.status FROM runs_run r JOIN runs_experiment e"
            " ON e.id = r.experiment_id WHERE e.name = ?"
        )
        return dict(rows(self.studio, query, self.experiment))  # type: ignore[arg-type]

    def unfinished(self) -> dict[str, str]:
        return {uid: now for uid, now in self.statuses().items() if Status(now) not in TERMINAL}

    def all_ended(self, timeout_s: float) -> dict[str, str]:
        """Wait until every run is over; run -> status."""
        wait_until(lambda: not self.unfinished(), timeout_s, "the end of every run", every_s=0.1)
        return self.statuses()

    def histories(self) -> dict[str, list[tuple[str, str]]]:
        """Run -> its moves (before, after), oldest first; the first one has no before."""
        query = (
            "SELECT r.uid, v.before, v.after FROM runs_runevent v"
            " JOIN runs_run r ON r.id = v.run_id JOIN runs_experiment e ON e.id = r.experiment_id"
            " WHERE e.name = ? AND v.kind = 'status' ORDER BY v.id"
        )
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for uid, before, after in rows(self.studio, query, self.experiment):
            found[uid].append((_plain(before), _plain(after)))
        return found

    # ------------------------------------------------------------ the sums
    def check(self, *, most_starts: int = 1) -> None:
        """Everything that must add up once all runs are over."""
        stored = self.stored()
        assert len(stored) == len(set(stored)), "a run is stored twice"
        assert set(self.acknowledged) <= set(stored) <= self.attempted
        assert len(self.acknowledged) == len(set(self.acknowledged))
        twice = {a: n for a, n in self.effects.starts_per_attempt().items() if n > 1}
        assert twice == {}, "an attempt started its script more than once"
        often = {run: n for run, n in self.effects.starts().items() if n > most_starts}
        assert often == {}, "a run started its script more often than it may"
        histories = self.histories()
        assert set(histories) == set(stored)
        for uid, moves in histories.items():
            assert troubles_of(moves) == [], (uid, moves)
        statuses = self.statuses()
        assert {uid: moves[-1][1] for uid, moves in histories.items()} == statuses
        assert living(self.studio, stored) == []
        assert self.completed_scripts() <= set(self.effects.starts()), "Completed without a start"

    def completed_scripts(self) -> set[str]:
        """The submitted runs that ended well."""
        query = (
            "SELECT r.uid FROM runs_run r JOIN runs_experiment e ON e.id = r.experiment_id"
            " WHERE e.name = ? AND r.status = 'Completed' AND r.job_id IS NOT NULL"
        )
        return {uid for (uid,) in rows(self.studio, query, self.experiment)}


def _plain(value: Any) -> str:
    """A JSON column as SQLite gives it: a quoted text, null, or nothing."""
    return "" if value in {None, "null"} else str(value).strip('"')


def troubles_of(moves: list[tuple[str, str]]) -> list[str]:
    """What is wrong with a history, in words; nothing when the status machine allows it."""
    wrong = [] if moves and moves[0][0] == "" else ["does not begin with its creation"]
    for (_, here), (before, after) in itertools.pairwise(moves):
        if before != here:
            wrong.append(f"{after} came from {before}, but the run was {here}")
        marked = before in MARK_AS_FAILED and after == Status.FAILED
        if not marked and Status(after) not in ALLOWED[Status(before)]:
            wrong.append(f"{before} -> {after} is not allowed")
    return wrong


def ends_in(moves: list[tuple[str, str]]) -> list[str]:
    return [after for _, after in moves if Status(after) in TERMINAL]


def living(studio: Studio, runs: Any) -> list[psutil.Process]:
    """The living processes of these runs, found by their environment."""
    wanted, found = set(runs), []
    for process in studio.marked():
        try:
            if process.environ().get("STUDIO_RUN_ID") in wanted:
                found.append(process)
        except psutil.Error:
            continue
    return found


def with_argument(word: str) -> list[int]:
    """The living processes that were started with this word, whatever their environment says."""
    found = []
    for name in os.listdir("/proc"):
        try:
            words = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
        except OSError:
            continue
        if word.encode() in words.split(b"\0"):
            found.append(int(name))
    return found
