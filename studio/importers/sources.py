"""The kinds of sources: what each is called, how it is opened, whether it can be uploaded."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from studio.importers.records import Reader, SourceError


def no_tick() -> None:
    """Nobody waits for a sign of life."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """artifacts: the folder below which files of runs may be read beside the source itself.
    deleted: also runs that are deleted in the source. tick: called while something long goes on
    between two records, such as unpacking, or reading a long file."""

    artifacts: Path | None = None
    deleted: bool = False
    tick: Callable[[], None] = no_tick


Opener = Callable[[str, SourceOptions], AbstractContextManager[Reader]]
UploadOpener = Callable[[Path, SourceOptions], AbstractContextManager[Reader]]


@dataclass(frozen=True, slots=True)
class Kind:
    """open: opens what the operator names on a shell. open_upload: opens a file that somebody
    uploaded, which is hostile until proven otherwise; None where the kind is no file.
    accepts: the endings of such a file."""

    name: str
    title: str
    takes: str
    open: Opener
    open_upload: UploadOpener | None = None
    accepts: tuple[str, ...] = ()


_KINDS: dict[str, Kind] = {}


def register(kinds: Iterable[Kind]) -> None:
    for kind in kinds:
        _KINDS[kind.name] = kind


def kinds() -> list[Kind]:
    return list(_KINDS.values())


def kind_of(name: str) -> Kind:
    """Raises SourceError for a name of no kind."""
    try:
        return _KINDS[name]
    except KeyError as error:
        raise SourceError(f"There is no kind “{name}”: use one of {', '.join(_KINDS)}.") from error
