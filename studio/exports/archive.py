"""Runs with everything they have as one ZIP that imports again, made while it is sent.

Layout, version 2 (docs/exports.md): `studio.json` says what it is; `experiments.jsonl` and
`views.yaml` describe the lists; a block of runs is `runs/N.jsonl` (facts), `events/N.jsonl`
(history) and `metrics/N.bin` (points), if there are any `models/N.jsonl` (the models they keep) and
`lineage/N.jsonl` (what they used and made), followed by the files of its runs below `files/`;
sources lie once each below `sources/`, images of descriptions below `images/`; `checksums.txt`, the
last member, has the SHA-256 of every other one, as `sha256sum -c` reads it. Version 1 had no
lineage.
"""

import hashlib
import io
import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, cast

from django.utils import timezone
from django.utils.crypto import salted_hmac

from studio.accounts.models import Workspace
from studio.blobs import ZipMember, zip_stream
from studio.exports.archive_files import Images, Sources, file_members, files_of
from studio.exports.archive_lineage import lineage_lines, model_lines
from studio.exports.archive_runs import event_lines, load_runs, metric_pieces, run_lines
from studio.runs.as_json import iso
from studio.runs.models import Experiment, Run
from studio.runs.querysets import RunQuerySet

FORMAT, VERSION = "studio-archive", 2
BLOCK_RUNS = 200
IDS_PER_QUERY = 500
# Longer than anything: a member made while it is written is read to its end.
_TO_THE_END = 1 << 62


@dataclass(frozen=True, slots=True)
class Archive:
    """ids: of the runs, parents before their children; views: a document of custom views, or ""."""

    workspace: Workspace
    ids: "array[int]"
    views: str = ""
    sums: dict[str, str] = field(default_factory=dict, init=False)

    def stream(self) -> Iterator[bytes]:
        """The bytes of the ZIP, in pieces of about 256 kB. What is deleted meanwhile is left out; a
        file that storage lost is named in the facts of its run. In memory are one block of runs and
        the names of all members. Queries: about 20 a block and one for the experiments."""
        return zip_stream(self._members())

    def _members(self) -> Iterator[ZipMember]:
        experiments, images = self._experiments(), Images(self.workspace)
        sources = Sources(self.workspace)
        yield self._made("studio.json", partial(_lines, [self._head()]))
        yield self._made("experiments.jsonl", partial(_lines, map(_experiment, experiments)))
        if self.views:
            yield self._made("views.yaml", lambda: iter([self.views.encode()]))
        yield from map(self._noted, images.members(experiments))
        for start in range(0, len(self.ids), BLOCK_RUNS):
            runs = load_runs(self.workspace, self.ids[start : start + BLOCK_RUNS])
            files = files_of(runs, first=start + 1)
            name = f"{start // BLOCK_RUNS + 1:06}"
            lines = run_lines(runs, files, self._has)
            yield self._made(f"runs/{name}.jsonl", partial(_lines, lines))
            yield self._made(f"events/{name}.jsonl", partial(_event_pieces, runs))
            yield self._made(f"metrics/{name}.bin", partial(metric_pieces, runs))
            yield from self._told(f"models/{name}.jsonl", model_lines(runs))
            yield from self._told(f"lineage/{name}.jsonl", lineage_lines(runs, self._has))
            for members in (file_members(files), sources.members(runs), images.members(runs)):
                yield from map(self._noted, members)
        yield _made("checksums.txt", self._checksums)

    def _head(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "workspace": self.workspace.name,
            "place": place_of(self.workspace),
            "made_at": iso(timezone.now()),
            "n_runs": len(self.ids),
            "has_views": bool(self.views),
        }

    def _experiments(self) -> list[Experiment]:
        """Those that the runs are of, by name."""
        wanted: set[int] = set()
        for part in _parts(self.ids):
            runs = Run.objects.filter(pk__in=part)
            wanted.update(runs.order_by().values_list("experiment_id", flat=True).distinct())
        found: list[Experiment] = []
        for part in _parts(array("q", sorted(wanted))):
            found += Experiment.objects.of(self.workspace).filter(pk__in=part)
        return sorted(found, key=lambda one: one.name)

    def _has(self, run_id: int) -> bool:
        at = bisect_left(self.ids, run_id)
        return at < len(self.ids) and self.ids[at] == run_id

    def _told(self, name: str, lines: Iterator[dict[str, Any]]) -> Iterator[ZipMember]:
        """A member of these lines, none for no lines: each takes memory until the end."""
        first = next(lines, None)
        if first is not None:
            yield self._made(name, partial(_lines, chain([first], lines)))

    def _made(self, name: str, pieces: Callable[[], Iterable[bytes]]) -> ZipMember:
        return self._noted(_made(name, pieces))

    def _noted(self, member: ZipMember) -> ZipMember:
        """The member, whose checksum is kept once it was read."""
        return member._replace(open=lambda: cast(BinaryIO, _Summed(member, self.sums)))

    def _checksums(self) -> Iterator[bytes]:
        for name, digest in self.sums.items():
            yield f"{digest}  {name}\n".encode()


def _experiment(one: Experiment) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "description": one.description,
        "tags": one.tags,
        "created_at": iso(one.created_at),
        "archived_at": iso(one.archived_at),
    }


def _event_pieces(runs: Sequence[Run]) -> Iterator[bytes]:
    return _lines(event_lines(runs))


def place_of(workspace: Workspace) -> str:
    """What tells this workspace of this studio from every other one, and nothing else of it."""
    return salted_hmac("studio.exports.archive", str(workspace.pk)).hexdigest()[:32]


def archive_of(
    workspace: Workspace, runs: RunQuerySet | Iterable[int], *, views: str = ""
) -> Archive:
    """The archive of these runs (or their ids) and all child runs below them, as they are now. Runs
    in the trash are no part of it. Queries: 1, and one a level for each 500 runs."""
    if isinstance(runs, RunQuerySet):
        bare = runs.select_related(None).prefetch_related(None).order_by()
        runs = bare.values_list("pk", flat=True).iterator()
    found = set(runs)
    level = array("q", sorted(found))
    while level:
        below: set[int] = set()
        for part in _parts(level):
            children = Run.objects.of(workspace).filter(parent__in=part)
            below.update(children.values_list("pk", flat=True))
        below -= found
        found |= below
        level = array("q", sorted(below))
    # A parent is there before its children: its id is lower.
    return Archive(workspace, array("q", sorted(found)), views)


def _parts(ids: "array[int]") -> Iterator["array[int]"]:
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield f"{json.dumps(row, sort_keys=True, separators=(',', ':'))}\n".encode()


def _made(name: str, pieces: Callable[[], Iterable[bytes]]) -> ZipMember:
    return ZipMember(name, lambda: cast(BinaryIO, _Pieces(pieces())), _TO_THE_END)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._left = iter(pieces), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        n_bytes = min(len(buffer), len(self._left))
        buffer[:n_bytes], self._left = self._left[:n_bytes], self._left[n_bytes:]
        return n_bytes


class _Summed(io.RawIOBase):
    """What a member holds; its checksum is noted under its name at the end."""

    def __init__(self, member: ZipMember, sums: dict[str, str]) -> None:
        self._source, self._left = member.open(), member.n_bytes
        self._name, self._sums, self._sum = member.label, sums, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        self._sum.update(data)
        return data

    def close(self) -> None:
        if not self.closed:
            self._sums[self._name] = self._sum.hexdigest()
            with closing(self._source):
                super().close()
