"""Everything that must not be lost, in one file, while the studio works."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from studio.artifacts.holding import held_bytes
from studio.artifacts.line_index import index_key
from studio.artifacts.log_times import times_key
from studio.artifacts.models import SourceBlob
from studio.artifacts.store import source_folder, store
from studio.blobs import BlobNotFound, digest_key
from studio.operations.archive import BLOBS, DATABASE, FORMAT, MANIFEST, MISSING, Writer
from studio.operations.dumping import Copy, copied

Tell = Callable[[str], None]
TOLD_EVERY = 10_000


@dataclass
class Made:
    """What a backup holds; `missing`: keys that rows name and the store does not have."""

    n_rows: int = 0
    n_blobs: int = 0
    n_bytes: int = 0
    n_missing: int = 0


def write_backup(path: Path, tell: Tell) -> Made:
    """Write a backup of the database as it is now and of all bytes it names. Others go on writing;
    what they delete meanwhile is kept until the copy is done. Raises NoDump, OSError, BlobError."""
    made = Made()
    with (
        held_bytes(),
        tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as folder,
        Writer(path) as archive,
        copied(Path(folder)) as copy,
    ):
        counts = copy.counts()
        made.n_rows = sum(counts.values())
        tell(f"database: {made.n_rows:,} rows")
        archive.add_text(MANIFEST, json.dumps(_manifest(counts), indent=1))
        with copy.file.open("rb") as file:
            archive.add(DATABASE, file, copy.file.stat().st_size)
        with tempfile.TemporaryFile(dir=folder) as missing:
            for key in named_keys(copy):
                if _add_blob(archive, key, made):
                    _tell_sometimes(made, tell)
                else:
                    made.n_missing += 1
                    missing.write(f"{key}\n".encode())
            n_bytes = missing.tell()
            missing.seek(0)
            archive.add(MISSING, missing, n_bytes)
    return made


def _manifest(counts: dict[str, int]) -> dict[str, Any]:
    applied = MigrationRecorder(connection).applied_migrations()
    return {
        "format": FORMAT,
        "studio": settings.STUDIO_VERSION,
        "database": connection.vendor,
        "made_at": timezone.now().isoformat(),
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "rows": counts,
    }


def _tell_sometimes(made: Made, tell: Tell) -> None:
    if made.n_blobs % TOLD_EVERY == 0:
        tell(f"files: {made.n_blobs:,}, {made.n_bytes:,} bytes")


def named_keys(copy: Copy) -> Iterator[str]:
    """The key of everything in the store that a row names, each once."""
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        if "blob_key" not in names:
            continue
        is_log = "is_log" if "is_log" in names else "1 = 0"
        question = f'SELECT blob_key, {is_log} FROM "{model._meta.db_table}"'  # noqa: S608
        for key, grows in copy.rows(question):
            if grows:
                # What was noted beside a log, first: it may be behind the log and never ahead.
                yield from (each for each in (times_key(key), index_key(key)) if _is_there(each))
            yield key
    table = SourceBlob._meta.db_table
    for workspace, digest in copy.rows(f'SELECT workspace_id, digest FROM "{table}"'):  # noqa: S608
        yield digest_key(digest, under=source_folder(workspace))


def _is_there(key: str) -> bool:
    return store().exists(key)


def _add_blob(archive: Writer, key: str, made: Made) -> bool:
    """Copy the bytes as many as there are now (a log may grow meanwhile); False without any."""
    try:
        n_bytes = store().size(key)
        with store().open(key, 0, n_bytes) as stream:
            archive.add(f"{BLOBS}{key}", stream, n_bytes)
    except BlobNotFound:
        return False
    made.n_blobs += 1
    made.n_bytes += n_bytes
    return True
