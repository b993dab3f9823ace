"""Static files: third-party ones come straight out of installed packages."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


def package_file(package: str, inside: str) -> Path | None:
    """The path of a file that an installed package ships, None when it is not there."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None


class OneFileStorage(FileSystemStorage):
    """Maps a public name to one file of a package, so that nothing beside it is published."""

    def __init__(self, files: dict[str, Path]) -> None:
        super().__init__(location="/nonexistent")
        self.files = files

    def path(self, name: str) -> str:
        return str(self.files[name])

    def exists(self, name: str) -> bool:
        return name in self.files


class PackageFileFinder(BaseFinder):
    """Finds what settings.PACKAGE_STATIC_FILES names: {public name: (package, file inside)}."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        found = {
            name: package_file(*source) for name, source in settings.PACKAGE_STATIC_FILES.items()
        }
        self.missing = [name for name, path in found.items() if path is None]
        self.files = {name: path for name, path in found.items() if path is not None}

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [
            Error(f"The static file {name} is missing: its package is not installed.")
            for name in self.missing
        ]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = self.files.get(path)
        if find_all:
            return [str(found)] if found else []
        return str(found) if found else None

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        storage = OneFileStorage(self.files)
        for name in self.files:
            yield name, storage


class StudioStaticStorage(CompressedManifestStaticFilesStorage):
    """Hashed names and gzip; brotli of Plotly's 5 MB would take most of a minute at first start."""

    # A file named in CSS or JS that does not exist is an error at collect time.
    manifest_strict = True

    def create_compressor(self, **kwargs: Any) -> Compressor:
        # Only tools of developers ask for the maps of libraries, which are a third of all bytes.
        kwargs["extensions"] = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
        return Compressor(use_brotli=False, **kwargs)
