"""The lineage of the runs of an archive: models first, as what runs used and made names them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.importers.archive_values import moment_of, text_of, texts_of
from studio.importers.archive_zip import ArchiveZip
from studio.importers.lineage_ahead import News, count_ahead
from studio.importers.models import ImportedRun
from studio.importers.natives import STUDIO, native_origin
from studio.importers.past import past_input, past_model
from studio.importers.records import DatasetRecord, ModelRecord
from studio.importers.report import Report
from studio.importers.tasks import rows_of
from studio.importers.wish import Wish
from studio.lineage.actions import ModelPoint
from studio.lineage.importing import (
    PastInput,
    PastLink,
    PastModel,
    import_inputs,
    import_links,
    import_models,
    import_points,
)
from studio.lineage.models import MODEL_UID_RULE
from studio.lineage.sorting import Refused
from studio.runs.limits import Invalid
from studio.runs.models import Run
from studio.wire.checks import MAX_INT

# Stored together: so many lines, points or characters.
MAX_LINES, MAX_POINTS, MAX_CHARS = 2_000, 5_000, 16_000_000
# Of data sets that were told, the newest are held; whoever writes tells them again in time.
MAX_CHARS_HELD, PER_DATASET = 64_000_000, 500
MAX_ORIGIN = 300
BROKEN = (ValueError, LookupError, TypeError, OverflowError, Invalid)
INFINITE = {"Infinity": float("inf"), "-Infinity": float("-inf")}
COLUMNS = ("name", "value", "step", "at_ms", "dataset_name", "dataset_digest")


@dataclass(frozen=True, slots=True)
class Points:
    """Points that a run logged of a model."""

    link: PastLink
    points: Sequence[ModelPoint]


@dataclass(frozen=True, slots=True)
class Others:
    """So many points of a model were logged by a run that the archive does not have."""

    link: PastLink
    n_points: int


Told = PastModel | PastInput | PastLink | Points | Others


@dataclass(frozen=True, slots=True)
class Said:
    """What a line tells of the run of that origin."""

    origin: str
    what: Told


def store_lineage(archive: ArchiveZip, wish: Wish, report: Report) -> None:
    """Add what is missing of the lineage of imported runs; runs from here and deleted ones are left
    alone. What can't be read or stored, and links to what is not here, are reported. A dry run
    counts what is missing, as if every run of the archive could be read.

    Queries: about 25 for each batch of MAX_LINES lines, MAX_POINTS points or MAX_CHARS characters.
    """
    for folder, reader in (("models", _Models), ("lineage", _Lines)):
        for name in archive.names(folder):
            for part in _parts(_said(archive, name, reader(), report)):
                wish.tick()
                _store(part, wish, report, name)


def _said(
    archive: ArchiveZip, name: str, reader: "_Models | _Lines", report: Report
) -> Iterator[Said]:
    """What a member tells; a line that tells nothing costs that line."""
    try:
        archive.verify(name)
        for number, line in enumerate(archive.lines(name), 1):
            try:
                said = reader.read(line)
            except BROKEN as error:
                report.note(f"{name}, line {number}", f"Left out: {str(error).rstrip('.')}.")
                continue
            if said is not None:
                yield said
    except ValueError as error:
        report.note(name, f"The rest of it was left out: {error}.")


def _parts(said: Iterable[Said]) -> Iterator[list[Said]]:
    part: list[Said] = []
    n_chars = n_points = 0
    for one in said:
        part.append(one)
        n_chars += _chars_of(one.what)
        n_points += len(one.what.points) if isinstance(one.what, Points) else 0
        if len(part) >= MAX_LINES or n_points >= MAX_POINTS or n_chars >= MAX_CHARS:
            yield part
            part, n_chars, n_points = [], 0, 0
    if part:
        yield part


def _chars_of(what: Told) -> int:
    """About what it takes beside data sets, which are held by the reader."""
    labels: tuple[Mapping[str, str], ...] = ()
    if isinstance(what, PastModel):
        labels = (what.params, what.tags)
    elif isinstance(what, PastInput):
        labels = (what.used.labels,)
    return sum(len(key) + len(value) for one in labels for key, value in one.items())


class _Models:
    """Reads lines of `models/`."""

    def read(self, line: Mapping[str, Any]) -> Said:
        """Raises one of BROKEN."""
        created = moment_of(line, "created_at")
        if created is None:
            raise ValueError("created_at is missing")
        record = ModelRecord(
            uid=text_of(line, "uid"),
            name=text_of(line, "name"),
            status=text_of(line, "status"),
            created_at=created,
            model_type=text_of(line, "model_type"),
            step=None,
            parameters=texts_of(line, "params"),
            tags=texts_of(line, "tags"),
            is_carried=line.get("is_carried") is True,
            updated_at=moment_of(line, "updated_at"),
            deleted_at=moment_of(line, "deleted_at"),
        )
        return Said(_origin(line), past_model(record))


class _Lines:
    """Reads lines of `lineage/`; holds the data sets that were told."""

    def __init__(self) -> None:
        self._told: dict[int, DatasetRecord] = {}
        self._n_chars = 0
        self._kinds: dict[str, Callable[[Mapping[str, Any]], Told]] = {
            "input": self._input,
            "model_input": _link,
            "output": lambda line: _link(line, step=_whole(line.get("step"))),
            "points": lambda line: Points(_link(line), _points(line)),
            "other_points": lambda line: Others(_link(line), _whole(line.get("n_points"))),
        }

    def read(self, line: Mapping[str, Any]) -> Said | None:
        """None for a data set. Raises one of BROKEN."""
        kind = text_of(line, "kind")
        if kind == "dataset":
            self._hold(_whole(line.get("number")), line)
            return None
        if kind not in self._kinds:
            raise ValueError(f"“{kind[:40]}” is no kind of lineage")
        return Said(_origin(line), self._kinds[kind](line))

    def _hold(self, number: int, line: Mapping[str, Any]) -> None:
        self._drop(number)
        one = DatasetRecord(
            name=text_of(line, "name"),
            digest=text_of(line, "digest"),
            source_type=text_of(line, "source_type"),
            source=text_of(line, "source"),
            schema=text_of(line, "schema"),
            profile=text_of(line, "profile"),
            created_at=moment_of(line, "created_at"),
        )
        self._told[number] = one
        self._n_chars += _chars_held(one)
        while self._n_chars > MAX_CHARS_HELD:
            self._drop(next(iter(self._told)))

    def _drop(self, number: int) -> None:
        if one := self._told.pop(number, None):
            self._n_chars -= _chars_held(one)

    def _input(self, line: Mapping[str, Any]) -> PastInput:
        number = _whole(line.get("dataset"))
        if number not in self._told:
            raise ValueError(f"no data set {number} is told before it")
        labels = texts_of(line, "labels")
        return past_input(replace(self._told[number], labels=labels))


def _chars_held(one: DatasetRecord) -> int:
    texts = (one.name, one.digest, one.source_type, one.source, one.schema, one.profile)
    return PER_DATASET + sum(map(len, texts))


def _link(line: Mapping[str, Any], *, step: int | None = None) -> PastLink:
    uid = text_of(line, "model")
    if not re.fullmatch(MODEL_UID_RULE, uid):
        raise ValueError(f"“{uid[:80]}” is no id of a model")
    return PastLink(uid, text_of(line, "name")[:255], step)


def _points(line: Mapping[str, Any]) -> list[ModelPoint]:
    uid, rows = text_of(line, "model"), line.get("points")
    if not isinstance(rows, list) or len(rows) > MAX_POINTS:
        raise ValueError(f"points are no list of at most {MAX_POINTS:,}")
    return [_point(uid, row) for row in rows]


def _point(uid: str, row: object) -> ModelPoint:
    if not isinstance(row, list) or len(row) != len(COLUMNS):
        raise ValueError(f"a point has not {len(COLUMNS)} columns")
    line = dict(zip(COLUMNS, row, strict=True))
    value = line["value"]
    if isinstance(value, str) and value in INFINITE:
        value = INFINITE[value]
    if not isinstance(value, int | float | None) or isinstance(value, bool):
        raise ValueError(f"“{str(value)[:40]}” is no value of a point")
    return ModelPoint(
        uid,
        text_of(line, "name"),
        float("nan") if value is None else float(value),
        _whole(line["step"]),
        _whole(line["at_ms"]),
        text_of(line, "dataset_name"),
        text_of(line, "dataset_digest"),
    )


def _whole(value: object) -> int:
    if type(value) is not int or not -MAX_INT - 1 <= value <= MAX_INT:
        raise ValueError(f"“{str(value)[:40]}” is no whole number of 64 bits")
    return value


def _origin(line: Mapping[str, Any]) -> str:
    origin = native_origin(text_of(line, "run"))
    if len(origin) > MAX_ORIGIN:
        raise ValueError("its run has no name of a run")
    return origin


def _store(part: Sequence[Said], wish: Wish, report: Report, name: str) -> None:
    rows = rows_of(wish, STUDIO, [one.origin for one in part])
    if wish.is_dry:
        return _foresee(part, rows, wish, report)
    here = {
        origin: row.run
        for origin, row in rows.items()
        # Without a key: from here, and left alone.
        if row.pk is not None and row.run is not None and row.run.deleted_at is None
    }
    for origin in sorted({one.origin for one in part} - rows.keys()):
        _tell_unknown(origin, [one.what for one in part if one.origin == origin], report, name)
    news = [(here[one.origin], one.what) for one in part if one.origin in here]
    for one in _bring(news, wish, report):
        report.note(f"{one.run.display_name}: {one.what}", one.why)


def _foresee(
    part: Sequence[Said], rows: Mapping[str, ImportedRun], wish: Wish, report: Report
) -> None:
    """Count what is missing of runs that an import brought, and of those that this one would."""
    news: list[News] = []
    for one in part:
        row = rows.get(one.origin)
        run = row.run if row is not None else None
        is_from_here = row is not None and row.pk is None
        is_gone = row is not None and (run is None or run.deleted_at is not None)
        if not is_from_here and (wish.again or not is_gone):
            news.append((one.origin, run, one.what))
    count_ahead(wish.workspace, news, report)


def _tell_unknown(origin: str, told: Sequence[Told], report: Report, name: str) -> None:
    """A run that is not here: another one logged points of a model that is, or it was skipped."""
    others = [what for what in told if isinstance(what, Others)]
    for one in others:
        why = (
            f"The run {_uid(origin)}, which is not in the archive, logged {one.n_points:,} of them"
        )
        report.note(f"points of the {one.link.what}", f"{why}; they were left out.")
    if len(others) < len(told):
        report.note(name, f"The run {_uid(origin)} is not here; its lineage was left out.")


def _uid(origin: str) -> str:
    return f"“{origin.removeprefix('run:').rpartition('@')[0][:80]}”"


def _bring(news: Sequence[tuple[Run, Told]], wish: Wish, report: Report) -> Iterator[Refused]:
    """Store and count it; what is refused."""
    room, by = wish.workspace, wish.by
    if models := [(run, what) for run, what in news if isinstance(what, PastModel)]:
        n_new, refused = import_models(room, models, by=by)
        report.n_models += n_new
        yield from refused
    if inputs := [(run, what) for run, what in news if isinstance(what, PastInput)]:
        n_new, refused = import_inputs(room, inputs, by=by)
        report.n_datasets += n_new
        yield from refused
    if links := [(run, what) for run, what in news if isinstance(what, PastLink)]:
        n_new, refused = import_links(room, links, by=by)
        report.n_links += n_new
        yield from refused
    points = [(run, one.link, one.points) for run, one in news if isinstance(one, Points)]
    if points:
        yield from import_points(room, points, by=by)
