"""Importing what somebody uploaded, as background work that survives restarts.

A piece only notes what was done; the import itself goes on in `settle`, in short transactions of
its own. The opened source stays with the process between two pieces; another process that takes
the work over opens it again and goes on behind the records that were looked at.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from studio.accounts.permissions import Actor, NotAllowed, Permission, require
from studio.artifacts.uploads import IMPORT, drop_upload, find_upload, open_upload
from studio.blobs import BlobError
from studio.importers.archives import copy
from studio.importers.importing import Import
from studio.importers.records import SourceError
from studio.importers.report import Report
from studio.importers.sources import SourceOptions, kind_of
from studio.importers.wish import Wish
from studio.runs.limits import Invalid
from studio.work.beats import Beat
from studio.work.kinds import Piece, Problem
from studio.work.models import Work

AT_ONCE_S = 1.0
KNOWN, GONE = "Here already, unchanged", "Deleted here, and stays so"
NO_RUN = "Deleted in the source, or no run"
OVER = object()
RUNS = ("n_new", "n_changed", "n_known", "n_gone")
COUNTS = (*RUNS, "n_points", "n_files", "n_datasets", "n_models", "n_links", "n_problems")


class CantImport(NotAllowed):
    """The upload as a whole can't be imported; the text says why."""


@dataclass(slots=True)
class Opened:
    """An upload that is being imported by this process. told: what pieces have noted so far."""

    stack: ExitStack
    job: Import
    steps: Iterator[None]
    beat: "Beat"
    n_total: int | None
    told: Report = field(default_factory=Report)
    n_noted: int = 0
    is_over: bool = False
    # The last piece was given.
    is_noted: bool = False


class ImportKind:
    """See `studio.work.kinds.Kind`."""

    def __init__(self) -> None:
        self._opened: dict[str, Opened] = {}
        self._lock = threading.Lock()

    def count(self, work: Work) -> int:
        return self._opened[work.uid].n_total or 0

    def piece(self, work: Work, *, by: Actor) -> Piece:
        require(by, Permission.SUBMIT_RUN, work.workspace)
        opened = self._opened[work.uid]
        now, told = opened.job.report, opened.told
        new = {name: getattr(now, name) - getattr(told, name) for name in COUNTS}
        n_skipped = now.n_skipped - told.n_skipped
        skipped = {KNOWN: new["n_known"], GONE: new["n_gone"]}
        if opened.is_over and work.n_total:
            seen = work.n_done + work.n_skipped + work.n_failed
            rest = work.n_total - seen - sum(new[n] for n in RUNS) - n_skipped
            skipped[NO_RUN] = max(0, rest)
        problems = now.problems[len(told.problems) :]
        result: dict[str, Any] = {**new, "imported_bytes": now.n_bytes - told.n_bytes}
        result |= _added_up(work, now, told)
        opened.told = replace(now, problems=list(now.problems), experiments=dict(now.experiments))
        opened.n_noted, opened.is_noted = opened.job.n_seen, opened.is_over
        return Piece(
            None if opened.is_over else opened.job.n_seen,
            n_done=new["n_new"] + new["n_changed"],
            skipped={reason: n for reason, n in skipped.items() if n},
            n_failed=n_skipped,
            problems=tuple(Problem("", f"{one.place}: {one.why}") for one in problems),
            result=result,
        )

    def settle(self, work: Work) -> None:
        opened = self._opened.get(work.uid)
        if opened is not None and opened.is_noted:
            self._close(work)
            return
        if opened is not None and opened.n_noted != (work.cursor or 0):
            # Another process went on with it meanwhile.
            self._forget(work.uid)
            opened = None
        try:
            opened = opened or self._open(work)
            opened.beat.hold(work)
            until = time.monotonic() + AT_ONCE_S
            while not opened.is_over:
                # One step at least, however long the opening took.
                opened.is_over = next(opened.steps, OVER) is OVER
                if time.monotonic() >= until:
                    break
        except BaseException as error:
            # Steps that broke off end silently when they are asked again, as if all were done.
            self._forget(work.uid)
            if isinstance(error, SourceError | Invalid | BlobError):
                raise CantImport(str(error)) from error
            raise

    def _open(self, work: Work) -> Opened:
        arguments, stack = work.arguments, ExitStack()
        upload = find_upload(work.workspace, arguments["upload"])
        if upload is None:
            raise SourceError("The uploaded file is no longer here. Upload it again.")
        beat = Beat(work)
        wish = Wish(
            workspace=work.workspace,
            by=_actor_of(work),
            experiment=arguments.get("experiment", ""),
            again=bool(arguments.get("again")),
            is_dry=work.kind != IMPORT,
            tick=beat,
        )
        with stack:
            base = settings.STUDIO_HOME / "imports"
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=base)))
            path = folder / f"upload{_ending(upload.name)}"
            with open_upload(upload) as stream:
                copy(stream, path, wish.tick)
            kind = kind_of(arguments["kind"])
            if kind.open_upload is None:
                raise SourceError(f"“{kind.title}” is not imported from a file.")
            options = SourceOptions(tick=wish.tick)
            reader = stack.enter_context(kind.open_upload(path, options))
            job = Import(reader, wish, skip=work.cursor or 0)
            opened = Opened(stack.pop_all(), job, job.steps(), beat, reader.count())
        opened.n_noted = work.cursor or 0
        with self._lock:
            for uid in list(self._opened):
                self._forget(uid)
            self._opened[work.uid] = opened
        return opened

    def _close(self, work: Work) -> None:
        self._forget(work.uid)
        if work.kind == IMPORT:
            upload = find_upload(work.workspace, work.arguments["upload"])
            if upload is not None:
                drop_upload(upload)

    def _forget(self, uid: str) -> None:
        opened = self._opened.pop(uid, None)
        if opened is not None:
            opened.stack.close()


def _ending(name: str) -> str:
    """The ending of a file's name, if it is one of letters and digits."""
    found = Path(name).suffix.lower()
    return found if found[1:].isalnum() and found.isascii() and len(found) <= 12 else ""


def _actor_of(work: Work) -> Actor:
    if work.actor_user is None:
        raise CantImport(f"{work.actor}, who started this, is no longer here.")
    return replace(Actor.of_user(work.actor_user), work_uid=work.uid)


def _added_up(work: Work, now: Report, told: Report) -> dict[str, Any]:
    """Runs by experiment, as far as this work has come."""
    before = dict(work.result.get("experiments", {}))
    for name, n in now.experiments.items():
        before[name] = before.get(name, 0) + n - told.experiments.get(name, 0)
    made = [*work.result.get("new_experiments", []), *now.new_experiments]
    return {
        "experiments": dict(list(before.items())[:200]),
        "new_experiments": sorted(set(made))[:200],
        "notes": now.notes,
    }
