"""Runs out of an archive of a studio, this one or another."""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO

from studio.exports.archive import place_of
from studio.importers.archive_history import History, history_file
from studio.importers.archive_parts import (
    describe_experiments,
    join_steps,
    store_images,
    store_sources,
    take_views,
)
from studio.importers.archive_values import (
    labels_of,
    moment_of,
    objects_of,
    text_of,
    texts_of,
)
from studio.importers.archive_zip import ArchiveZip, load, refuse_many
from studio.importers.natives import STUDIO, native_origin
from studio.importers.past import SUBMITTED_BY
from studio.importers.records import FileRecord, Points, RunRecord, Unreadable
from studio.importers.report import Report
from studio.importers.studio_lineage import store_lineage
from studio.importers.wish import Wish
from studio.metrics.packing import HEADER, unpack
from studio.wire import RUN_TYPES
from studio.wire.checks import WireError
from studio.wire.columns import VALUES

IMPORTED, HISTORY = "imported", "imported/history"
# Facts of a run that change when it is brought to another studio.
OF_ONE_STUDIO = {
    *("number", "submitter", "target", "evidence", "cancel", "status_at", "n_events", "n_chunks"),
}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_HEAD_BYTES, MAX_CHUNK_BYTES, MAX_CHUNK_VALUES = 1 << 16, 256 << 20, 16_000_000
# Ten times as many as a full one has.
MAX_CHUNK_POINTS = 80_000
# What a run has beside what every tracker knows, and of which type each is.
MORE: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "script": (str,),
    "arguments": (list,),
    "snapshot": (str,),
    "definition": (dict,),
    "error": (dict, type(None)),
    "warnings": (list,),
    "exit_code": (int, type(None)),
    "exit_signal": (int, type(None)),
    "max_duration_s": (int, float, type(None)),
    "status_reason": (str,),
}


class StudioZip:
    """A reader of `ArchiveZip`. Origins are made of a run's id and the moment it was made, which
    are the same in every studio: one run is one run, whatever archive it comes in."""

    source = STUDIO

    def __init__(self, archive: ArchiveZip) -> None:
        self.archive = archive
        workspace = archive.head.get("workspace")
        self._is_own = False
        self.label = f"an archive of the workspace “{str(workspace)[:80]}”"

    def count(self) -> int | None:
        n_runs = self.archive.head.get("n_runs")
        return n_runs if isinstance(n_runs, int) and n_runs >= 0 else None

    def prepare(self, wish: Wish, report: Report) -> None:
        """Store sources and images, which the runs name."""
        self._is_own = self.archive.head.get("place") == place_of(wish.workspace)
        store_sources(self.archive, wish, report)
        store_images(self.archive, wish, report)

    def finish(self, wish: Wish, report: Report) -> None:
        """Describe new experiments, join steps, store the lineage, take the views."""
        describe_experiments(self.archive, wish, report)
        join_steps(self.archive, wish, report)
        store_lineage(self.archive, wish, report)
        take_views(self.archive, wish, report)

    def foresee(self, wish: Wish, report: Report) -> None:
        """Count the lineage; a dry run tells nothing of views and descriptions."""
        store_lineage(self.archive, wish, report)

    def read(self) -> Iterator[RunRecord | Unreadable]:
        """The runs of each block, whose facts and history are verified before they are believed."""
        for name in self.archive.names("runs"):
            block = name.removeprefix("runs/").removesuffix(".jsonl")
            try:
                self.archive.verify(name)
                points = _Points(self.archive, f"metrics/{block}.bin")
                history = History(self.archive, f"events/{block}.jsonl")
                for number, line in enumerate(self.archive.lines(name), 1):
                    yield self._record(line, f"{name}, line {number}", points, history)
            except ValueError as error:
                yield Unreadable(name, f"{error}.")

    def _record(
        self, line: Mapping[str, Any], place: str, points: "_Points", history: History
    ) -> RunRecord | Unreadable:
        try:
            uid, moment = text_of(line, "uid"), partial(moment_of, line)
            created = moment("created_at")
            if created is None:
                raise ValueError("created_at is missing")
            files, text = objects_of(line, "files"), _plain_text(line)
            return RunRecord(
                origin=native_origin(text_of(line, "origin")),
                uid=uid,
                experiment=text_of(line, "experiment"),
                name=text_of(line, "display_name"),
                status=text_of(line, "status"),
                created_at=created,
                started_at=moment("started_at"),
                ended_at=moment("ended_at"),
                parent=native_origin(text_of(line, "parent")) if line.get("parent") else "",
                description=text_of(line, "description"),
                submitter=text_of(line, "submitter"),
                tags=labels_of(line, "tags", empty=True),
                properties=texts_of(line, "properties"),
                parameters=texts_of(line, "parameters"),
                points=partial(points.of, uid) if line.get("n_chunks") else tuple,
                files=partial(self._files, files, uid, bool(line.get("n_events")), history),
                version=hashlib.sha256(text).hexdigest(),
                weight=len(text),
                more=_more(line) | {"archived_at": moment("archived_at")},
            )
        except (ValueError, LookupError, TypeError) as error:
            return Unreadable(place, f"This is no run: {error}.")

    def _files(
        self, files: Sequence[Mapping[str, Any]], uid: str, is_told: bool, history: History
    ) -> Iterator[FileRecord | Unreadable]:
        """The files, and last, where it is told, what happened to the run where it comes from, as a
        file of its own: the history of a run here tells only what happened here."""
        taken = set()
        for one in files:
            path, member = text_of(one, "path"), text_of(one, "member")
            taken.add(path)
            if not member:
                yield Unreadable(path, "Its bytes were lost in the studio it comes from.")
            elif not member.startswith("files/") or not self.archive.has(member):
                yield Unreadable(path, "The archive does not have this file.")
            else:
                yield self._file(path, member)
        if self._is_own:
            return
        if is_told:
            name = next(n for n in _history_names() if n not in taken)
            yield from history_file(name, history, uid)

    def _file(self, path: str, member: str) -> FileRecord:
        archive = self.archive
        return FileRecord(
            path, archive.n_bytes(member), partial(archive.open, member), archive.sha256(member)
        )


def _history_names() -> Iterator[str]:
    yield f"{HISTORY}.jsonl"
    number = 2
    while True:
        yield f"{HISTORY}-{number}.jsonl"
        number += 1


class _Points:
    """The points of a block. Its runs come in their order; to go back it is opened again."""

    def __init__(self, archive: ArchiveZip, name: str) -> None:
        self._archive, self._name = archive, name
        self._stream: BinaryIO | None = None
        self._head: dict[str, Any] | None = None

    def of(self, uid: str) -> Iterator[Points | Unreadable]:
        """All points of a run, a chunk at a time. Raises ValueError."""
        if not self._archive.has(self._name):
            return
        if self._stream is None:
            self._archive.verify(self._name)
        for _ in range(2):
            is_found = False
            for head, data in self._chunks(uid):
                is_found = True
                yield _points(head, data)
            if is_found:
                return

    def _chunks(self, uid: str) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Those of the run, from the place of the last call on; at the end of the block it is
        opened anew."""
        if self._stream is None:
            self._stream, self._head = self._archive.open(self._name), None
        is_begun = False
        while True:
            if self._head is None:
                self._head = _head(self._stream)
            if self._head is None:
                self._stream.close()
                self._stream = None
                return
            is_ours = self._head.get("run") == uid
            if is_begun and not is_ours:
                return
            head, self._head = self._head, None
            data = _exactly(self._stream, head["n_bytes"])
            if is_ours:
                is_begun = True
                yield head, data


def _head(stream: BinaryIO) -> dict[str, Any] | None:
    line = stream.readline(MAX_HEAD_BYTES)
    if not line:
        return None
    head = load(line)
    n_bytes = head.get("n_bytes") if isinstance(head, dict) else None
    if type(n_bytes) is not int or not 5 <= n_bytes <= MAX_CHUNK_BYTES:
        raise ValueError("a chunk of points has no length")
    return dict(head)


def _exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    found = bytearray()
    while len(found) < n_bytes:
        data = stream.read(n_bytes - len(found))
        if not data:
            raise ValueError("a chunk of points is cut off")
        found += data
    return bytes(found)


def _points(head: Mapping[str, Any], data: bytes) -> Points | Unreadable:
    """A chunk as columns; one whose values its kind does not know is left out."""
    name, kind = str(head.get("name")), str(head.get("kind"))
    try:
        _refuse_large(data)
        found = unpack(data)
        values = found.values if isinstance(found.values, list) else found.values.tolist()
        if kind not in VALUES or not len(found) == len(values):
            raise ValueError("it is no chunk of a kind that is known here")
        if isinstance(found.values, list):
            values = VALUES[kind](values, "values", kind)
        elif kind not in ("scalar", "list"):
            raise ValueError("it has numbers only")
    except (ValueError, TypeError, RecursionError, WireError) as error:
        return Unreadable(name[:200], f"A chunk of points was left out: {error}.")
    return Points(name, found.steps.tolist(), found.times.tolist(), values, kind)


def _refuse_large(data: bytes) -> None:
    """Raises ValueError for a chunk that no studio has written."""
    n_points, kind = HEADER.unpack_from(data)
    if n_points > MAX_CHUNK_POINTS:
        raise ValueError(f"it has more than {MAX_CHUNK_POINTS:,} points")
    if kind == b"J":
        refuse_many(data[HEADER.size + 16 * n_points :], MAX_CHUNK_VALUES)


def _plain_text(line: Mapping[str, Any]) -> bytes:
    """Another one whenever the run changed where it comes from; the same for what a studio that
    only imported it tells of it."""
    kept = {key: value for key, value in line.items() if key not in OF_ONE_STUDIO}
    kept["properties"] = {k: v for k, v in line["properties"].items() if k != SUBMITTED_BY}
    files = [(text_of(one, "path"), one.get("n_bytes")) for one in objects_of(line, "files")]
    kept["files"] = [one for one in files if not one[0].startswith(f"{IMPORTED}/")]
    return json.dumps(kept, sort_keys=True).encode()


def _more(line: Mapping[str, Any]) -> dict[str, Any]:
    """What only a studio tells of a run. Raises ValueError for another type than it has."""
    found: dict[str, Any] = {}
    for name, types in MORE.items():
        value = line.get(name)
        if name not in line or (value is None and type(None) not in types):
            continue
        if not isinstance(value, types) or isinstance(value, bool):
            raise ValueError(f"{name} is a {type(value).__name__}")
        found[name] = value
    for name in ("arguments", "warnings"):
        if not all(isinstance(one, str) for one in found.get(name, ())):
            raise ValueError(f"{name} holds more than texts")
    if found.get("type", RUN_TYPES[0]) not in RUN_TYPES:
        del found["type"]
    return {name: _storable(value) for name, value in found.items()}


def _storable(value: Any) -> Any:
    """The value without characters that no database takes."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
