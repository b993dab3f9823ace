"""A studio from a backup: checked before anything is written, and honest about what was going on
when the backup was made."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from studio.accounts.models import ApiToken, User
from studio.accounts.permissions import Actor
from studio.artifacts.store import store
from studio.blobs import check_key
from studio.compute.models import Job, Worker
from studio.operations.archive import (
    BLOBS,
    DATABASE,
    MANIFEST,
    MISSING,
    SUMS,
    BrokenBackup,
    members,
    verified,
)
from studio.operations.dumping import NoDump, put_back
from studio.runs.lifecycle import transition_many
from studio.runs.models import Run
from studio.runs.status import Status

Tell = Callable[[str], None]
RUNS_AT_ONCE = 500


class NotRestored(Exception):
    """Nothing was changed; the message says why and what to do."""


@dataclass
class Restored:
    n_rows: int = 0
    n_blobs: int = 0
    n_bytes: int = 0
    # Runs that were active when the backup was made.
    n_closed: int = 0


def restore_backup(path: Path, tell: Tell, *, force: bool = False) -> Restored:
    """Fill the studio with what the backup holds; with `force` one that is in use, whose rows are
    replaced. Raises NotRestored, BrokenBackup (both: nothing was changed), NoDump, BlobError."""
    tell("checking the backup")
    manifest = verified(path)
    _refuse_strangers(manifest)
    if tables_there() and Worker.objects.live().exists():
        raise NotRestored("A worker of this studio is running. Stop the studio first.")
    if not force and (reason := what_is_there()):
        raise NotRestored(f"{reason} Restore into an empty studio, or replace it with --force.")
    done = Restored()
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.STUDIO_HOME) as folder:
        database = Path(folder) / "database"
        _take_out(path, database, done, tell)
        put_back(database, replaces=tables_there())
    done.n_rows = _count(manifest["rows"])
    tell(f"database: {done.n_rows:,} rows, as many as in the backup")
    call_command("migrate", verbosity=0, interactive=False)
    done.n_closed = close_what_was_active(made_at=manifest["made_at"])
    return done


def _refuse_strangers(manifest: dict[str, Any]) -> None:
    if manifest["database"] != connection.vendor:
        text = (
            f"The backup is of {manifest['database']}, and DATABASE_URL names {connection.vendor}."
        )
        raise NotRestored(f"{text} Restore it where it is from, then use manage.py move.")
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if newer := set(manifest["migrations"]) - known:
        text = f"It was made by studio {manifest['studio']}, which is newer ({sorted(newer)[0]})."
        raise NotRestored(f"{text} Restore it with that version.")


def tables_there() -> bool:
    return User._meta.db_table in connection.introspection.table_names()


def what_is_there() -> str:
    """What would be lost, in words; "" in an empty studio."""
    if tables_there():
        if User.objects.exists():
            return "The database holds people already."
        if Run.objects.exists():
            return "The database holds runs already."
    for key in store().list():
        return f"The storage holds files already ({key.split('/')[0]}/…)."
    return ""


def _take_out(path: Path, database: Path, done: Restored, tell: Tell) -> None:
    for name, n_bytes, stream in members(path):
        if name == DATABASE:
            with database.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
        elif name.startswith(BLOBS):
            store().put(check_key(name.removeprefix(BLOBS)), stream)
            done.n_blobs += 1
            done.n_bytes += n_bytes
        elif name not in (MANIFEST, MISSING, SUMS):
            raise BrokenBackup(f"{name[:80]!r} is nothing that a backup holds.")
    tell(f"files: {done.n_blobs:,}, {done.n_bytes:,} bytes")


def _count(told: dict[str, int]) -> int:
    """How many rows there are; raises NoDump when a table has not as many as were written."""
    n_rows = 0
    with connection.cursor() as cursor:
        for table, n_told in told.items():
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            (n,) = cursor.fetchone()
            if n != n_told:
                raise NoDump(f"{table} has {n:,} rows now, and had {n_told:,}.")
            n_rows += n
    return n_rows


def close_what_was_active(*, made_at: str) -> int:
    """End the runs that were going on when the backup was made: nobody holds them. How many."""
    reason = f"Lost: it was active when the backup of {made_at[:19].replace('T', ' ')} UTC was made"
    by = Actor.system("restore")
    error = {"code": "Lost", "message": reason, "traceback": ""}
    facts: dict[Status, dict[str, Any]] = {Status.CANCELED: {}, Status.FAILED: {"error": error}}
    n_closed = 0
    for to, runs in (
        (Status.CANCELED, Run.objects.exclude(cancel_requested_at=None)),
        (Status.FAILED, Run.objects.filter(cancel_requested_at=None)),
    ):
        while ids := list(runs.active().order_by("pk").values_list("pk", flat=True)[:RUNS_AT_ONCE]):
            chosen = Run.objects.filter(pk__in=ids)
            n_closed += len(transition_many(chosen, to, by=by, reason=reason, **facts[to]))
    now = timezone.now()
    with transaction.atomic():
        Job.objects.open().update(closed_at=now)
        Worker.objects.filter(stopped_at=None).update(stopped_at=now, was_lost=True)
        # The scripts that hold them may live on, and speak to the studio that was copied.
        ApiToken.objects.not_revoked().exclude(run_uid="").update(revoked_at=now)
    return n_closed
