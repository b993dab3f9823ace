"""A backup of PostgreSQL goes back into a database as companies hand them out: an account that owns
the database and little else, and extensions that an administrator made."""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.postgres import SERVER, address_of, database_of_its_own
from tests.prepared import ROOT, clean_environment

PASSWORD = "kQ7-vR2xWm0p"


@pytest.fixture
def account() -> Iterator[str]:
    name = f"faults_{secrets.token_hex(4)}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        yield name
        server.execute(f"DROP ROLE {name}")


@pytest.fixture
def manage(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(address: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env={**clean_environment(), "DATABASE_URL": address, "STUDIO_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_extensions_of_somebody_else_are_no_hindrance(
    account: str, manage: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    backup = str(tmp_path / "studio.tar")
    with database_of_its_own() as source, database_of_its_own(is_empty=True) as target:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"ALTER DATABASE {target} OWNER TO {account}")
        with psycopg.connect(address_of(target), autocommit=True) as by_admin:
            by_admin.execute("CREATE EXTENSION pg_trgm")
        made = manage(address_of(source), "backup", backup)
        assert made.returncode == 0, made.stderr

        place = urlsplit(SERVER)
        own = f"postgres://{account}:{PASSWORD}@{place.hostname}:{place.port or 5432}/{target}"
        first = manage(own, "restore", backup)
        again = manage(own, "restore", "--force", backup)

        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        with psycopg.connect(address_of(target)) as reader:
            (n,) = reader.execute("SELECT count(*) FROM django_migrations").fetchone() or (0,)
        assert n > 50
