"""Runs out of TensorBoard's logs: each folder with event files is one run."""

import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from studio.artifacts.paths import storable_path
from studio.importers.event_files import Corrupt, EventFile, Logged, hparams_of, image_bytes
from studio.importers.naming import is_time, origin_of
from studio.importers.records import FileRecord, Points, RunRecord, Unreadable
from studio.importers.sources import no_tick
from studio.runs.status import Status

PIECE_POINTS = 50_000
# A long text waits as so many points more.
CHARS_A_POINT = 400
# (file, offset, index) -> path of the image as a file of the run.
Images = dict[tuple[Path, int, int], str]
_ENDS = {2: Status.FAILED}
_KINDS = {"scalar", "text", "image"}
_ENDINGS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}


class TensorBoard:
    """A folder of logs; its name is the experiment of all its runs."""

    source, label = "tensorboard", "TensorBoard"

    def __init__(self, root: Path, tick: Callable[[], None] = no_tick) -> None:
        self.root, self.tick = root.resolve(), tick

    def count(self) -> int:
        return sum(1 for _ in self._folders())

    def read(self) -> Iterator[RunRecord | Unreadable]:
        """The runs by path; every file is read once for what is known of a run, and again for its
        points and its images."""
        for folder, files in self._folders():
            name = folder.relative_to(self.root).as_posix()
            name = self.root.name if name == "." else name
            try:
                found = _survey(files, self.tick)
            except OSError as error:
                yield Unreadable(name, f"{error.strerror}.")
                continue
            if found.began is None:
                yield Unreadable(name, found.problems[0] if found.problems else "It has no event.")
                continue
            yield self._record(folder, name, files, found)

    def _folders(self) -> Iterator[tuple[Path, list[Path]]]:
        for parent, folders, names in os.walk(self.root):
            folders.sort()
            paths = (Path(parent, name) for name in sorted(names) if "tfevents" in name)
            if files := [path for path in paths if path.is_file() and not path.is_symlink()]:
                yield Path(parent), files

    def _record(self, folder: Path, name: str, files: list[Path], found: "_Survey") -> RunRecord:
        began = found.began or 0.0
        moment = partial(datetime.fromtimestamp, tz=UTC)
        return RunRecord(
            # Neither where the logs lie now nor what was added later says which run it is.
            origin=origin_of("tensorboard", f"{folder.name}/{files[0].name}@{began!r}"),
            # Event files only grow.
            version=f"{len(files)}:{sum(file.stat().st_size for file in files)}",
            experiment=self.root.name,
            name=name[-255:],
            status=_ENDS.get(found.ended_as or 0, Status.COMPLETED),
            created_at=moment(began),
            started_at=moment(began),
            ended_at=moment(max(began, found.ended)),
            parameters=found.parameters,
            points=partial(_points, files, found.images, self.tick),
            files=partial(_images, found.images),
            problems=tuple(found.problems),
        )


@dataclass(slots=True)
class _Survey:
    """What is known of a run after its files were read once. began, ended: wall times."""

    began: float | None = None
    ended: float = 0.0
    ended_as: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    images: Images = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def _survey(files: list[Path], tick: Callable[[], None]) -> _Survey:
    found, left_out = _Survey(), Counter[str]()
    for file in files:
        try:
            for logged in EventFile(file, tick).values():
                _note(found, left_out, file, logged)
        except Corrupt as error:
            found.problems.append(f"{file.name}: {error}.")
    if left_out:
        told = ", ".join(f"{n} of the kind {kind}" for kind, n in sorted(left_out.items()))
        found.problems.append(f"Values that have no place here were left out: {told}.")
    return found


def _note(found: _Survey, left_out: Counter[str], file: Path, logged: Logged) -> None:
    if is_time(logged.time):
        found.began = logged.time if found.began is None else found.began
        found.ended = max(found.ended, logged.time)
    if logged.kind == "hparams":
        parameters, ended_as = hparams_of(logged.value)
        found.parameters |= parameters
        found.ended_as = ended_as or found.ended_as
    elif logged.kind == "image":
        stem = re.sub(r"[^\w./-]+", "_", logged.tag).strip("./") or "image"
        stem = storable_path(re.sub(r"/[./]*", "/", stem))
        ending = next((e for start, e in _ENDINGS.items() if logged.value.startswith(start)), "")
        path = f"images/{stem}_{logged.step}_{len(found.images)}{ending}"
        found.images[file, logged.offset, logged.index] = path
    elif logged.kind not in _KINDS | {"begin"}:
        left_out[logged.kind] += 1


def _points(files: list[Path], images: Images, tick: Callable[[], None]) -> Iterator[Points]:
    """All points, in pieces of one metric each."""
    waiting: dict[tuple[str, str], list[Logged]] = {}
    n_waiting = 0
    for logged in _logged(files, images, tick):
        waiting.setdefault((logged.tag, logged.kind), []).append(logged)
        n_waiting += 1 + len(logged.value) // CHARS_A_POINT if logged.kind == "text" else 1
        if n_waiting >= PIECE_POINTS:
            yield from _pieces(waiting)
            waiting, n_waiting = {}, 0
    yield from _pieces(waiting)


def _logged(files: list[Path], images: Images, tick: Callable[[], None]) -> Iterator[Logged]:
    """The values that are points, those of images with the path of their file; a time that is
    none is that of the value before."""
    time = 0.0
    for file in files:
        try:
            for one in EventFile(file, tick).values():
                time = one.time if is_time(one.time) else time
                if one.kind not in _KINDS:
                    continue
                value = one.value
                if one.kind == "image":
                    if (file, one.offset, one.index) not in images:
                        continue
                    value = {"path": images[file, one.offset, one.index]}
                tag = one.tag.removesuffix("/text_summary") if one.kind == "text" else one.tag
                step = max(one.step, -(2**63) + 1)
                yield Logged(tag or one.kind, one.kind, step, time, value)
        except Corrupt:
            # Told of by the survey.
            continue


def _pieces(waiting: dict[tuple[str, str], list[Logged]]) -> Iterator[Points]:
    for (tag, kind), points in waiting.items():
        yield Points(
            name=tag,
            steps=[point.step for point in points],
            times=[point.time for point in points],
            values=[point.value for point in points],
            kind=kind,
        )


def _images(images: Images) -> Iterator[FileRecord]:
    for (file, offset, index), path in images.items():
        data = image_bytes(file, offset, index)
        yield FileRecord(path, len(data), partial(io.BytesIO, data))
