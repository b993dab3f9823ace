"""What every first start makes, made once for all processes of a test run: tables and static files.

TEST_PREPARED names the folder that the steps of tests/run.sh share; without it a test run has one
of its own. Nothing here may outlive the sources it was made from.
"""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MIGRATE = "import django; django.setup()\n" + (
    "from django.core.management import call_command; call_command('migrate', verbosity=0)"
)
# As the first start in a new folder does.
PREPARE = """
import django; django.setup()
from studio.web.management.commands.up import collect_static, prepare_database
prepare_database(); collect_static()
"""


def migrated() -> Path:
    """An SQLite file with all tables and no rows but those that the migrations write."""
    return _once("migrated", lambda home: _run(MIGRATE, home)) / "studio.sqlite3"


def prepared() -> Path:
    """A home with an empty database and static files: what a studio copies that is not started to
    see its first start."""

    def make(home: Path) -> None:
        copy_database(migrated(), home / "studio.sqlite3")
        _run(PREPARE, home)

    return _once("prepared", make)


def migrate(database_url: str) -> None:
    """Make all tables in this database."""
    home = Path(os.environ["STUDIO_TEST_HOME"])
    _run(MIGRATE, home, DATABASE_URL=database_url)


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file with what its journal still holds."""
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


def clean_environment() -> dict[str, str]:
    """The tests' own settings must not leak into a studio that stands for a user's machine."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("STUDIO_")}
    for name in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
        inherited.pop(name, None)
    return inherited


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name; the first process that asks makes it, the others wait."""
    shared = Path(os.environ.get("TEST_PREPARED") or os.environ["STUDIO_TEST_HOME"])
    folder, draft = shared / name, shared / f"{name}.draft"
    with open(shared / f"{name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            make(draft)
            draft.rename(folder)
    return folder


def _run(code: str, home: Path, **environment: str) -> None:
    env = {**clean_environment(), "STUDIO_HOME": str(home)}
    env |= {"DJANGO_SETTINGS_MODULE": "studio.settings", **environment}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, timeout=240, check=True)
