"""`mlflow-folder`: the file store of MLflow 2 and 3, an `mlruns` folder."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from studio.compute.workdir import open_output
from studio.custom_views import plain_yaml
from studio.importers.archives import unpack
from studio.importers.local_files import (
    LINK,
    files_below,
    folder_within,
    look_of,
    texts_below,
    walk,
)
from studio.importers.mlflow import (
    SOURCE,
    Found,
    WrongValue,
    dataset_record,
    model_record,
    record_of,
)
from studio.importers.mlflow_lines import points_of
from studio.importers.records import (
    DatasetRecord,
    FileRecord,
    ModelRecord,
    Points,
    RunRecord,
    SourceError,
    Unreadable,
)
from studio.importers.sources import SourceOptions
from studio.lineage.models import MODELS_FOLDER
from studio.runs.limits import Invalid

# So many folders may lie around the one that is meant, as in an archive.
MAX_WRAPPED = 4
MAX_DIGITS = 20
META, TRASH = "meta.yaml", ".trash"
# Folders of an experiment that are no runs.
NO_RUNS = {"tags", "datasets", "models", "traces", "evaluation_datasets", "scorers", "issues"}


class BadMeta(ValueError):
    """A meta.yaml that is missing or is none."""


def meta_of(folder: Path) -> dict[str, str]:
    """The plain values of its meta.yaml as texts. Raises BadMeta."""
    try:
        with open_output(folder / META) as stream:
            found = plain_yaml.read(stream.read(plain_yaml.MAX_BYTES + 1))
    except FileNotFoundError as error:
        raise BadMeta("There is no meta.yaml.") from error
    except (OSError, ValueError, Invalid) as error:
        raise BadMeta(f"Its meta.yaml can't be read: {error}") from error
    if not isinstance(found, dict):
        raise BadMeta("Its meta.yaml says nothing.")
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _folders(folder: Path) -> Iterator[Path | Unreadable]:
    """The folders in a folder by name."""
    if not folder.is_dir() or folder.is_symlink():
        return
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_symlink():
            yield Unreadable(entry.name, LINK)
        elif entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


class FolderReader:
    """Reads an `mlruns` folder; the runs of all experiments, the oldest first."""

    source = SOURCE

    def __init__(self, root: Path, options: SourceOptions) -> None:
        self.root, self.options = root, options
        self.label = f"the MLflow folder {root.name}"
        self._models: dict[Path, dict[str, list[Path]]] = {}

    def count(self) -> int | None:
        return sum(
            1
            for place in self._experiments()
            if isinstance(place, Path)
            for run in _folders(place)
            if isinstance(run, Path) and run.name not in NO_RUNS
        )

    def read(self) -> Iterator[RunRecord | Unreadable]:
        listed: list[tuple[int, str, str, Path]] = []
        for place in self._experiments():
            if isinstance(place, Unreadable):
                yield place
                continue
            try:
                experiment = meta_of(place)
            except BadMeta as error:
                yield Unreadable(place.name, f"No experiment: {error}")
                continue
            if experiment.get("lifecycle_stage") == "deleted" and not self.options.deleted:
                continue
            yield from self._list_runs(place, experiment.get("name") or place.name, listed)
        for _, _, name, folder in sorted(listed):
            try:
                yield record_of(self._found(folder, name))
            except (ValueError, OSError) as error:
                yield Unreadable(self._shown(folder), str(error))

    def _experiments(self) -> Iterator[Path | Unreadable]:
        for place in _folders(self.root):
            if isinstance(place, Unreadable) or place.name != TRASH:
                yield place
            elif self.options.deleted:
                yield from _folders(place)

    def _list_runs(
        self, place: Path, experiment: str, listed: list[tuple[int, str, str, Path]]
    ) -> Iterator[Unreadable]:
        """Add (start, id, experiment, folder) of every run; yields what is none."""
        for folder in _folders(place):
            self.options.tick()
            if isinstance(folder, Unreadable):
                yield Unreadable(f"{place.name}/{folder.place}", folder.why)
                continue
            if folder.name in NO_RUNS:
                continue
            try:
                meta = meta_of(folder)
            except BadMeta as error:
                yield Unreadable(self._shown(folder), str(error))
                continue
            if meta.get("lifecycle_stage") != "deleted" or self.options.deleted:
                start = meta.get("start_time", "")
                is_whole = start.isdecimal() and start.isascii() and len(start) < MAX_DIGITS
                began = int(start) if is_whole else 0
                listed.append((began, folder.name, experiment, folder))

    def _shown(self, folder: Path) -> str:
        return str(folder.relative_to(self.root)).encode(errors="replace").decode()

    def _found(self, folder: Path, experiment: str) -> Found:
        meta, problems = meta_of(folder), list[str]()
        found = Found(
            run_id=meta.get("run_id") or meta.get("run_uuid") or folder.name,
            experiment=experiment,
            status=meta.get("status", ""),
            name=meta.get("run_name") or meta.get("name", ""),
            user=meta.get("user_id", ""),
            start_ms=meta.get("start_time"),
            end_ms=meta.get("end_time"),
            tags=texts_below(folder / "tags", problems, what="tag"),
            parameters=texts_below(folder / "params", problems, what="parameter"),
            points=partial(_points, folder / "metrics", self.options.tick),
            problems=problems,
        )
        found.datasets = list(_datasets(folder, problems))
        models = self._models_of(folder.parent).get(found.run_id, [])
        found.models = list(_models(models, problems))
        within = folder_within(meta.get("artifact_uri", ""), self.root)
        artifacts = within or folder / "artifacts"
        if within is None and not artifacts.is_dir() and not self._is_usual(meta, folder):
            problems.append(f"Its files are left out: they lie elsewhere. {OUTSIDE}")
        found.files = partial(_files, artifacts, models)
        found.version = look_of(folder, *models)
        return found

    def _is_usual(self, meta: Mapping[str, Any], folder: Path) -> bool:
        """Whether the files of a run lie, or would lie, beside what else it has: MLflow names the
        folder as it was where it logged, and an archive leaves out a folder without files."""
        try:
            address = urlsplit(meta.get("artifact_uri") or "")
        except ValueError:
            return False
        usual = ("mlruns", folder.parent.name, folder.name, "artifacts")
        parts = PurePosixPath(unquote(address.path).replace("\\", "/")).parts
        return not address.path or (address.scheme in ("", "file") and parts[-4:] == usual)

    def _models_of(self, place: Path) -> Mapping[str, list[Path]]:
        """The folders of an experiment's logged models by the run that made them."""
        if place not in self._models:
            found: dict[str, list[Path]] = {}
            for folder in _folders(place / "models"):
                self.options.tick()
                if isinstance(folder, Path) and (folder / META).exists():
                    try:
                        meta = meta_of(folder)
                    except BadMeta:
                        # Told of by the run's outputs, which name it.
                        continue
                    found.setdefault(meta.get("source_run_id", ""), []).append(folder)
            self._models = {place: found}
        return self._models[place]


OUTSIDE = "Only what lies below the folder that is imported is read."


def _points(folder: Path, tick: Callable[[], None]) -> Iterator[Points | Unreadable]:
    for label, entry in walk(folder):
        if not entry.is_file(follow_symlinks=False):
            yield Unreadable(label, "Not a regular file.")
            continue
        with open_output(Path(entry.path)) as stream:
            yield from points_of(label.encode(errors="replace").decode(), stream, tick)


def _files(artifacts: Path, models: list[Path]) -> Iterator[FileRecord | Unreadable]:
    yield from files_below(artifacts)
    for folder in models:
        yield from files_below(folder / "artifacts", under=f"{MODELS_FOLDER}{folder.name}/")


def _models(folders: list[Path], problems: list[str]) -> Iterator[ModelRecord]:
    for folder in folders:
        params = texts_below(folder / "params", problems, what="model parameter")
        tags = texts_below(folder / "tags", problems, what="model tag")
        try:
            yield model_record(meta_of(folder), parameters=params, tags=tags)
        except (BadMeta, WrongValue) as error:
            problems.append(f"The model “{folder.name[:80]}” was left out: {error}")


def _datasets(folder: Path, problems: list[str]) -> Iterator[DatasetRecord]:
    for use in _folders(folder / "inputs"):
        if isinstance(use, Unreadable):
            continue
        try:
            meta = meta_of(use)
            if meta.get("source_type") != "DATASET":
                continue
            source = folder.parent / "datasets" / Path(meta.get("source_id", "")).name
            facts = meta_of(source)
            labels = _labels_of(use)
        except BadMeta as error:
            problems.append(f"The data set “{use.name[:80]}” was left out: {error}")
            continue
        yield dataset_record(facts, labels)


def _labels_of(use: Path) -> dict[str, str]:
    """The tags of an input, which are a mapping in its meta.yaml (a list in older ones)."""
    with open_output(use / META) as stream:
        found = plain_yaml.read(stream.read(plain_yaml.MAX_BYTES))
    tags = found.get("tags", {}) if isinstance(found, dict) else {}
    if isinstance(tags, dict):
        return {key: value for key, value in tags.items() if isinstance(value, str)}
    pairs = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return {str(tag.get("key", "")): str(tag.get("value", "")) for tag in pairs}


@contextmanager
def open_folder(source: str | Path, options: SourceOptions) -> Iterator[FolderReader]:
    """An `mlruns` folder, or one that holds it. Raises SourceError."""
    root = Path(source)
    if not root.is_dir():
        raise SourceError(f"There is no folder “{source}”. Name the mlruns folder.")
    is_store = any(isinstance(p, Path) and (p / META).exists() for p in _folders(root))
    inner = [p for p in _folders(root) if isinstance(p, Path) and p.name != TRASH]
    while not is_store and len(inner) >= 1:
        below = next(
            (p for p in inner if p.name == "mlruns"), inner[0] if len(inner) == 1 else None
        )
        if below is None:
            break
        root, inner = below, [p for p in _folders(below) if isinstance(p, Path)]
        is_store = any((p / META).exists() for p in inner)
    if not is_store:
        raise SourceError(f"“{Path(source).name}” holds no experiment with a meta.yaml.")
    yield FolderReader(root, options)


@contextmanager
def open_folder_zip(path: Path, options: SourceOptions) -> Iterator[FolderReader]:
    """An `mlruns` folder in a ZIP, unpacked beside it. Raises SourceError."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unpack(path, Path(folder), options.tick)
        with open_folder(folder, options) as reader:
            reader.label = "an uploaded MLflow folder"
            yield reader
