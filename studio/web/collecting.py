"""Static files are collected again only when one of them, or what makes them, has changed."""

import hashlib
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

# What the files are made with: another version may make others of the same ones.
MADE_WITH = ("django", "whitenoise")
MARK = "collected.txt"


def collect_static() -> bool:
    """Collect the static files; False when those that are there are the same."""
    mark = Path(settings.STATIC_ROOT) / MARK
    now = fingerprint()
    if mark.is_file() and mark.read_text() == now:
        return False
    mark.unlink(missing_ok=True)
    began = time.time()
    call_command("collectstatic", verbosity=0, interactive=False)
    # Django compares whole seconds: what changed in this very one may have been passed over, and is
    # collected by the next start.
    if newest() < began - 2:
        mark.write_text(now)
    return True


def newest() -> float:
    """When the last static file was changed, in seconds since the epoch."""
    return max((path.stat().st_mtime for _, path in _files()), default=0.0)


def fingerprint() -> str:
    """A text that changes with every static file: their names, sizes and times of change."""
    digest = hashlib.sha256()
    for name in MADE_WITH:
        digest.update(f"{name} {version(name)}\n".encode())
    digest.update(str(settings.STORAGES["staticfiles"]).encode())
    for name, path in sorted(_files()):
        stat = path.stat()
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        for name, storage in finder.list([]):
            yield name, Path(storage.path(name))
