"""The kinds of sources beside MLflow's, as `sources` lists them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.importers.archive_zip import ArchiveZip
from studio.importers.archives import unpack
from studio.importers.csv_runs import CsvRuns
from studio.importers.records import Reader, SourceError
from studio.importers.sources import Kind, Opener, SourceOptions, UploadOpener
from studio.importers.studio_zip import StudioZip
from studio.importers.tensorboard import TensorBoard
from studio.importers.wandb_runs import WandbRuns


@contextmanager
def _tensorboard(source: str, options: SourceOptions) -> Iterator[Reader]:
    yield TensorBoard(_folder(source), options.tick)


@contextmanager
def _studio_zip(source: str | Path, options: SourceOptions) -> Iterator[Reader]:
    archive = ArchiveZip(_file(str(source)), options.tick)
    try:
        yield StudioZip(archive)
    finally:
        archive.close()


@contextmanager
def _wandb(source: str, options: SourceOptions) -> Iterator[Reader]:
    yield WandbRuns(_folder(source), options.tick)


def _zipped(open_folder: Opener) -> UploadOpener:
    """Opens such a folder in a ZIP, unpacked beside it. Raises SourceError."""

    @contextmanager
    def open_zip(path: Path, options: SourceOptions) -> Iterator[Reader]:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            # The same name each time: where runs have none of their own, folders name them.
            inner = Path(folder, "upload")
            inner.mkdir()
            unpack(path, inner, options.tick)
            packed = list(inner.iterdir())
            # Most people pack the folder itself.
            root = packed[0] if len(packed) == 1 and packed[0].is_dir() else inner
            with open_folder(str(root), options) as reader:
                yield reader

    return open_zip


@contextmanager
def _csv(source: str | Path, options: SourceOptions) -> Iterator[Reader]:
    yield CsvRuns(_file(str(source)), options.tick)


def _folder(source: str) -> Path:
    path = Path(source)
    if not path.is_dir():
        raise SourceError(f"There is no folder “{source}”.")
    return path


def _file(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        raise SourceError(f"There is no file “{source}”.")
    return path


MORE = (
    Kind(
        "wandb",
        "W&B",
        "a folder of offline runs, or of exported histories",
        _wandb,
        open_upload=_zipped(_wandb),
        accepts=(".zip",),
    ),
    Kind(
        "csv",
        "CSV",
        "a table with one row a run, or one row a point",
        _csv,
        open_upload=_csv,
        accepts=(".csv", ".tsv", ".txt"),
    ),
    Kind(
        "tensorboard",
        "TensorBoard logs",
        "a folder of event files",
        _tensorboard,
        open_upload=_zipped(_tensorboard),
        accepts=(".zip",),
    ),
    Kind(
        "studio-zip",
        "Archive of a studio",
        "a ZIP that `manage.py export` or Export made",
        _studio_zip,
        open_upload=_studio_zip,
        accepts=(".zip",),
    ),
)
