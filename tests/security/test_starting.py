"""A studio for the network starts without a warning, and not at all with what opens it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from studio.checks import CHECKS, is_loopback, unsafe_settings
from tests.architecture.sources import ROOT
from tests.live.studio import free_port
from tests.prepared import clean_environment, copy_database, migrated

PRODUCTION = {
    "STUDIO_BASE_URL": "https://studio.example.org",
    "STUDIO_ALLOWED_HOSTS": "studio.example.org",
    "STUDIO_TRUST_PROXY": "1",
    "STUDIO_BIND": "0.0.0.0",
    "DATABASE_URL": "postgres://studio:kQ7-vR2xWm0p@db.example.org/studio",
}
UNSAFE = {
    "STUDIO_SECRET_KEY": "django-insecure-" + "x1y2z3" * 9,
    "STUDIO_ALLOWED_HOSTS": "studio.example.org,*",
    "STUDIO_DEBUG": "1",
    "STUDIO_BIND": "0.0.0.0",
    "DATABASE_URL": "postgres://studio:postgres@127.0.0.1:9/studio",
}


def manage(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    of_tests = {"STUDIO_SECRET_KEY", "DJANGO_ALLOW_ASYNC_UNSAFE"}
    kept = {key: value for key, value in clean_environment().items() if key not in of_tests}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env={**kept, "STUDIO_HOME": str(home), **environment},
        cwd=home,  # `up` leaves the settings of the SDK where it is called
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_production_settings_have_no_warning(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert done.returncode == 0, done.stderr
    # Preloading is the domain owner's to decide; nothing else is passed over.
    assert "(1 silenced)" in done.stdout


@pytest.mark.parametrize("more", [(), ("--preload", "--workers", "2")], ids=" ".join)
def test_the_web_server_does_not_start_with_unsafe_settings(
    more: tuple[str, ...], tmp_path: Path
) -> None:
    done = manage(tmp_path, "web", *more, PORT=str(free_port()), **UNSAFE)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr, "whoever started it reads of settings, not of code"
    # Celery's settings are not read from the environment.
    told = [name for name in CHECKS if name in done.stderr]
    assert told == ["studio.E001", "studio.E002", "studio.E003", "studio.E004"], done.stderr
    assert UNSAFE["STUDIO_SECRET_KEY"] not in done.stderr
    assert ":postgres@" not in done.stderr


def test_the_whole_studio_gives_up_at_once_and_says_why(tmp_path: Path) -> None:
    # With its tables, which are made before the web server says no: a second start.
    copy_database(migrated(), tmp_path / "own.sqlite3")
    unsafe = {**UNSAFE, "DATABASE_URL": f"sqlite:///{tmp_path / 'own.sqlite3'}"}

    done = manage(tmp_path, "up", PORT=str(free_port()), **unsafe)

    assert done.returncode == 1
    assert "studio.E001" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("CommandError: The web ended while it started")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("broken", "made"),
    [("static", "studio.sqlite3"), ("studio.sqlite3", "static/staticfiles.json")],
)
def test_a_studio_that_could_be_half_prepared_does_not_start(
    broken: str, made: str, tmp_path: Path
) -> None:
    (tmp_path / broken).write_text("neither a folder nor a database")

    done = manage(tmp_path, "up", PORT=str(free_port()))

    assert done.returncode == 1
    assert "web and worker" not in done.stdout
    error, told = done.stderr.splitlines()[-2:]
    assert "Error" in error
    assert told == "CommandError: The studio could not be prepared; the lines above say why."
    assert (tmp_path / made).stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("studio.E001", {"SECRET_KEY": "short-but-Random_8"}),
        ("studio.E001", {"SECRET_KEY": "ab" * 40}),
        ("studio.E001", {"SECRET_KEY": "Please-Change-Me-0123456789-abcdefghijklmnop"}),
        ("studio.E002", {"ALLOWED_HOSTS": ["localhost", " * "]}),
        ("studio.E003", {"DEBUG": True}),
    ],
)
def test_each_unsafe_setting_is_an_error(name, change, settings, monkeypatch) -> None:
    monkeypatch.setenv("STUDIO_BIND", "0.0.0.0")
    assert unsafe_settings() == []

    for key, value in change.items():
        setattr(settings, key, value)

    assert [found.id for found in unsafe_settings()] == [name]


def test_a_usual_database_password_is_an_error(settings, monkeypatch) -> None:
    facts = settings.DATABASES["default"]
    for user, password, n_errors in (
        *(("tracker", "PassWord", 1), ("tracker", "tracker", 1)),
        *(("tracker", "", 0), ("tracker", "kQ7-vR2xWm0p", 0)),
    ):
        monkeypatch.setitem(facts, "USER", user)
        monkeypatch.setitem(facts, "PASSWORD", password)
        assert [found.id for found in unsafe_settings()] == ["studio.E004"] * n_errors, password


def test_a_message_that_is_no_json_is_an_error() -> None:
    from studio.celery import app

    assert unsafe_settings() == []
    before = app.conf.accept_content
    try:
        app.conf.accept_content = ["json", "pickle"]
        assert [found.id for found in unsafe_settings()] == ["studio.E005"]
    finally:
        app.conf.accept_content = before


def test_forwarded_headers_count_only_behind_a_proxy(alice_client) -> None:
    forged = {
        **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"},
        **{"Remote-User": "alice", "X-Forwarded-User": "alice", "Forwarded": "host=evil.example"},
    }

    seen = alice_client.get("/healthz", headers=forged).wsgi_request
    stranger = Client().get("/account", headers=forged)

    assert not seen.is_secure()
    assert "evil" not in seen.build_absolute_uri()
    assert stranger.status_code == 302
    assert "evil" not in stranger["Location"]


def test_the_proxy_of_the_guide_replaces_what_clients_make_up() -> None:
    guide = (ROOT / "docs" / "deploy.md").read_text()

    # What is believed: `settings.SECURE_PROXY_SSL_HEADER` and `sources.address_of`.
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in guide
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in guide
    assert "proxy_set_header Host $host;" in guide


def test_an_address_of_this_machine_alone_is_told_from_others() -> None:
    own = {"127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"}
    others = {"0.0.0.0", "::", "[::]", "", "10.0.0.1", "studio.example.org"}

    assert {name for name in own | others if is_loopback(name)} == own
    assert os.environ.get("STUDIO_BIND") in {None, "127.0.0.1"}
